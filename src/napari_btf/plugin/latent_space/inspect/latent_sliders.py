"""Sliders for the leading latents, which show the effect of each. A view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QSlider, QWidget

from napari_btf.plugin.widgets.section import allow

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LatentSliders"]

#: Sliders, steps to each side, and how many standard deviations that is.
COUNT, _STEPS, _REACH = 4, 50, 3.0

_TIP = "Added to this latent of the selected texels, in standard deviations"


class LatentSliders(QWidget):
    """Changes latents of the selected texels; the model stays unchanged.

    Signals
    -------
    changed
        A slider moved, or all are at rest again.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._latents: tuple[int, ...] = ()
        self._why_not = ""
        self.labels = [QLabel() for _ in range(COUNT)]
        self.sliders = [QSlider(Qt.Orientation.Horizontal) for _ in range(COUNT)]
        self.values = [QLabel() for _ in range(COUNT)]
        self.reset = QPushButton("Reset")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        rows = zip(self.labels, self.sliders, self.values, strict=True)
        for i, (label, slider, value) in enumerate(rows):
            slider.setRange(-_STEPS, _STEPS)
            slider.valueChanged.connect(self._on_moved)
            # The sliders keep their length while the numbers change.
            value.setMinimumWidth(value.fontMetrics().horizontalAdvance("+3.00 σ"))
            for column, part in enumerate((label, slider, value)):
                grid.addWidget(part, i, column)
        grid.addWidget(self.reset, COUNT, 1)
        self.reset.clicked.connect(self.rest)
        self.set_latents(())

    @property
    def offsets(self) -> dict[int, float]:
        """Standard deviations that are added, by index of the latent, without zeros."""
        moved = zip(self._latents, self.sliders, strict=False)
        return {
            latent: _REACH * slider.value() / _STEPS for latent, slider in moved if slider.value()
        }

    def set_latents(self, latents: Sequence[int]) -> None:
        """Set the latents to change, at most one for each slider; all sliders return to 0."""
        self._latents = tuple(latents)[:COUNT]
        rows = zip(self.labels, self.sliders, self.values, strict=True)
        for i, row in enumerate(rows):
            for part in row:
                part.setVisible(i < len(self._latents))
            if i < len(self._latents):
                row[0].setText(f"latent {self._latents[i]}")
                row[1].setAccessibleName(f"latent {self._latents[i]}")
        self.rest()

    def set_allowed(self, why_not: str) -> None:
        """Enable the sliders, or say why latents cannot be changed."""
        self._why_not = why_not
        self._show_state()

    def rest(self) -> None:
        """Return all sliders to 0."""
        moved = bool(self.offsets)
        for slider in self.sliders:
            with QSignalBlocker(slider):
                slider.setValue(0)
        self._show_state()
        if moved:
            self.changed.emit()

    def _on_moved(self) -> None:
        self._show_state()
        self.changed.emit()

    def _show_state(self) -> None:
        for slider, value in zip(self.sliders, self.values, strict=True):
            allow(slider, _TIP, self._why_not)
            value.setText(f"{_REACH * slider.value() / _STEPS:+.2f} σ")
        at_rest = "" if self.offsets else "No latent is moved."
        allow(self.reset, "Show the surface as it is again", self._why_not or at_rest)
