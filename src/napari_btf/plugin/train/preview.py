"""The layer that shows what a running training has come to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject

from napari_btf.plugin.jobs.background import Latest
from napari_btf.plugin.viewer.layers import TAG, capture_of, for_display, is_kind, observation_at
from napari_btf.plugin.viewer.placing import free_place
from napari_btf.values import to_display

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.train.in_thread import Preview
    from napari_btf.plugin.train.job import Run
    from napari_btf.plugin.viewer.placing import Watch
    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.progress import Job

__all__ = ["PreviewLayer"]


class PreviewLayer(QObject):
    """One Image layer beside the captures, under the directions the sliders stand for."""

    def __init__(self, workspace: Workspace, run: Run, watch: Watch, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace, self._run, self._watch = workspace, run, watch
        self._capture: Any = None
        self._model: CompressedBTF | None = None
        self._wanted = self._added = False
        self._decoder = Latest(self)
        self._decoder.done.connect(self._paint)
        run.previewed.connect(self._on_preview)

    @property
    def layer(self) -> Any:
        """The layer, or None."""
        viewer = self._workspace.viewer
        layers = [] if viewer is None else [x for x in viewer.layers if is_kind(x, "preview")]
        return layers[-1] if layers else None

    def begin(self, capture: Any) -> None:
        """Follow the sliders of a capture layer for the training that starts."""
        self.end()
        self._capture, self._wanted, self._added = capture, True, False
        self._watch.begin()
        self._workspace.viewer.dims.events.current_step.connect(self._on_sliders)
        self._on_sliders()

    def end(self) -> None:
        """Take the layer away: the training is over."""
        viewer, layer = self._workspace.viewer, self.layer
        self._model, self._wanted, self._capture = None, False, None
        self._decoder.cancel()
        if viewer is None:
            return
        viewer.dims.events.current_step.disconnect(self._on_sliders)
        if layer is not None:
            viewer.layers.remove(layer)

    def _on_sliders(self, event: Any = None) -> None:
        viewer = self._workspace.viewer
        if viewer is None or self._capture not in viewer.layers:
            return
        btf = capture_of(self._capture)
        # While a layer goes, the sliders may have fewer axes than the capture.
        if btf is None or viewer.dims.ndim < self._capture.ndim:
            return
        light, view, _ = observation_at(btf, self._workspace.step(btf))
        self._run.look(light, view)
        if self._model is not None:
            self._decoder.want(partial(_decode, self._model, light, view))

    def _on_preview(self, preview: Preview) -> None:
        if self._wanted:
            self._model = preview.model
            self._paint(preview.pixels)

    def _paint(self, pixels: NDArray[Any]) -> None:
        viewer, model = self._workspace.viewer, self._model
        if viewer is None or model is None or not self._wanted:
            return
        pixels, layer = for_display(pixels), self.layer
        if layer is not None:
            layer.data = pixels
            return
        if self._added:
            # Whoever removes the layer wants none: another training brings it back.
            return
        self._added = True
        colour = model.channels == 3
        active = viewer.layers.selection.active
        viewer.add_layer(
            Image(
                pixels,
                name=f"preview of {model.source or 'the training'}",
                rgb=colour,
                contrast_limits=(0, int(np.iinfo(pixels.dtype).max)),
                metadata={TAG: {"kind": "preview"}},
                translate=(0.0,) * (pixels.ndim - colour - 2)
                + free_place(viewer, model.height, model.width),
            )
        )
        # A user who paints meanwhile keeps the layer that is painted on.
        if active is not None and active in viewer.layers:
            viewer.layers.selection.active = active
        self._watch.show_all()


def _decode(
    model: CompressedBTF, light: NDArray[np.float64], view: NDArray[np.float64]
) -> Job[NDArray[Any]]:
    yield from ()  # There is nothing to report on the way.
    return to_display(model.image(light, view))
