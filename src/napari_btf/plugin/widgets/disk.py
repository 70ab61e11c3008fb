"""The hemisphere of directions as a stereographic disk. A view: setters in, signals out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QToolTip

from napari_btf.directions import format_angles, vectors_to_angles
from napari_btf.plugin.widgets.disk_picture import DiskPicture
from napari_btf.plugin.widgets.dots import REACH, Dots

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QMouseEvent, QPaintEvent, QResizeEvent
    from qtpy.QtWidgets import QWidget

__all__ = ["Disk"]

#: What lies below the horizon is drawn just outside the rim.
_LOWEST_THETA = 94.0


class Disk(Dots):
    """Directions as dots, seen along the normal: x to the right, y up, radius tan(theta / 2).

    Signals
    -------
    picked
        The number of the dot nearest to a click, or to the pressed mouse as it moves on.
    """

    picked = Signal(int)

    #: Whether the dots are the background of something else.
    _faint = False

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, 120)
        self._vectors = np.empty((0, 3))
        self._points = np.empty((0, 2))
        self._colours: NDArray[np.uint8] | None = None
        self._hollow = np.empty(0, dtype=bool)
        self._last_picked = -1
        # Thousands of dots take a while to paint: they are painted once.
        self._painted: QPixmap | None = None

    def sizeHint(self) -> QSize:
        """A comfortable size; any size from 150 to 400 pixels is legible."""
        return QSize(220, 220)

    @property
    def vectors(self) -> NDArray[np.float64]:
        """The directions that are shown, (N, 3)."""
        return self._vectors

    def set_directions(self, vectors: ArrayLike, colours: ArrayLike | None = None) -> None:
        """Show other directions, none of them marked or hollow.

        Parameters
        ----------
        vectors : array_like, shape (N, 3)
            Unit vectors.
        colours : array_like of uint8, shape (N, 3), optional
            RGB of each dot; by default all have the colour of text.
        """
        self._vectors = np.asarray(vectors, dtype=np.float64).reshape(-1, 3)
        theta, phi = vectors_to_angles(self._vectors)
        radius = np.tan(np.deg2rad(np.minimum(theta, _LOWEST_THETA) / 2.0))
        phi = np.deg2rad(phi)
        self._points = np.stack([radius * np.cos(phi), radius * np.sin(phi)], axis=-1)
        self._colours = None if colours is None else np.asarray(colours, dtype=np.uint8)
        self._hollow = np.zeros(len(self._points), dtype=bool)
        self._marked = -1
        self._point_at(-1)
        self._paint_anew()

    @property
    def colours(self) -> NDArray[np.uint8] | None:
        """The colours of the dots, (N, 3), or None if all have the colour of text."""
        return self._colours

    @property
    def hollow(self) -> NDArray[np.bool_]:
        """Mask of the dots that are circles, (N,)."""
        return self._hollow

    def set_hollow(self, hollow: ArrayLike) -> None:
        """Draw some dots as circles.

        Parameters
        ----------
        hollow : array_like of bool, shape (N,)
        """
        hollow = np.asarray(hollow, dtype=bool)
        if not np.array_equal(hollow, self._hollow):
            self._hollow = hollow
            self._paint_anew()

    def place_of(self, i: int) -> QPointF:
        """Return the position of a dot in the coordinates of the widget."""
        return QPointF(*self._picture().places[i])

    # ----------------------------------------------------------------- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick the nearest dot."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._last_picked = -1
            self._pick(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Report the dot under the mouse, and pick dots while a button is held."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._pick(event.position())
        self._hover(event)

    def _hover(self, event: QMouseEvent) -> None:
        nearest, apart = self._nearest(event.position())
        self._point_at(nearest if apart <= REACH else -1)
        if self._below_mouse >= 0:
            text = format_angles(self._vectors[self._below_mouse])
            QToolTip.showText(event.globalPosition().toPoint(), text, self)
        else:
            QToolTip.hideText()

    def _nearest(self, place: QPointF) -> tuple[int, float]:
        """Return the nearest dot and its distance in pixels; -1 without dots."""
        if not len(self._points):
            return -1, np.inf
        apart = np.linalg.norm(self._picture().places - [place.x(), place.y()], axis=1)
        i = int(np.argmin(apart))
        return i, float(apart[i])

    def _pick(self, place: QPointF) -> None:
        nearest, _ = self._nearest(place)
        if nearest >= 0 and nearest != self._last_picked:
            self._last_picked = nearest
            self.picked.emit(nearest)

    # ----------------------------------------------------------------- painting

    def changeEvent(self, event: QEvent) -> None:
        """Adapt to the theme."""
        super().changeEvent(event)
        self._paint_anew()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Adapt to the new size."""
        super().resizeEvent(event)
        self._paint_anew()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture, then the marks that change with the mouse and the sliders."""
        picture, ratio = self._picture(), self.devicePixelRatioF()
        if self._painted is None or self._painted.devicePixelRatio() != ratio:
            self._painted = picture.paint(ratio)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._painted)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        radius = max(picture.dot_size, 5.0) / 2
        if self._below_mouse >= 0:
            painter.setPen(QPen(picture.ink(1.0), 1.5))
            painter.drawEllipse(self.place_of(self._below_mouse), radius + 3, radius + 3)
        if self._marked >= 0:
            place = self.place_of(self._marked)
            painter.setPen(QPen(picture.accent, 2.0))
            painter.drawEllipse(place, radius + 5, radius + 5)
            painter.setBrush(self._filling(picture))
            painter.drawEllipse(place, radius + 0.5, radius + 0.5)
        painter.end()

    def _filling(self, picture: DiskPicture) -> QBrush:
        """Return the colour inside the highlighted dot: its own one, if colours have a meaning."""
        if self._hollow[self._marked]:
            return self.palette().window()
        if self._colours is None:
            return QBrush(picture.accent)
        return QBrush(QColor(*self._colours[self._marked].tolist()))

    def _picture(self) -> DiskPicture:
        return DiskPicture(
            self.size(),
            self.font(),
            self.palette(),
            self._points,
            self._hollow,
            self._colours,
            self._faint,
        )

    def _paint_anew(self) -> None:
        self._painted = None
        self.update()
