"""The layer that previews the model of a running training."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_btf.plugin.jobs.background import Latest
from napari_btf.plugin.viewer.layers import capture_of, observation_at
from napari_btf.plugin.viewer.placing import free_column
from napari_btf.plugin.viewer.shown_image import ShownImage
from napari_btf.values import to_display

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.train.in_thread import Preview
    from napari_btf.plugin.train.job import Run
    from napari_btf.plugin.viewer.placing import Watch
    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.progress import Job

__all__ = ["PreviewLayer"]


class PreviewLayer(QObject):
    """One Image layer beside the captures, under the directions of the sliders."""

    def __init__(self, workspace: Workspace, run: Run, watch: Watch, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace, self._run, self._watch = workspace, run, watch
        self._capture: Any = None
        self._model: CompressedBTF | None = None
        self._wanted = False
        self._image = ShownImage(workspace, "preview")
        self._decoder = Latest(self)
        self._decoder.done.connect(self._paint)
        run.previewed.connect(self._on_preview)

    @property
    def layer(self) -> Any:
        """The layer, or None."""
        return self._image.layer

    def begin(self, capture: Any) -> None:
        """Follow the sliders of a capture layer for a training that starts."""
        self.end()
        self._capture, self._wanted = capture, True
        self._watch.begin()
        self._workspace.viewer.dims.events.current_step.connect(self._on_sliders)
        self._on_sliders()

    def end(self) -> None:
        """Remove the layer, because the training is over."""
        viewer = self._workspace.viewer
        self._model, self._wanted, self._capture = None, False, None
        self._decoder.cancel()
        if viewer is None:
            return
        viewer.dims.events.current_step.disconnect(self._on_sliders)
        self._image.remove()

    def _on_sliders(self, event: Any = None) -> None:
        viewer = self._workspace.viewer
        if viewer is None or self._capture not in viewer.layers:
            return
        btf = capture_of(self._capture)
        # While a layer goes, the sliders may have fewer axes than the capture.
        if btf is None or viewer.dims.ndim < self._capture.ndim:
            return
        light, view, _ = observation_at(btf, self._workspace.captures.step(btf))
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
        if self._image.was_deleted:
            # Whoever deletes the layer does not want to see it: another training brings it back.
            return
        name = f"preview of {model.source or 'the training'}"
        if self._image.show(pixels, name, free_column(viewer, model), select=False):
            self._watch.show_all()


def _decode(
    model: CompressedBTF, light: NDArray[np.float64], view: NDArray[np.float64]
) -> Job[NDArray[Any]]:
    yield from ()  # There is nothing to report on the way.
    return to_display(model.image(light, view))
