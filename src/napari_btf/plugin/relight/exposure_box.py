"""How light is brought to the screen: exposure and gamma."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QWidget

__all__ = ["Development"]

_SRGB = 0.9


class Development(QWidget):
    """Two numbers: the first for radiance and light that is summed, the second for radiance.

    Signals
    -------
    changed
        One of them is another now.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.exposure = QDoubleSpinBox()
        self.exposure.setRange(-16.0, 16.0)
        self.exposure.setSingleStep(0.5)
        self.exposure.setDecimals(2)
        self.exposure.setToolTip("Stops: each one more doubles the light")
        self.gamma = QDoubleSpinBox()
        self.gamma.setRange(_SRGB, 4.0)
        self.gamma.setSingleStep(0.1)
        self.gamma.setDecimals(2)
        self.gamma.setSpecialValueText("sRGB")
        self.gamma.setToolTip("How linear light becomes values of the screen: sRGB, or a power")
        self._labels: dict[QDoubleSpinBox, QLabel] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for name, number in (("exposure", self.exposure), ("gamma", self.gamma)):
            number.setKeyboardTracking(False)
            number.setMinimumWidth(70)
            number.setAccessibleName(name)
            self._labels[number] = QLabel(name)
            row.addWidget(self._labels[number])
            row.addWidget(number, 1)
            number.valueChanged.connect(lambda _: self.changed.emit())
        self.offer(exposure=False, gamma=False)

    def offer(self, *, exposure: bool, gamma: bool) -> None:
        """Show the numbers that make a difference; the others are neutral."""
        for number, is_offered in ((self.exposure, exposure), (self.gamma, gamma)):
            number.setVisible(is_offered)
            self._labels[number].setVisible(is_offered)
        self.setVisible(exposure or gamma)

    @property
    def values(self) -> tuple[float, float | None]:
        """Stops, and gamma or None for sRGB; neutral where they are not offered."""
        stops = 0.0 if self.exposure.isHidden() else self.exposure.value()
        gamma = _SRGB if self.gamma.isHidden() else self.gamma.value()
        return stops, gamma if gamma > _SRGB else None
