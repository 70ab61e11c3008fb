"""What the docks of one viewer share: the captures, the model, the angles on the canvas."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_btf.plugin.viewer.layers import (
    TAG,
    angles_text,
    capture_of,
    is_kind,
    is_spectral,
    step_after,
    turn_capture,
)
from napari_btf.plugin.viewer.model_layers import grid_of, keep_slider_apart, model_of
from napari_btf.plugin.viewer.selection import TexelSelection
from napari_btf.texels.sampling import Sampling, masked_texels, sampled

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.directions import AzimuthConvention
    from napari_btf.embedding.latent_map import LatentMap

__all__ = ["Workspace", "current_workspace", "saved_anywhere", "workspace_of"]


Angles = tuple[float, float]


class Workspace:
    """Shared state of the docks of one viewer; holds the viewer weakly.

    Signals
    -------
    captures_changed
        A capture layer was added, removed or renamed, or its directions are others now.
    model_changed
        There is another model, or one was saved.
    variant_changed
        The model is to be shown with other latents than its own, or with its own again.
    """

    captures_changed = Signal()
    model_changed = Signal()
    variant_changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self._model: CompressedBTF | None = None
        self._models: list[CompressedBTF] = []
        self._paths: weakref.WeakKeyDictionary[CompressedBTF, Path] = weakref.WeakKeyDictionary()
        self._selections: weakref.WeakKeyDictionary[CompressedBTF, TexelSelection] = (
            weakref.WeakKeyDictionary()
        )
        #: The maps of the models in the latent space, where there are any.
        self.maps: weakref.WeakKeyDictionary[CompressedBTF, LatentMap] = weakref.WeakKeyDictionary()
        self._variant: tuple[CompressedBTF, CompressedBTF] | None = None
        self._originals: weakref.WeakKeyDictionary[CompressedBTF, CompressedBTF] = (
            weakref.WeakKeyDictionary()
        )
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
        """The viewer, or None once it is gone."""
        return self._viewer()

    @property
    def model(self) -> CompressedBTF | None:
        """The model that Relight shows: the last one trained or loaded."""
        return self._model

    @model.setter
    def model(self, model: CompressedBTF | None) -> None:
        self._model = model
        if model is not None and model not in self._models:
            self._models.append(model)
        self.model_changed.emit()

    @property
    def models(self) -> tuple[CompressedBTF, ...]:
        """All models of this session, in the order in which they came."""
        return tuple(self._models)

    def variant_of(self, model: CompressedBTF) -> CompressedBTF:
        """What is shown for a model: itself, or what someone tries out with its latents."""
        variant = self._variant
        return model if variant is None or variant[0] is not model else variant[1]

    def original_of(self, model: CompressedBTF) -> CompressedBTF:
        """The model that a variant was made of; any other model is its own."""
        return self._originals.get(model, model)

    def set_variant(self, model: CompressedBTF, variant: CompressedBTF | None) -> None:
        """Show a model with other latents; None shows it as it is."""
        if variant is None and self._variant is None:
            return
        self._variant = None if variant is None else (model, variant)
        if variant is not None:
            self._originals[variant] = model
        self.variant_changed.emit()

    def path_of(self, model: CompressedBTF) -> Path | None:
        """The file a model came from or was saved to last, or None."""
        return self._paths.get(model, model.path)

    def saved(self, model: CompressedBTF, path: Path) -> None:
        """Remember where a model was saved."""
        self._paths[model] = path
        self.model_changed.emit()

    def selection(self, model: CompressedBTF) -> TexelSelection:
        """The selected texels of a model: one selection for all docks."""
        if model not in self._selections:
            self._selections[model] = TexelSelection(model.height, model.width)
        return self._selections[model]

    def _take_model(self, layer: Any) -> None:
        """A layer of latents brings its model along, from a file or by being copied."""
        model = model_of(layer)
        if model is not None and model not in self._models:
            self.model = model

    def capture_layers(self) -> list[Any]:
        """The layers of the viewer that show a capture, topmost first."""
        viewer = self.viewer
        if viewer is None:
            return []
        return [layer for layer in reversed(viewer.layers) if capture_of(layer) is not None]

    def shown_capture(self) -> tuple[BTF, tuple[int, ...]] | None:
        """The capture people look at and its slider positions.

        The active layer if it is a capture, else the topmost visible one.
        """
        viewer = self.viewer
        layers = self.capture_layers()
        if viewer is None or not layers:
            return None
        active = viewer.layers.selection.active
        visible = [layer for layer in layers if layer.visible] or layers
        layer = active if active in layers else visible[0]
        btf = capture_of(layer)
        assert btf is not None
        return btf, self.step(btf)

    def step(self, btf: BTF) -> tuple[int, ...]:
        """Where the sliders of an open capture are: (view, light), or (observation,)."""
        return tuple(self.viewer.dims.current_step[i] for i in self._axes(btf))

    def go_to(self, btf: BTF, step: tuple[int, ...]) -> None:
        """Move the sliders of an open capture."""
        self.viewer.dims.set_current_step(self._axes(btf), step)

    def _axes(self, btf: BTF) -> tuple[int, ...]:
        # A capture's axes are the last ones of the viewer's.
        end = self.viewer.dims.ndim - 2 - is_spectral(btf.channels)
        return tuple(range(end - (2 if btf.is_grid else 1), end))

    def turn_capture(self, layer: Any, convention: AzimuthConvention) -> None:
        """Take the azimuths of a capture layer another way; its sliders stay at the same image.

        Parameters
        ----------
        layer : napari.layers.Image
        convention : AzimuthConvention
            Relative to the capture as it was read, whatever was chosen before.
        """
        before = capture_of(layer)
        assert before is not None
        step = self.step(before)
        turn_capture(layer, convention)
        after = capture_of(layer)
        assert after is not None
        self.go_to(after, step_after(before, step, after))
        self._on_layers()

    def regions_layer(self, capture: Any) -> Any:
        """The Labels layer painted over a layer of a capture, or of latents, or None.

        One whose data were replaced by others of another size no longer counts.
        """
        viewer, grid = self.viewer, None if capture is None else grid_of(capture)
        if viewer is None or grid is None:
            return None
        for layer in reversed(viewer.layers):
            if (
                is_kind(layer, "regions")
                and layer.metadata[TAG]["capture"] == capture.unique_id
                and layer.data.shape == grid
            ):
                return layer
        return None

    def painted(self, capture: Any) -> NDArray[Any]:
        """The label image painted over such a layer, (H, W); zeros where there is none."""
        regions = self.regions_layer(capture)
        if regions is not None:
            return np.asarray(regions.data)
        grid = None if capture is None else grid_of(capture)
        return np.zeros(grid or (0, 0), dtype=np.uint8)

    def sampling(self, capture: Any) -> Sampling:
        """How the texels painted over a capture layer are thinned out."""
        if capture is None or capture_of(capture) is None:
            return Sampling()
        return capture.metadata[TAG].get("sampling", Sampling())

    def set_sampling(self, capture: Any, sampling: Sampling) -> None:
        """Thin out the texels painted over a capture layer another way."""
        # Another dict: a duplicate of the layer shares this one.
        tag = {**capture.metadata[TAG], "sampling": sampling}
        capture.metadata = {**capture.metadata, TAG: tag}

    def selected_texels(self, capture: Any) -> NDArray[np.intp]:
        """Texels painted over a capture layer, thinned out by its sampling: rows (y, x)."""
        return masked_texels(sampled(self.painted(capture), self.sampling(capture)))

    def show_relit(self, text: str) -> None:
        """Write on the canvas what the relit image shows."""
        self._relit = text
        self._show_angles()

    def _channel(self, btf: BTF) -> str:
        """The channel on the canvas, of a spectral capture."""
        if not is_spectral(btf.channels):
            return ""
        i = min(self.viewer.dims.current_step[-3], btf.channels - 1)
        return f"   {btf.channel_names[i] if btf.channel_names else f'channel {i + 1}'}"

    def _on_inserted(self, event: Any) -> None:
        event.value.events.visible.connect(self._show_angles)
        self._take_model(event.value)
        btf = capture_of(event.value)
        if btf is not None:
            for layer in self.viewer.layers:
                keep_slider_apart(layer, btf)
        self._on_layers()

    def _on_removed(self, event: Any) -> None:
        event.value.events.visible.disconnect(self._show_angles)
        self._on_layers()

    def _on_layers(self, event: Any = None) -> None:
        self.captures_changed.emit()
        self._show_angles()

    def _show_angles(self, event: Any = None) -> None:
        viewer = self.viewer
        if viewer is None:
            return
        shown = self.shown_capture()
        lines = [f"captured  {angles_text(*shown)}{self._channel(shown[0])}"] if shown else []
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
    """The workspace of a viewer; made when first asked for."""
    # Docks get the viewer behind a proxy that comes and goes; the viewer itself is the key.
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _workspaces:
        _workspaces[viewer] = Workspace(viewer)
    return _workspaces[viewer]


def saved_anywhere(model: CompressedBTF, path: Path) -> None:
    """Remember where a model was saved, in all windows that have it."""
    for workspace in list(_workspaces.values()):
        if model in workspace.models:
            workspace.saved(model, path)


def current_workspace() -> Workspace | None:
    """The workspace of the window in front, or None without a window."""
    import napari

    viewer = napari.current_viewer()
    return None if viewer is None else workspace_of(viewer)
