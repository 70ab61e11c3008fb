"""The workspace: what the docks of one viewer share, and the text on the canvas."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.plugin.viewer.captures import Captures
from napari_btf.plugin.viewer.layers import (
    angles_text,
    capture_of,
    clipped,
    first_step,
    is_kind,
)
from napari_btf.plugin.viewer.model_layers import keep_slider_apart, model_of
from napari_btf.plugin.viewer.models import Models
from napari_btf.plugin.viewer.placing import free_place
from napari_btf.plugin.viewer.regions import Regions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF

__all__ = ["Workspace", "current_workspace", "saved_anywhere", "workspace_of"]


Angles = tuple[float, float]


class Workspace:
    """The state that the docks of one viewer share. It holds the viewer weakly.

    Attributes
    ----------
    models : Models
    captures : Captures
    regions : Regions
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self.models, self.captures = Models(), Captures(viewer)
        self.regions = Regions(viewer)
        self.captures.changed.connect(self._show_angles)
        self._owned: dict[str, Any] = {}
        self._relit = ""
        #: Light and view (theta, phi) of the relit image, or None before there is one.
        self.relit_directions: tuple[Angles, Angles] | None = None
        #: The docks that show the relit image by themselves, while they are open.
        self.relit_shown_by: weakref.WeakSet[Any] = weakref.WeakSet()
        events = viewer.layers.events
        events.inserted.connect(self._on_inserted)
        events.removed.connect(self._on_removed)
        events.renamed.connect(self._on_layers)
        for layer in viewer.layers:
            layer.events.visible.connect(self._show_angles)
            self._take_model(layer)
        viewer.layers.selection.events.active.connect(self._show_angles)
        viewer.dims.events.current_step.connect(self._show_angles)
        self._show_angles()

    @property
    def viewer(self) -> Any:
        """The viewer, or None after it is gone."""
        return self._viewer()

    def owned(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what the workspace owns under a name, which is made at the first call.

        Long jobs belong here: a dock that is closed and opened again is another widget, and takes
        up what runs.
        """
        if name not in self._owned:
            self._owned[name] = make()
        return self._owned[name]

    def show_relit(self, text: str) -> None:
        """Write on the canvas what the relit image shows."""
        self._relit = text
        self._show_angles()

    def _take_model(self, layer: Any) -> None:
        """Take the model of a layer of latents, which was read from a file or copied."""
        model = model_of(layer)
        if model is not None and model not in self.models.all:
            self.models.current = model

    def _on_inserted(self, event: Any) -> None:
        event.value.events.visible.connect(self._show_angles)
        self._take_model(event.value)
        btf = capture_of(event.value)
        if btf is not None:
            for layer in self.viewer.layers:
                keep_slider_apart(layer, btf)
            self._place(event.value, btf)
        self._on_layers()

    def _place(self, layer: Any, btf: BTF) -> None:
        """Put a capture that was opened beside the other images, and show an image of it."""
        viewer = self.viewer
        if not np.any(layer.translate):
            # Images that docks show give way by themselves.
            others = [
                other
                for other in viewer.layers
                if other is layer or (capture_of(other) is None and model_of(other) is None)
            ]
            place = free_place(viewer, btf.height, btf.width, but=others)
            if any(place):
                layer.translate = (*layer.translate[:-2], *place)
        is_alone = len(self.captures.layers()) == 1
        step = first_step(btf) if is_alone else clipped(btf, self.captures.step(btf))
        self.captures.go_to(btf, step)

    def _on_removed(self, event: Any) -> None:
        event.value.events.visible.disconnect(self._show_angles)
        self._on_layers()

    def _on_layers(self, event: Any = None) -> None:
        self.captures.changed.emit()

    def _show_angles(self, event: Any = None) -> None:
        viewer = self.viewer
        if viewer is None:
            return
        shown = self.captures.shown()
        lines = []
        if shown:
            channel = self.captures.channel(shown[0])
            lines.append("captured  " + "   ".join(filter(None, (angles_text(*shown), channel))))
        if self._relit and any(
            is_kind(layer, "relit") and layer.visible for layer in viewer.layers
        ):
            lines.append(f"relit  {self._relit}")
        overlay = viewer.canvas.overlays.text
        # Without layers of this plugin the text is someone else's.
        if not lines and not overlay.text.startswith(("captured  ", "relit  ")):
            return
        # Each of them is drawn anew when it is set, even to what it is.
        for name, value in (
            ("visible", bool(lines)),
            ("position", "top_left"),
            ("font_size", 12),
            ("text", "\n".join(lines)),
        ):
            if getattr(overlay, name) != value:
                setattr(overlay, name, value)


_workspaces: weakref.WeakKeyDictionary[Any, Workspace] = weakref.WeakKeyDictionary()


def workspace_of(viewer: Any) -> Workspace:
    """Return the workspace of a viewer, which is made at the first call."""
    # Docks get the viewer behind a proxy that comes and goes; the viewer itself is the key.
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _workspaces:
        _workspaces[viewer] = Workspace(viewer)
    return _workspaces[viewer]


def saved_anywhere(model: CompressedBTF, path: Path) -> None:
    """Remember where a model was saved, in all windows that have it."""
    for workspace in list(_workspaces.values()):
        if model in workspace.models.all:
            workspace.models.saved(model, path)


def current_workspace() -> Workspace | None:
    """Return the workspace of the window in front, or None without a window."""
    import napari

    viewer = napari.current_viewer()
    return None if viewer is None else workspace_of(viewer)
