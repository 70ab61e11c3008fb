"""Section *Segment*: segmentation of the surface into materials, and growing selections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_btf.plugin.jobs.task import Task
from napari_btf.plugin.latent_space.highlight import Highlight
from napari_btf.plugin.latent_space.segment.box import SegmentBox
from napari_btf.plugin.notices import show_error
from napari_btf.plugin.viewer.grid_layers import base_of, grid_layers
from napari_btf.plugin.viewer.layers import TAG, is_kind
from napari_btf.plugin.viewer.own_layer import add_quietly
from napari_btf.segmentation import latent_distances, segment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.viewer.selection import TexelSelection
    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.segmentation import Segmentation

__all__ = ["Segment"]

_NO_MODEL = "Train a model first (dock Train), or load one."
_NO_SELECTION = "Select texels first: draw around points."
_PREVIEW = (0, 220, 255)
#: The slider ends where all but a few texels are similar, in percent.
_MOST = 95.0


class Segment(QWidget):
    """One job, a Labels layer of materials, and the preview of a grown selection.

    Signals
    -------
    parted
        There are other materials.
    """

    parted = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._model: CompressedBTF | None = None
        self._parted: CompressedBTF | None = None
        self._selection: TexelSelection | None = None
        self._distances: NDArray[np.float32] | None = None
        self.box = SegmentBox()
        self.run = Task(self)
        self.preview = Highlight(workspace, "similar texels", _PREVIEW)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.box)
        self.box.started.connect(self.start)
        self.box.cancelled.connect(self.run.cancel)
        self.box.growing.connect(self._on_growing)
        self.box.threshold_changed.connect(self._show_preview)
        self.box.grown.connect(self._on_grown)
        self.run.done.connect(self._on_done)
        self.run.failed.connect(show_error)
        self.run.changed.connect(lambda: self.box.set_running(self.run.running))
        self._show_state()

    def set_model(self, model: CompressedBTF | None) -> None:
        """Work on another model."""
        if model is not self._model:
            self._model = model
            self._selection = None if model is None else self._workspace.models.selection(model)
            self.box.say("")
            self.box.set_coloured(model is None or model.channels > 1)
            self.stop()
        self._show_state()

    def selection_changed(self) -> None:
        """Follow the selection of texels."""
        self._distances = None
        if self._selection is None or not self._selection.count:
            self.box.preview.setChecked(False)
        elif self.box.preview.isChecked():
            self._on_growing(True)
        self._show_state()

    def stop(self) -> None:
        """Remove the preview from the images; a running segmentation continues."""
        self.box.preview.setChecked(False)
        self.preview.hide()

    # ----------------------------------------------------------------- materials

    def materials(self) -> Any:
        """The Labels layer of the model's materials, or None."""
        viewer = self._workspace.viewer
        for layer in [] if viewer is None else reversed(viewer.layers):
            if is_kind(layer, "materials") and layer.metadata[TAG]["model"] is self._model:
                return layer
        return None

    def start(self) -> None:
        """Segment the texels by their latents."""
        model, box = self._model, self.box
        if model is None:
            return
        self._parted = model
        job = segment(model, box.method.currentData(), box.count, by=box.by.currentData())
        self.run.start(job, f"Segmenting {model.source or 'the model'}")

    def _on_done(self, found: Segmentation) -> None:
        viewer, model = self._workspace.viewer, self._parted
        if viewer is None or model is None or model is not self._model:
            return
        if found.silhouettes:
            self.box.show_silhouettes(found.silhouettes, found.count)
        else:
            self.box.show_count(found.count, int(np.count_nonzero(found.labels == 0)))
        layer, base = self.materials(), base_of(self._workspace, model)
        if layer is not None and layer.data.shape == found.labels.shape:
            layer.data = found.labels
        else:
            self._add(found.labels, base)
        self.parted.emit()

    def _add(self, labels: NDArray[Any], base: Any) -> None:
        model = self._model
        place = {} if base is None else {"scale": base.scale[-2:], "translate": base.translate[-2:]}
        layer = Labels(
            labels,
            name=f"materials of {'the model' if model is None else model.source}",
            opacity=0.5,
            metadata={TAG: {"kind": "materials", "model": model}},
            **place,
        )
        add_quietly(self._workspace.viewer, layer)

    # ----------------------------------------------------------------- growing

    def _on_growing(self, wanted: bool) -> None:
        model, selection = self._model, self._selection
        if not wanted or model is None or selection is None or not selection.count:
            self.preview.hide()
            return
        self._distances = distances = latent_distances(model.latent_map, selection.mask)
        most = float(np.percentile(distances, _MOST))
        self.box.set_range(most, float(np.median(distances[selection.mask])))
        self._show_preview()

    def _grown(self) -> NDArray[np.bool_] | None:
        if self._distances is None or self._selection is None:
            return None
        return np.asarray(self._distances <= self.box.threshold.value()) | self._selection.mask

    def _show_preview(self) -> None:
        grown = self._grown()
        if grown is None or self._model is None or not self.box.preview.isChecked():
            return
        self.box.say(f"{np.count_nonzero(grown):,} texels are as similar")
        bases = [base for base in grid_layers(self._workspace, self._model) if base.visible]
        self.preview.show(bases, grown)

    def _on_grown(self) -> None:
        grown = self._grown()
        if grown is not None and self._selection is not None:
            self.box.preview.setChecked(False)
            self._selection.take(grown)

    def _show_state(self) -> None:
        no_model = "" if self._model is not None else _NO_MODEL
        selected = self._selection is not None and self._selection.count
        self.box.set_allowed(no_model, no_model or ("" if selected else _NO_SELECTION))
