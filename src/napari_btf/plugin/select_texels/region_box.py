"""The regions of a capture: their table, and buttons to add, invert and erase them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_btf.plugin.notices import show_error
from napari_btf.plugin.select_texels.region_table import RegionTable
from napari_btf.plugin.viewer.choosers import NO_CAPTURE
from napari_btf.plugin.widgets.basics import attempt, row_of
from napari_btf.plugin.widgets.section import allow
from napari_btf.texels.regions import inverted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_btf.plugin.viewer.painted import Painted, Region

__all__ = ["NO_REGION", "RegionBox"]

NO_REGION = "Paint a region first."
_NO_LABEL = "Choose a region: label 0 erases."


class RegionBox(QWidget):
    """Works on the painted regions of one capture, a `Painted`.

    Signals
    -------
    changed
        Something else than texels was changed.
    """

    changed = Signal()

    def __init__(self, painted: Painted) -> None:
        super().__init__()
        self._painted = painted
        self.table = RegionTable()
        self.paint = QPushButton("Paint regions")
        self.new = QPushButton("New region")
        self.invert = QPushButton("Invert")
        self.remove = QPushButton("Remove")
        self.clear = QPushButton("Clear")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row_of(self.paint, self.new))
        column.addWidget(self.table)
        column.addLayout(row_of(self.invert, self.remove, self.clear))
        self.table.picked.connect(painted.pick)
        self.table.renamed.connect(self._on_renamed)
        self.paint.clicked.connect(self.start_painting)
        self.new.clicked.connect(self._on_new)
        self.invert.clicked.connect(self._on_invert)
        self.remove.clicked.connect(self._on_remove)
        self.clear.clicked.connect(self._on_clear)

    def set_regions(self, regions: Sequence[Region]) -> None:
        """Show the regions, and enable the buttons that are of use."""
        painted = self._painted
        self.table.set_regions(regions, painted.label)
        no_capture = "" if painted.capture is not None else NO_CAPTURE
        no_layer = no_capture or ("" if painted.layer is not None else NO_REGION)
        no_label = no_layer or ("" if painted.label else _NO_LABEL)
        no_texels = no_layer or ("" if any(region.painted for region in regions) else NO_REGION)
        allow(self.paint, "Make a Labels layer over the capture and take the brush", no_capture)
        allow(self.new, "Begin another region, with a colour and a name of its own", no_capture)
        tip = "The region gets all texels that are in no region, and gives up its own"
        allow(self.invert, tip, no_label)
        allow(self.remove, "Erase this region and forget its name", no_label)
        tip = "Erase all regions; names stay. Ctrl-Z in the viewer brings them back"
        allow(self.clear, tip, no_texels)

    def start_painting(self) -> Any:
        """Create the Labels layer if there is none, and select the brush."""
        if self._painted.capture is None:
            show_error(NO_CAPTURE)
            return None
        layer = self._painted.ensure()
        layer.mode = "paint"
        self.changed.emit()
        return layer

    def _on_new(self) -> None:
        if attempt(self._painted.new_region):
            self.start_painting()

    def _on_renamed(self, label: int, name: str) -> None:
        if not attempt(lambda: self._painted.rename(label, name)):
            self.table.restore(label)
        self.changed.emit()

    def _on_invert(self) -> None:
        self._painted.change(inverted(self._painted.data, self._painted.label))

    def _on_clear(self) -> None:
        self._painted.change(np.zeros_like(self._painted.data))

    def _on_remove(self) -> None:
        self._painted.remove(self._painted.label)
        self.changed.emit()
