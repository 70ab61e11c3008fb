"""The controls of a `Sampling`. A view: setters in, one signal out."""

from __future__ import annotations

from magicgui.widgets import ComboBox, SpinBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLabel, QSizePolicy, QWidget

from napari_btf.texels.sampling import Sampling

__all__ = ["SamplingBox"]

#: Of a step, and of what spin boxes hold.
_MOST_STEP, _MOST = 1000, 2**31 - 1

BY_STEP, AT_RANDOM = "every", "at random"


class SamplingBox(QWidget):
    """Keeps one of every n texels, or a number of random ones.

    Signals
    -------
    changed
        The `Sampling` that the controls say.
    """

    changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.way = ComboBox(choices=(BY_STEP, AT_RANDOM), value=BY_STEP)
        self.way.tooltip = (
            "Which of the painted texels to keep: regularly spaced ones, or random ones"
        )
        self.step = SpinBox(value=1, min=1, max=_MOST_STEP)
        self.step.tooltip = "Keep one texel of this many, along rows and along columns"
        self.number = SpinBox(value=1000, min=1, max=_MOST)
        self.number.tooltip = (
            "Number of texels to keep; they come from the whole image if nothing is painted"
        )
        self.seed = SpinBox(value=0, min=0, max=_MOST)
        self.seed.tooltip = "Seed of the random choice: the same seed keeps the same texels"
        self.each = QCheckBox("for each region")
        self.each.setToolTip(
            "Sample each region separately, with its own grid or its own number of texels"
        )

        # The row reads as it is spoken: every 3 rd texel, at random 1000 texels.
        self.unit = QLabel()
        row = QHBoxLayout()
        row.addWidget(self.way.native, 1)
        row.addWidget(self.step.native, 2)
        row.addWidget(self.number.native, 2)
        row.addWidget(self.unit)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("keep", row)
        form.addRow("seed", self.seed.native)
        form.addRow("", self.each)
        self._seed_row = form.labelForField(self.seed.native), self.seed.native

        for box in (self.step, self.number, self.seed):
            # Not as wide as the largest number.
            box.native.setMinimumWidth(100)
            box.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for control in (self.way, self.step, self.number, self.seed):
            control.changed.connect(self._on_changed)
        self.each.toggled.connect(self._on_changed)
        self._show_way()

    @property
    def sampling(self) -> Sampling:
        """The `Sampling` that the controls show."""
        at_random = self.way.value == AT_RANDOM
        return Sampling(
            self.step.value,
            self.number.value if at_random else None,
            self.seed.value,
            self.each.isChecked(),
        )

    def set_sampling(self, sampling: Sampling) -> None:
        """Show another `Sampling`, without a signal."""
        self.blockSignals(True)
        self.way.value = BY_STEP if sampling.count is None else AT_RANDOM
        self.step.value = min(sampling.step, _MOST_STEP)
        if sampling.count is not None:
            self.number.value = min(sampling.count, _MOST)
        self.seed.value = min(sampling.seed, _MOST)
        self.each.setChecked(sampling.each_region)
        self.blockSignals(False)

    def _on_changed(self, _: object = None) -> None:
        self._show_way()
        self.changed.emit(self.sampling)

    def _show_way(self) -> None:
        at_random = self.way.value == AT_RANDOM
        self.unit.setText("texels" if at_random else f"{_ordinal(self.step.value)} texel".strip())
        self.step.native.setVisible(not at_random)
        self.number.native.setVisible(at_random)
        for part in self._seed_row:
            part.setVisible(at_random)


def _ordinal(number: int) -> str:
    """Return the ending of an ordinal number, such as the "rd" of 3rd; "" for 1."""
    if number == 1:
        return ""
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
