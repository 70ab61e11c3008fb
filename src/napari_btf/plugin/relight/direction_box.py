"""One direction: a disk with a handle, its two angles as numbers and on sliders, a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_btf.plugin.relight.handle_disk import HandleDisk, tidy
from napari_btf.plugin.widgets.section import allow

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from qtpy.QtGui import QResizeEvent, QWheelEvent

__all__ = ["DirectionBox"]

Angles = tuple[float, float]

#: Pixels that a disk takes.
_LEAST, _MOST = 116, 280
#: Degrees from one place of a slider to the next; 360 is 0.
_STEP = 0.01
_MOST_PHI = 359.99
_HOW = (
    "Drag the handle. With Shift it goes to captured directions. Double click: normal. "
    "Scroll: tilt, with Shift: turn. Arrow keys: one degree, with Shift: five."
)


class DirectionBox(QWidget):
    """Shows a direction and lets people change it; whoever owns it decides what that means.

    Parameters
    ----------
    name : str
        "light" or "view".

    Signals
    -------
    moved
        A hand changed the direction; `set_angles` does not tell.
    rested
        The mouse let go of the handle, or of a slider.
    locked
        Whether it is locked now.
    """

    moved = Signal()
    rested = Signal()
    locked = Signal(bool)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._why_not = ""
        self.disk = HandleDisk(is_cool=name == "view")
        self.disk.setMinimumSize(_LEAST, _LEAST)
        self.disk.setAccessibleName(name)
        self.theta, self.phi = _Degrees(90.0), _Azimuth()
        self.theta.setAccessibleName(f"{name} theta")
        self.phi.setAccessibleName(f"{name} phi")
        self.theta_slider, self.phi_slider = _AngleSlider(90.0), _AngleSlider(_MOST_PHI)
        self.theta_slider.setAccessibleName(f"{name} theta slider")
        self.phi_slider.setAccessibleName(f"{name} phi slider")
        self.lock = QCheckBox("lock")

        head = QHBoxLayout()
        head.addWidget(QLabel(name))
        head.addStretch()
        head.addWidget(self.lock)
        numbers = QFormLayout()
        numbers.setContentsMargins(0, 0, 0, 0)
        numbers.setSpacing(4)
        numbers.addRow("θ", self.theta)
        numbers.addRow(self.theta_slider)
        numbers.addRow("φ", self.phi)
        numbers.addRow(self.phi_slider)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.disk)
        column.addLayout(numbers)

        self.disk.moved.connect(self._on_disk)
        self.disk.released.connect(self.rested)
        for number in (self.theta, self.phi):
            number.valueChanged.connect(self._on_numbers)
        for slider in (self.theta_slider, self.phi_slider):
            slider.valueChanged.connect(self._on_sliders)
            slider.sliderReleased.connect(self.rested)
        self.lock.toggled.connect(self._on_lock)
        self.set_why_not("")

    @property
    def angles(self) -> Angles:
        """Theta and phi, degrees, as the numbers say."""
        return self.disk.angles

    @property
    def is_free(self) -> bool:
        """Whether it may be changed."""
        return not (self._why_not or self.lock.isChecked())

    def set_angles(self, theta: float, phi: float) -> None:
        """Show a direction; nobody is told."""
        theta, phi = tidy(theta, phi)
        self.disk.set_angles(theta, phi)
        for number, slider, value in (
            (self.theta, self.theta_slider, theta),
            (self.phi, self.phi_slider, phi),
        ):
            with QSignalBlocker(number), QSignalBlocker(slider):
                number.setValue(value)
                slider.setValue(round(value / _STEP))

    def set_captured(self, vectors: ArrayLike, reach: float) -> None:
        """Show captured directions (N, 3), and how far from the normal they go, degrees."""
        vectors = np.asarray(vectors)
        if not np.array_equal(vectors, self.disk.vectors):
            self.disk.set_directions(vectors)
        self.disk.set_reach(reach)

    def set_why_not(self, why_not: str) -> None:
        """Disable everything for a reason, or enable it again."""
        self._why_not = why_not
        held = f"The {self._name} is locked" if self.lock.isChecked() else ""
        allow(self.lock, f"Keep the {self._name} where it is", why_not)
        # A tool tip of the disk would hide those of the dots.
        self.disk.setEnabled(not (why_not or held))
        self.disk.setAccessibleDescription(why_not or held or _HOW)
        self.setToolTip(why_not)
        tip = f"Angle of the {self._name} from the surface normal"
        allow(self.theta, tip, why_not or held)
        allow(self.theta_slider, tip, why_not or held)
        tip = f"Azimuth of the {self._name}, counter-clockwise from right"
        allow(self.phi, tip, why_not or held)
        allow(self.phi_slider, tip, why_not or held)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the disk as high as wide: what is below may change, the disk must not jump."""
        super().resizeEvent(event)
        self.disk.setFixedHeight(max(_LEAST, min(self.width(), _MOST)))

    def _on_disk(self, theta: float, phi: float) -> None:
        self.set_angles(theta, phi)
        self.moved.emit()

    def _on_numbers(self, _: float) -> None:
        self.set_angles(self.theta.value(), self.phi.value())
        self.moved.emit()

    def _on_sliders(self, _: int) -> None:
        self.set_angles(self.theta_slider.value() * _STEP, self.phi_slider.value() * _STEP)
        self.moved.emit()

    def _on_lock(self, is_locked: bool) -> None:
        self.set_why_not(self._why_not)
        self.locked.emit(is_locked)


class _Degrees(QDoubleSpinBox):
    """An angle, without decimals that are zero."""

    def __init__(self, most: float) -> None:
        super().__init__()
        self.setRange(0.0, most)
        self.setDecimals(2)
        self.setSingleStep(1.0)
        self.setSuffix("°")
        # Not at each digit that is typed.
        self.setKeyboardTracking(False)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumWidth(70)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def textFromValue(self, value: float) -> str:
        """Write the number."""
        return f"{value:g}"


class _AngleSlider(QSlider):
    """An angle in hundredths of a degree, as fine as the numbers beside it."""

    def __init__(self, most: float) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setRange(0, round(most / _STEP))
        self.setSingleStep(round(1.0 / _STEP))
        self.setPageStep(round(10.0 / _STEP))
        # A dock may be narrower than a slider likes to be.
        self.setMinimumWidth(40)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Leave the wheel to the dock, which scrolls."""
        if event is not None:
            event.ignore()


class _Azimuth(_Degrees):
    """An angle that goes round."""

    def __init__(self) -> None:
        super().__init__(_MOST_PHI)
        self.setWrapping(True)

    def stepBy(self, steps: int) -> None:
        """Step over zero: Qt itself would stop there once."""
        self.setValue((self.value() + steps * self.singleStep()) % 360.0)
