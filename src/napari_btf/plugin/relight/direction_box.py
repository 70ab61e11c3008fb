"""One direction: a disk with a handle, two angles as spin boxes and as sliders, and a lock."""

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

from napari_btf.plugin.relight.handle_disk import HandleDisk
from napari_btf.plugin.relight.scene import Direction
from napari_btf.plugin.widgets.section import allow

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from qtpy.QtGui import QResizeEvent, QWheelEvent

__all__ = ["DirectionBox"]

#: The smallest and the largest height of the disk, in pixels.
_LEAST, _MOST = 116, 280
#: The degrees between two neighbouring positions of a slider.
_STEP = 0.01
#: The largest azimuth, since 360 is 0.
_MOST_PHI = 359.99
_HOW = (
    "Drag the handle; with Shift it goes to captured directions. Double-click: go to the normal. "
    "Scroll: change theta; with Shift: change phi. Arrow keys: move one degree; with Shift: five."
)


class DirectionBox(QWidget):
    """Shows one direction and lets people change it; its owner decides what follows.

    Parameters
    ----------
    name : str
        "light" or "view".

    Signals
    -------
    moved
        A person chose another `Direction`; `set_direction` does not emit this signal.
    rested
        A person released the handle or a slider.
    locked
        A person opened or closed the lock: whether it is closed now.
    """

    moved = Signal(object)
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
        self._lay_out()

        self.disk.moved.connect(self._on_disk)
        self.disk.released.connect(self.rested)
        for number in (self.theta, self.phi):
            number.valueChanged.connect(self._on_numbers)
        for slider in (self.theta_slider, self.phi_slider):
            slider.valueChanged.connect(self._on_sliders)
            slider.sliderReleased.connect(self.rested)
        self.lock.toggled.connect(self._on_lock)
        self.set_why_not("")

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(QLabel(self._name))
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

    def set_direction(self, direction: Direction) -> None:
        """Show a direction."""
        self.disk.set_direction(direction)
        for number, slider, value in (
            (self.theta, self.theta_slider, direction.theta),
            (self.phi, self.phi_slider, direction.phi),
        ):
            with QSignalBlocker(number), QSignalBlocker(slider):
                number.setValue(value)
                slider.setValue(round(value / _STEP))

    def set_captured(self, vectors: ArrayLike, reach: float) -> None:
        """Show the captured directions.

        Parameters
        ----------
        vectors : array_like, shape (N, 3)
            Unit vectors.
        reach : float
            Their largest angle from the normal, degrees.
        """
        vectors = np.asarray(vectors)
        if not np.array_equal(vectors, self.disk.vectors):
            self.disk.set_directions(vectors)
        self.disk.set_reach(reach)

    def set_locked(self, is_locked: bool) -> None:
        """Show an open or a closed lock."""
        with QSignalBlocker(self.lock):
            self.lock.setChecked(is_locked)
        self.set_why_not(self._why_not)

    def set_why_not(self, why_not: str) -> None:
        """Disable the whole box for a reason, or enable it again with ""."""
        self._why_not = why_not
        locked = f"The {self._name} is locked" if self.lock.isChecked() else ""
        allow(self.lock, f"Keep the {self._name} where it is", why_not)
        # Shown where no dot is under the mouse, because dots have tool tips of their own.
        self.disk.setToolTip(why_not or locked or _HOW)
        self.disk.setEnabled(not (why_not or locked))
        self.disk.setAccessibleDescription(why_not or locked or _HOW)
        self.setToolTip(why_not)
        tip = f"Theta: the angle between the {self._name} and the surface normal"
        allow(self.theta, tip, why_not or locked)
        allow(self.theta_slider, tip, why_not or locked)
        tip = f"Phi: the azimuth of the {self._name}, counter-clockwise from the right"
        allow(self.phi, tip, why_not or locked)
        allow(self.phi_slider, tip, why_not or locked)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the disk square, so that it does not jump when the widgets below it change."""
        super().resizeEvent(event)
        self.disk.setFixedHeight(max(_LEAST, min(self.width(), _MOST)))

    def _on_disk(self, direction: Direction) -> None:
        self._tell(direction)

    def _on_numbers(self, _: float) -> None:
        self._tell(Direction.of(self.theta.value(), self.phi.value()))

    def _on_sliders(self, _: int) -> None:
        theta, phi = self.theta_slider.value() * _STEP, self.phi_slider.value() * _STEP
        self._tell(Direction.of(theta, phi))

    def _tell(self, direction: Direction) -> None:
        # All parts of the box agree before anybody hears of the direction.
        self.set_direction(direction)
        self.moved.emit(direction)

    def _on_lock(self, is_locked: bool) -> None:
        self.set_why_not(self._why_not)
        self.locked.emit(is_locked)


class _Degrees(QDoubleSpinBox):
    """An angle in degrees, written without trailing zeros."""

    def __init__(self, most: float) -> None:
        super().__init__()
        self.setRange(0.0, most)
        self.setDecimals(2)
        self.setSingleStep(1.0)
        self.setSuffix("°")
        # The value does not change at each digit that is typed.
        self.setKeyboardTracking(False)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumWidth(70)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def textFromValue(self, value: float) -> str:
        """Write the number."""
        return f"{value:g}"


class _AngleSlider(QSlider):
    """An angle in hundredths of a degree, the resolution of the spin boxes."""

    def __init__(self, most: float) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setRange(0, round(most / _STEP))
        self.setSingleStep(round(1.0 / _STEP))
        self.setPageStep(round(10.0 / _STEP))
        # A dock may be narrower than the preferred width of a slider.
        self.setMinimumWidth(40)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Leave the wheel to the dock, which scrolls."""
        if event is not None:
            event.ignore()


class _Azimuth(_Degrees):
    """An angle that starts again at 0 after 360 degrees."""

    def __init__(self) -> None:
        super().__init__(_MOST_PHI)
        self.setWrapping(True)

    def stepBy(self, steps: int) -> None:
        """Step across zero, where the spin box of Qt would stop once."""
        self.setValue((self.value() + steps * self.singleStep()) % 360.0)
