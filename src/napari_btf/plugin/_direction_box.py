"""One direction: a disk with a handle, its two angles as numbers, a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_btf.plugin._handle_disk import HandleDisk, tidy
from napari_btf.plugin._section import allow

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from qtpy.QtGui import QResizeEvent

__all__ = ["DirectionBox"]

Angles = tuple[float, float]

#: Pixels that a disk takes.
_LEAST, _MOST = 116, 280
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
        The mouse let go of the handle.
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
        self.lock = QCheckBox("lock")

        head = QHBoxLayout()
        head.addWidget(QLabel(name))
        head.addStretch()
        head.addWidget(self.lock)
        numbers = QFormLayout()
        numbers.setContentsMargins(0, 0, 0, 0)
        numbers.setSpacing(4)
        numbers.addRow("θ", self.theta)
        numbers.addRow("φ", self.phi)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.disk)
        column.addLayout(numbers)

        self.disk.moved.connect(self._on_disk)
        self.disk.released.connect(self.rested)
        self.theta.valueChanged.connect(self._on_numbers)
        self.phi.valueChanged.connect(self._on_numbers)
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
        for number, value in ((self.theta, theta), (self.phi, phi)):
            number.blockSignals(True)
            number.setValue(value)
            number.blockSignals(False)

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
        allow(self.theta, f"Angle of the {self._name} from the surface normal", why_not or held)
        tip = f"Azimuth of the {self._name}, counter-clockwise from right"
        allow(self.phi, tip, why_not or held)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the disk as high as wide: what is below may change, the disk must not jump."""
        super().resizeEvent(event)
        self.disk.setFixedHeight(max(_LEAST, min(self.width(), _MOST)))

    def _on_disk(self, theta: float, phi: float) -> None:
        self.set_angles(theta, phi)
        self.moved.emit()

    def _on_numbers(self, _: float) -> None:
        self.disk.set_angles(*tidy(self.theta.value(), self.phi.value()))
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


class _Azimuth(_Degrees):
    """An angle that goes round."""

    def __init__(self) -> None:
        super().__init__(359.99)
        self.setWrapping(True)

    def stepBy(self, steps: int) -> None:
        """Step over zero: Qt itself would stop there once."""
        self.setValue((self.value() + steps * self.singleStep()) % 360.0)
