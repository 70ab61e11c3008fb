"""Turn the selection into a region, or a region into the selection. A view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_btf.plugin.widgets.section import allow
from napari_btf.plugin.widgets.wrapped_text import Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SelectionBox"]

_KEEP = "Paint the selected texels as a region: Select texels and Train know it by this name"
_FROM = "Select the texels of a painted region, or of a material"
_FOLLOW = "While a region is painted in the viewer, its texels are selected"
_NOTHING = "Select texels first: draw around points."


class SelectionBox(QWidget):
    """The number of selected texels, a name to keep them under, and the regions.

    Signals
    -------
    kept
        The selection is to become the region of this name.
    region_wanted
        The texels of a label are to be selected, of the regions ("region") or of the materials
        ("material").
    """

    kept = Signal(str)
    region_wanted = Signal(str, int)

    def __init__(self) -> None:
        super().__init__()
        self._offered: list[tuple[str, int]] = []
        self.count = Note()
        self.show_lit = QCheckBox("show in the images")
        self.show_lit.setChecked(True)
        self.show_lit.setToolTip("Light the selected texels up in all images of the surface")
        self.follow = QCheckBox("follow the brush")
        self.follow.setChecked(True)
        self.follow.setToolTip(_FOLLOW)
        self.name = QLineEdit()
        self.name.setPlaceholderText("name")
        self.keep = QPushButton("Keep as region")
        self.regions = QComboBox()
        self.regions.setToolTip("The regions painted over the surface")
        self.take = QPushButton("Select region")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.count)
        for parts in (
            (self.show_lit, self.follow),
            (self.name, self.keep),
            (self.regions, self.take),
        ):
            row = QHBoxLayout()
            row.addWidget(parts[0], 1)
            row.addWidget(parts[1])
            column.addLayout(row)
        self.keep.clicked.connect(self._on_keep)
        self.name.returnPressed.connect(self._on_keep)
        self.take.clicked.connect(self._on_take)
        self.set_count(0, 0)
        self.set_regions({}, ())

    def set_count(self, count: int, total: int) -> None:
        """Show how many of all texels are selected."""
        self.count.setText(f"{count:,} of {total:,} texels selected")
        allow(self.keep, _KEEP, "" if count else _NOTHING)

    def set_regions(self, names: Mapping[int, str], materials: Sequence[int]) -> None:
        """Offer regions (names by label) and materials (labels); the chosen one stays."""
        before = self.regions.currentText()
        self._offered = [("region", label) for label in names]
        self._offered += [("material", label) for label in materials]
        texts = [*names.values(), *(f"material {label}" for label in materials)]
        with QSignalBlocker(self.regions):
            self.regions.clear()
            self.regions.addItems(texts or ["no region is painted"])
            self.regions.setCurrentIndex(max(0, self.regions.findText(before)))
        self.regions.setEnabled(bool(texts))
        allow(self.take, _FROM, "" if texts else "Paint a region first, or keep a selection.")

    def _on_keep(self) -> None:
        if self.keep.isEnabled():
            self.kept.emit(self.name.text())
            self.name.clear()

    def _on_take(self) -> None:
        i = self.regions.currentIndex()
        if 0 <= i < len(self._offered):
            self.region_wanted.emit(*self._offered[i])
