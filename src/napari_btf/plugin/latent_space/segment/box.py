"""The controls of a segmentation into materials, and of a growing selection. A view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from napari_btf.plugin.widgets.section import allow
from napari_btf.plugin.widgets.wrapped_text import Note

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SegmentBox"]

_METHODS = {"k-means": "kmeans", "Gaussian mixture": "gmm", "HDBSCAN": "hdbscan"}
_FEATURES = {"by latents": "latents", "by colour": "chromaticity"}
_BY = "Colour leaves out how bright a texel is: the two sides of a thread or fold stay together"
_START = "Segment the texels into materials by their latents; the materials become a Labels layer"
_GROW = "Take up the texels whose latents are at most so far from those of the selection"
_BEST = "\N{NO-BREAK SPACE}✓"


class SegmentBox(QWidget):
    """Controls of the segmentation, and of growing.

    Signals
    -------
    started, cancelled
    growing
        Whether a preview of the grown selection is wanted.
    grown
        The preview is to become the selection.
    threshold_changed
    """

    started = Signal()
    cancelled = Signal()
    growing = Signal(bool)
    grown = Signal()
    threshold_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.method = QComboBox()
        for name, method in _METHODS.items():
            self.method.addItem(name, method)
        self.method.setToolTip("HDBSCAN finds the number of materials itself")
        self.by = QComboBox()
        for name, features in _FEATURES.items():
            self.by.addItem(name, features)
        self.by.setToolTip(_BY)
        self.number = QSpinBox()
        self.number.setRange(2, 20)
        self.number.setValue(4)
        self.number.setSuffix(" materials")
        self.number.setToolTip("How many materials")
        self.by_silhouette = QCheckBox("choose by silhouette")
        self.by_silhouette.setToolTip(
            "Try several numbers of materials, and take the one with the best silhouette"
        )
        self.start = QPushButton("Segment")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("End the job now; nothing is changed")
        self.note = Note()
        self.preview = QCheckBox("similar texels")
        self.threshold = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(0.0, 1.0)
        self.threshold.setDecimals(2)
        self.grow = QPushButton("Grow selection")
        self._lay_out()
        self.method.currentIndexChanged.connect(self._on_method)
        self.by_silhouette.toggled.connect(self._on_method)
        self.start.clicked.connect(self.started)
        self.cancel.clicked.connect(self.cancelled)
        self.preview.toggled.connect(self._on_preview)
        self.threshold.valueChanged.connect(lambda _: self.threshold_changed.emit())
        self.grow.clicked.connect(self.grown)
        self.set_running(False)
        self.set_allowed("", "")

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        rows = (
            (self.method, self.by),
            (self.by_silhouette, self.number),
            (self.start, self.cancel),
            (self.preview, self.grow),
        )
        for parts in rows:
            row = QHBoxLayout()
            row.addWidget(parts[0], 1)
            for part in parts[1:]:
                row.addWidget(part)
            column.addLayout(row)
        column.insertWidget(3, self.note)
        column.insertWidget(5, self.threshold)
        self.note.hide()

    @property
    def count(self) -> int | None:
        """The number of materials, or None if the method or the silhouette decides."""
        return self.number.value() if self._has_number and not self._is_tried else None

    @property
    def _has_number(self) -> bool:
        return str(self.method.currentData()) != "hdbscan"

    @property
    def _is_tried(self) -> bool:
        return self.by_silhouette.isChecked()

    def set_running(self, running: bool) -> None:
        """Show whether a segmentation runs."""
        self.start.setVisible(not running)
        self.cancel.setVisible(running)

    def set_allowed(self, no_model: str, no_selection: str) -> None:
        """Enable the actions that are possible, and say why others are not."""
        allow(self.start, _START, no_model)
        allow(self.preview, "Show which texels are as near in the latent space", no_selection)
        no_preview = "" if self.preview.isChecked() else "Tick similar texels first."
        for part in (self.threshold, self.grow):
            allow(part, _GROW, no_selection or no_preview)
        self._no_selection = no_selection

    def set_coloured(self, coloured: bool) -> None:
        """Tell whether the model has colours that a segmentation can use."""
        if not coloured:
            self.by.setCurrentIndex(0)
        allow(self.by, _BY, "" if coloured else "The surface is grey")

    def set_range(self, most: float, value: float) -> None:
        """Set the range of the distance, and a sensible value."""
        with QSignalBlocker(self.threshold):
            self.threshold.setRange(0.0, most)
            self.threshold.setValue(min(value, most))

    def show_silhouettes(self, scores: Mapping[int, float], chosen: int) -> None:
        """Show the silhouette scores by number of materials."""
        # Broken between two of them only: the spaces within one are such that hold together.
        texts = [
            f"{k}:\N{NO-BREAK SPACE}{score:.2f}{_BEST * (k == chosen)}"
            for k, score in scores.items()
        ]
        self.say("silhouettes " + "   ".join(texts))

    def show_count(self, count: int, left: int) -> None:
        """Show the number of materials, and of texels that belong to none."""
        if not count:
            self.say("No materials: no texels are much more alike than others. Try k-means.")
            return
        none = f", {left:,} texels belong to none" if left else ""
        self.say(f"{count} material{'s' * (count != 1)}{none}")

    def say(self, text: str) -> None:
        """Show a message below the buttons, or none."""
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _on_method(self) -> None:
        self.by_silhouette.setEnabled(self._has_number)
        self.number.setEnabled(self._has_number and not self._is_tried)

    def _on_preview(self, wanted: bool) -> None:
        self.set_allowed("" if self.start.isEnabled() else self.start.toolTip(), self._no_selection)
        self.growing.emit(wanted)
