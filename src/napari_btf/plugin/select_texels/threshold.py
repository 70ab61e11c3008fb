"""The controls of a threshold on a statistic over directions. A view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from magicgui.widgets import ComboBox
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget
from superqt import QLabeledDoubleRangeSlider

from napari_btf.plugin.widgets.section import allow
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.texels.regions import Surface, ranked, suggested_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Threshold"]

MEAN, VARIANCE = "mean", "variance"


class Threshold(QWidget):
    """The statistic, and the two quantiles between which texels are chosen. A view.

    Signals
    -------
    wanted
        Whether a preview is wanted.
    changed
        The mask is another one.
    applied
        The mask is to be painted; whether as a new region.
    """

    wanted = Signal(bool)
    changed = Signal()
    applied = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._surface: Surface | None = None
        self._ranks: dict[str, NDArray[np.float32]] = {}
        self._why_not = ""
        self.preview = QCheckBox("preview")
        self.statistic = ComboBox(choices=(MEAN, VARIANCE), value=MEAN)
        self.statistic.tooltip = "Brightness, or how much it changes with light and view"
        self.band = QLabeledDoubleRangeSlider(Qt.Orientation.Horizontal)
        self.band.setRange(0, 100)
        self.band.setDecimals(0)
        self.band.setValue((50.0, 100.0))
        self.band.setEdgeLabelMode(QLabeledDoubleRangeSlider.EdgeLabelMode.NoLabel)
        self.note = Note()
        self.add = QPushButton("Add to region")
        self.new = QPushButton("As new region")
        top = QHBoxLayout()
        top.addWidget(self.preview)
        top.addWidget(self.statistic.native, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add)
        buttons.addWidget(self.new)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for item in (top, buttons):
            column.addLayout(item)
        # The numbers stand over the handles, and half beside them at the ends.
        self.band.setContentsMargins(0, 0, 14, 0)
        column.insertWidget(1, self.band)
        column.insertWidget(2, self.note)
        self.preview.toggled.connect(self._on_toggled)
        self.statistic.changed.connect(self._on_statistic)
        self.band.valueChanged.connect(self._on_band)
        self.add.clicked.connect(lambda: self.applied.emit(False))
        self.new.clicked.connect(lambda: self.applied.emit(True))
        self.set_allowed("")

    @property
    def ready(self) -> bool:
        """Whether the statistics of a surface are known."""
        return self._surface is not None

    def forget(self) -> None:
        """Forget the statistics."""
        self._surface, self._ranks = None, {}
        self.set_allowed(self._why_not)

    def set_surface(self, surface: Surface) -> None:
        """Take the statistics of a surface."""
        if surface is not self._surface:
            self._surface, self._ranks = surface, {}
            self._suggest()
        self.set_allowed(self._why_not)

    def set_allowed(self, why_not: str) -> None:
        """Enable the controls that can be used now."""
        self._why_not = why_not
        allow(self.preview, "Look at the surface and show which texels it would be", why_not)
        if not why_not and not (self.ready and self.preview.isChecked()):
            why_not = "Tick the preview first."
        allow(self.statistic.native, self.statistic.tooltip or "", why_not)
        allow(self.band, "Texels between these shares of all, from the least to the most", why_not)
        allow(self.add, "Paint these texels with the region chosen above", why_not)
        allow(self.new, "Paint these texels with a new region", why_not)
        self.note.setVisible(not why_not)
        self._show_count()

    def mask(self) -> NDArray[np.bool_] | None:
        """The mask of the texels between both thresholds, or None without statistics."""
        ranks = self._current_ranks()
        if ranks is None:
            return None
        low, high = self.band.value()
        return np.asarray((ranks >= low) & (ranks <= high))

    def _current_ranks(self) -> NDArray[np.float32] | None:
        if self._surface is None:
            return None
        kind = self.statistic.value
        if kind not in self._ranks:
            self._ranks[kind] = ranked(self._values())
        return self._ranks[kind]

    def _values(self) -> NDArray[np.float32]:
        assert self._surface is not None
        return self._surface.mean if self.statistic.value == MEAN else self._surface.variance

    def _suggest(self) -> None:
        self.band.setValue((round(suggested_share(self._values())), 100.0))

    def _on_toggled(self, wanted: bool) -> None:
        self.set_allowed(self._why_not)
        self.wanted.emit(wanted)

    def _on_statistic(self) -> None:
        if self._surface is not None:
            self._suggest()
            self._on_band()

    def _on_band(self) -> None:
        self._show_count()
        self.changed.emit()

    def _show_count(self) -> None:
        mask = self.mask()
        if mask is not None:
            self.note.setText(f"{np.count_nonzero(mask):,} of {mask.size:,} texels")
