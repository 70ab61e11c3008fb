"""Dock *Select texels*: paint the regions that matter, choose a sampling step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import SpinBox
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import qthrottled

from napari_btf import sampling
from napari_btf.errors import BTFError
from napari_btf.plugin._chooser import NO_CAPTURE, CaptureChooser
from napari_btf.plugin._note import Note
from napari_btf.plugin.layers import TAG, is_kind
from napari_btf.plugin.workspace import workspace_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtGui import QHideEvent, QShowEvent

__all__ = ["SelectTexels"]

#: Events of a Labels layer: brush, fill and polygon; and undo, redo and new data.
_EDITED = ("labels_update", "set_data")


class SelectTexels(QWidget):
    """Paint texels with napari's Labels tools, thin them out, save and load them."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)
        self._painted: Any = None

        self.captures = CaptureChooser(self._workspace)
        self.paint = QPushButton("Paint regions")
        self.paint.setToolTip("Make a Labels layer over the capture and start painting on it")
        self.step = SpinBox(value=1, min=1, max=1000)
        self.step.tooltip = "Keep one of every so many texels, in both directions"
        self.count = Note()
        self.save = QPushButton("Save CSV...")
        self.save.setToolTip("Write the chosen texels as a table with the columns x,y")
        self.load = QPushButton("Load CSV...")
        self.load.setToolTip("Paint the texels of a table with the columns x,y")

        files = QHBoxLayout()
        files.addWidget(self.load)
        files.addWidget(self.save)
        form = QFormLayout()
        form.addRow("capture", self.captures)
        form.addRow(self.paint)
        form.addRow("sampling step", self.step.native)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.count)
        column.addLayout(files)
        column.addStretch()

        # Painting emits many events a second, counting a large image takes milliseconds.
        self._update = qthrottled(self._show_count, timeout=100)
        self.captures.chosen.connect(self._on_capture)
        self.paint.clicked.connect(self.start_painting)
        self.step.changed.connect(self._on_step)
        self.save.clicked.connect(self._ask_save)
        self.load.clicked.connect(self._ask_load)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow the painted layer."""
        super().showEvent(event)
        self._on_capture()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop following it."""
        super().hideEvent(event)
        self._follow(None)

    def regions_layer(self) -> Any:
        """The Labels layer painted over the chosen capture, or None."""
        return self._workspace.regions_layer(self.captures.layer)

    def texels(self) -> NDArray[np.intp]:
        """The chosen texels, rows (y, x): painted, and thinned out by the sampling step."""
        return self._workspace.selected_texels(self.captures.layer)

    def start_painting(self) -> Any:
        """Make the Labels layer if there is none, and take the brush."""
        layer = self.captures.layer
        viewer = self._workspace.viewer
        if layer is None:
            show_error(NO_CAPTURE)
            return None
        regions = self.regions_layer()
        if regions is None:
            regions = self._add_regions(np.zeros(self._image_shape(), dtype=np.uint8))
        viewer.layers.selection.active = regions
        regions.mode = "paint"
        regions.brush_size = max(2, min(self._image_shape()) // 16)
        return regions

    def save_csv(self, path: str) -> None:
        """Write the chosen texels; what is wrong becomes a notification."""
        texels = self.texels()
        try:
            sampling.write_coordinates(path, texels)
        except BTFError as error:
            show_error(str(error))
            return
        show_info(f"{len(texels):,} texels written to {path}.")

    def load_csv(self, path: str) -> None:
        """Paint the texels of a file; what is wrong becomes a notification."""
        height, width = self._image_shape()
        try:
            texels = sampling.read_coordinates(path, height, width)
        except BTFError as error:
            show_error(str(error))
            return
        painted = np.zeros((height, width), dtype=np.uint8)
        painted[texels[:, 0], texels[:, 1]] = 1
        # What is in the file is what was chosen: thinning it out again would be wrong.
        self.step.value = 1
        regions = self.regions_layer()
        if regions is None:
            self._add_regions(painted)
        else:
            # Not by replacing the data: undo would then mix old and new.
            changed = np.nonzero(regions.data != painted)
            regions.data_setitem(changed, painted[changed])
        self._show_count()

    def _image_shape(self) -> tuple[int, int]:
        btf = self.captures.btf
        assert btf is not None
        return btf.height, btf.width

    def _add_regions(self, painted: NDArray[np.uint8]) -> Any:
        layer = self.captures.layer
        regions = self._workspace.viewer.add_labels(
            painted,
            name=f"regions of {layer.name}",
            opacity=0.5,
            metadata={
                TAG: {"kind": "regions", "capture": layer.unique_id, "step": self.step.value}
            },
        )
        self._follow(regions)
        self._show_count()
        return regions

    def _on_capture(self) -> None:
        regions = self.regions_layer()
        self._follow(regions)
        if regions is not None and is_kind(regions, "regions"):
            self.step.value = regions.metadata[TAG]["step"]
        self._show_count()

    def _on_step(self, step: int) -> None:
        regions = self.regions_layer()
        if regions is not None:
            regions.metadata[TAG]["step"] = step
        self._show_count()

    def _follow(self, regions: Any) -> None:
        if self._painted is not None:
            for name in _EDITED:
                getattr(self._painted.events, name).disconnect(self._on_painted)
        self._painted = regions
        if regions is not None:
            for name in _EDITED:
                getattr(regions.events, name).connect(self._on_painted)

    def _on_painted(self, event: Any = None) -> None:
        self._update()

    def _show_count(self) -> None:
        btf = self.captures.btf
        for widget in (self.paint, self.load):
            widget.setEnabled(btf is not None)
        if btf is None:
            self.save.setEnabled(False)
            self.count.setText(NO_CAPTURE)
            return
        chosen, total = len(self.texels()), btf.height * btf.width
        self.save.setEnabled(chosen > 0)
        if chosen:
            self.count.setText(f"{chosen:,} of {total:,} texels")
        else:
            self.count.setText(f"Nothing is painted yet: all {total:,} texels would be used.")

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save texels", "texels.csv", "CSV (*.csv)")
        if path:
            self.save_csv(path)

    def _ask_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load texels", "", "CSV (*.csv)")
        if path:
            self.load_csv(path)
