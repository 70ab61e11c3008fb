"""A disk of directions with a handle that people drag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QFont, QPainter, QPainterPath, QPen, QRadialGradient
from qtpy.QtWidgets import QToolTip

from napari_btf.directions import (
    angles_to_vectors,
    disk_to_vectors,
    vectors_to_angles,
    vectors_to_disk,
)
from napari_btf.plugin.relight.scene import NORMAL, Direction
from napari_btf.plugin.widgets.disk import Disk

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from qtpy.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPaintEvent, QWheelEvent
    from qtpy.QtWidgets import QWidget

    from napari_btf.plugin.widgets.disk_picture import DiskPicture

__all__ = ["HandleDisk"]

#: Radii of the handle and of the marks of other lamps, in pixels.
_HANDLE, _OTHER = 6.5, 4.5
#: Half of the square around the N on the rim, in pixels.
_NORTH = 9.0
#: Degrees of one notch of the wheel, of an arrow key, and of either with the Shift key.
_SCROLLED, _STEP, _LARGE_STEP = 0.5, 1.0, 5.0
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}


class HandleDisk(Disk):
    """A handle that shows one direction, over faint dots that show the captured directions.

    The handle is dragged, or follows a click; with Shift it goes to the nearest dot. A double
    click or Home takes the handle to the normal, the wheel tilts it (with Shift, turns it), and
    arrow keys move it by one degree (with Shift, by five).

    Parameters
    ----------
    parent : QWidget, optional
    is_cool : bool
        Paint the handle blue instead of orange, so that two disks side by side differ.

    Signals
    -------
    moved
        A person moved the handle to another `Direction`; setters do not emit this signal.
    released
        The mouse button was released.
    """

    moved = Signal(object)
    released = Signal()

    _faint = True

    def __init__(self, parent: QWidget | None = None, *, is_cool: bool = False) -> None:
        super().__init__(parent)
        self._is_cool = is_cool
        self._direction = NORMAL
        self._reach = 90.0
        self._shown: NDArray[np.float64] | None = None
        self._others: tuple[tuple[Direction, QColor], ...] = ()
        self._dragged = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def sizeHint(self) -> QSize:
        """A size of which two fit side by side in a narrow dock."""
        return QSize(140, 140)

    @property
    def direction(self) -> Direction:
        """The direction of the handle."""
        return self._direction

    def set_direction(self, direction: Direction) -> None:
        """Put the handle at a direction."""
        if direction != self._direction:
            self._direction = direction
            self.update()

    def set_reach(self, theta: float) -> None:
        """Shade the directions beyond the largest captured theta, degrees."""
        self._reach = theta
        self.update()

    def set_shown(self, vector: ArrayLike | None) -> None:
        """Mark the direction that the image shows in place of the handle's; None for no mark."""
        shown = None if vector is None else np.asarray(vector, dtype=np.float64)
        if (shown is not None) or (self._shown is not None):
            self._shown = shown
            self.update()

    def set_others(self, others: tuple[tuple[Direction, QColor], ...]) -> None:
        """Mark the directions of other lamps, each in its own colour."""
        if others != self._others:
            self._others = others
            self.update()

    @property
    def handle(self) -> QPointF:
        """The position of the handle in the coordinates of the widget."""
        return self.place_at(*self._direction)

    def place_at(self, theta: float, phi: float) -> QPointF:
        """The position of a direction (degrees) in the coordinates of the widget."""
        x, y = vectors_to_disk(angles_to_vectors(theta, phi)).tolist()
        picture = self._picture()
        return picture.centre + picture.rim * QPointF(x, -y)

    # ----------------------------------------------------------------- mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the handle, which jumps to the mouse."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragged = True
            QToolTip.hideText()
            self._point_at(-1)
            self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the handle while it is held; otherwise tell which dot is under the mouse."""
        if not event.buttons() & Qt.MouseButton.LeftButton:
            self._hover(event)
        elif self._dragged:
            self._drag(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of the handle."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragged = False
            self.update()
            self.released.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Move the handle to the normal; it is not held until the next press."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragged = False
            self._go(0.0, 0.0)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Change theta in fine steps; with Shift, phi."""
        delta = event.angleDelta()
        notches = (delta.y() or delta.x()) / 120.0
        theta, phi = self._direction
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._go(theta, phi + 2 * _SCROLLED * notches)
        else:
            self._go(theta + _SCROLLED * notches, phi)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the handle by one degree in the direction of the arrow on the disk."""
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Home:
            self._go(0.0, 0.0)
        elif key in _ARROWS:
            large = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self._push(np.array(_ARROWS[key]), _LARGE_STEP if large else _STEP)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Show the shortcuts as a tool tip, but not over a dot, which shows its angles."""
        if event.type() == QEvent.Type.ToolTip and self._below_mouse >= 0:
            return True
        return bool(super().event(event))

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Paint the ring that shows the keyboard focus."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Paint the handle without the ring of the keyboard focus."""
        super().focusOutEvent(event)
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        """Let go of the handle when the disk is disabled; follow the theme."""
        if not self.isEnabled():
            self._dragged = False
        super().changeEvent(event)

    def _drag(self, event: QMouseEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and len(self._vectors):
            nearest, _ = self._nearest(event.position())
            theta, phi = vectors_to_angles(self._vectors[nearest])
            self._go(float(theta), float(phi))
            return
        picture = self._picture()
        away = event.position() - picture.centre
        self._go(*_angles_at(np.array([away.x(), -away.y()]) / picture.rim), decimals=1)

    def _push(self, way: NDArray[np.float64], degrees: float) -> None:
        point = vectors_to_disk(self._direction.vector)
        # The projection keeps angles, but a degree is twice as long at the rim as at the centre.
        length = np.deg2rad(degrees) * (1.0 + point @ point) / 2.0
        self._go(*_angles_at(point + length * way))

    def _go(self, theta: float, phi: float, decimals: int = 2) -> None:
        direction = Direction.of(theta, phi, decimals)
        if direction != self._direction:
            self._direction = direction
            self.update()
            self.moved.emit(direction)

    # ----------------------------------------------------------------- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the dots, the shaded rim, the marks of other lamps, and the handle."""
        self._paint_glow()
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        picture, handle = self._picture(), self.handle
        self._paint_north(painter, picture)
        colour = self._colour(picture)
        paper = self.palette().window().color()
        if self._shown is not None:
            theta, phi = vectors_to_angles(self._shown)
            shown = self.place_at(float(theta), float(phi))
            painter.setPen(QPen(colour, 1.2, Qt.PenStyle.DotLine))
            painter.drawLine(shown, handle)
            painter.setPen(QPen(colour, 1.6))
            painter.setBrush(paper)
            painter.drawEllipse(shown, 4.0, 4.0)
        for other, own in self._others:
            painter.setPen(QPen(picture.ink(0.8), 1.2))
            painter.setBrush(own)
            painter.drawEllipse(self.place_at(*other), _OTHER, _OTHER)
        size = _HANDLE + (1.5 if self._dragged else 0.0)
        if self.hasFocus():
            painter.setPen(QPen(colour, 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(handle, size + 3.5, size + 3.5)
        painter.setPen(QPen(paper, 1.5))
        painter.setBrush(colour)
        painter.drawEllipse(handle, size, size)
        painter.end()

    def _paint_north(self, painter: QPainter, picture: DiskPicture) -> None:
        """Mark where light comes from the top of the image: an N on the rim."""
        painter.setPen(picture.ink(0.75))
        font = QFont(self.font())
        font.setPointSizeF(0.8 * font.pointSizeF())
        font.setBold(True)
        painter.setFont(font)
        top = picture.centre - QPointF(0.0, picture.rim)
        half = QPointF(_NORTH, _NORTH)
        painter.drawText(QRectF(top - half, top + half), Qt.AlignmentFlag.AlignCenter, "N")

    def _colour(self, picture: DiskPicture) -> QColor:
        if not self.isEnabled():
            return picture.ink(0.45)
        if not self._is_cool:
            return picture.accent
        dark = self.palette().window().color().lightnessF() < 0.5
        return QColor(95, 180, 255) if dark else QColor(0, 95, 190)

    def _paint_glow(self) -> None:
        """Paint the background: a glow around the handle, and the shade beyond the reach."""
        picture = self._picture()
        centre, rim = picture.centre, picture.rim
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        glow = QRadialGradient(self.handle, 1.1 * rim)
        near = self._colour(picture)
        for place, strength in ((0.0, 0.55), (0.35, 0.24), (1.0, 0.0)):
            near.setAlphaF(strength if self.isEnabled() else strength / 4)
            glow.setColorAt(place, near)
        painter.setBrush(QBrush(glow))
        painter.drawEllipse(centre, rim, rim)
        if self._reach < 89.9:
            inner = rim * float(np.tan(np.deg2rad(self._reach) / 2.0))
            ring = QPainterPath()
            ring.addEllipse(centre, rim, rim)
            ring.addEllipse(centre, inner, inner)
            painter.setBrush(picture.ink(0.12))
            painter.drawPath(ring)
        painter.end()


def _angles_at(point: NDArray[np.float64]) -> tuple[float, float]:
    """Theta and phi of a point of the disk; of the nearest point of the rim for one outside."""
    radius = float(np.linalg.norm(point))
    theta, phi = vectors_to_angles(disk_to_vectors(point / max(1.0, radius)))
    return float(theta), float(phi)
