"""The regions as a table: colour, name, number of texels. A view: setters in, signals out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QPaintEvent

    from napari_btf.plugin.viewer.painted import Region

__all__ = ["RegionTable"]

_MOST_ROWS, _LEAST_ROWS = 6, 2
_SWATCH = 14


class RegionTable(QTableWidget):
    """The table of regions; a click picks one, a double click edits its name.

    Signals
    -------
    picked
        The label of a row that was clicked, or reached by a key.
    renamed
        A label and what was typed as its name.
    """

    picked = Signal(int)
    renamed = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 2, parent)
        self._regions: tuple[Region, ...] = ()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setIconSize(QSize(_SWATCH, _SWATCH))
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.hide()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setToolTip("Click a region to paint it, double-click to name it")
        self.currentCellChanged.connect(self._on_current)
        self.cellClicked.connect(lambda row, _: self._on_current(row))
        self.itemChanged.connect(self._on_item)
        self._fit_height()

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions in the table."""
        return self._regions

    def set_regions(self, regions: Sequence[Region], current: int) -> None:
        """Show other regions, and mark the one that is painted."""
        regions = tuple(regions)
        with QSignalBlocker(self):
            if regions != self._regions:
                self._show(regions)
            labels = [region.label for region in regions]
            if current in labels:
                self.setCurrentCell(labels.index(current), 0)
            else:
                self.setCurrentCell(-1, -1)

    def _show(self, regions: tuple[Region, ...]) -> None:
        # A name that is being typed stays open while counts change.
        if [region.label for region in regions] != [region.label for region in self._regions]:
            self.setRowCount(0)
            self.setRowCount(len(regions))
        for row, region in enumerate(regions):
            before = self._regions[row] if row < len(self._regions) else None
            name, count = self.item(row, 0), self.item(row, 1)
            if name is None or count is None:
                name, count, before = QTableWidgetItem(), QTableWidgetItem(), None
                self.setItem(row, 0, name)
                self.setItem(row, 1, count)
                count.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
                count.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if name.text() != region.name:
                name.setText(region.name)
            if before is None or before.colour != region.colour:
                name.setIcon(_swatch(region.colour))
            count.setText(region.count_text)
        self._regions = regions
        self._fit_height()

    def restore(self, label: int) -> None:
        """Show the name of a region again in place of the text that was typed."""
        for row, region in enumerate(self._regions):
            if region.label == label:
                with QSignalBlocker(self):
                    self.item(row, 0).setText(region.name)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Explain what belongs here while there is no region."""
        super().paintEvent(event)
        if not self._regions:
            painter = QPainter(self.viewport())
            painter.setOpacity(0.5)
            painter.setPen(self.palette().windowText().color())
            place = self.viewport().rect().adjusted(8, 0, -8, 0)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, "the regions you paint")
            painter.end()

    def _fit_height(self) -> None:
        rows = min(_MOST_ROWS, max(_LEAST_ROWS, len(self._regions)))
        row = max(self.verticalHeader().defaultSectionSize(), 22)
        self.verticalHeader().setDefaultSectionSize(row)
        self.setFixedHeight(rows * row + 2 * self.frameWidth())

    def _on_current(self, row: int, *_: int) -> None:
        if 0 <= row < len(self._regions):
            self.picked.emit(self._regions[row].label)

    def _on_item(self, item: QTableWidgetItem) -> None:
        if item.column() == 0 and item.row() < len(self._regions):
            region = self._regions[item.row()]
            if item.text() != region.name:
                self.renamed.emit(region.label, item.text())


def _swatch(colour: tuple[float, float, float]) -> QIcon:
    picture = QPixmap(_SWATCH, _SWATCH)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor.fromRgbF(*colour))
    painter.drawRoundedRect(0, 0, _SWATCH, _SWATCH, 3, 3)
    painter.end()
    return QIcon(picture)
