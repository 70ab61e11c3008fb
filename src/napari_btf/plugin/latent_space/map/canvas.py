"""The canvas of the map: points to look at, to point at, and to select. A view.

Qt paints it, instead of a second OpenGL canvas, because a dock that is torn off its window takes
the OpenGL context of such a canvas with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPainterPath, QPen, QPolygonF

from napari_btf.embedding import PointIndex, in_polygon
from napari_btf.plugin.latent_space.map.picture import MapView, map_picture
from napari_btf.plugin.viewer.selection import LIT
from napari_btf.plugin.widgets.dots import REACH, Dots

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QMouseEvent, QPaintEvent, QResizeEvent, QWheelEvent
    from qtpy.QtWidgets import QWidget

    from napari_btf.plugin.viewer.selection import How

__all__ = ["MODES", "MapCanvas", "Mode"]

Mode = Literal["lasso", "rectangle", "click", "move"]
MODES: tuple[Mode, ...] = ("lasso", "rectangle", "click", "move")

#: A press that moves less is a click, in pixels.
_STILL = 4.0
#: Of one notch of a wheel.
_ZOOM = 1.2

_LEFT = Qt.MouseButton.LeftButton


class MapCanvas(Dots):
    """Shows points (T, 2), y up. The left button selects, the others pan, the wheel zooms.

    Shift adds to the selection, Alt or Ctrl subtracts from it.

    Signals
    -------
    chosen
        A mask of the points (T,), and a `How`.
    picked
        The number of a clicked point.
    """

    chosen = Signal(object, str)
    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, 220)
        self._points = np.empty((0, 2), dtype=np.float32)
        self._colours = np.empty((0, 3), dtype=np.uint8)
        self._selected = np.empty(0, dtype=bool)
        self._index: PointIndex | None = None
        self._mode: Mode = "lasso"
        self._picking = False
        self._view: MapView | None = None
        self._whole: MapView | None = None
        self._picture: QImage | None = None
        self._ends: tuple[int, ...] = ()
        self._path: list[QPointF] = []
        self._last: QPointF | None = None
        self._hint = ""
        self.setAccessibleName("latent space")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    def sizeHint(self) -> QSize:
        """A comfortable size."""
        return QSize(360, 320)

    # ----------------------------------------------------------------- setters

    @property
    def points(self) -> NDArray[np.float32]:
        """The points that are shown, (T, 2)."""
        return self._points

    def set_points(
        self, points: NDArray[np.floating], colours: NDArray[np.uint8], selected: NDArray[np.bool_]
    ) -> None:
        """Show other points; the view stays where the user moved it.

        Parameters
        ----------
        points : ndarray, shape (T, 2)
        colours : ndarray of uint8, shape (T, 3)
        selected : ndarray of bool, shape (T,)
        """
        if len(points) != len(self._points):
            self._marked, self._ends, self._view = -1, (), None
            self._point_at(-1)
        self._points = np.asarray(points, dtype=np.float32)
        self._colours, self._selected = colours, selected
        self._index = self._whole = None
        self._paint_anew()

    @property
    def colours(self) -> NDArray[np.uint8]:
        """The colours of the points, (T, 3)."""
        return self._colours

    def set_colours(self, colours: NDArray[np.uint8]) -> None:
        """Set the colours of the points, (T, 3)."""
        self._colours = colours
        self._paint_anew()

    @property
    def selected(self) -> NDArray[np.bool_]:
        """Mask of the highlighted points, (T,)."""
        return self._selected

    def set_selected(self, selected: NDArray[np.bool_]) -> None:
        """Highlight other points, given by a mask (T,)."""
        self._selected = selected
        self._paint_anew()

    def set_ends(self, ends: tuple[int, ...]) -> None:
        """Draw the ends of a walk, and the line between two of them."""
        self._ends = ends
        self.update()

    def set_mode(self, mode: Mode) -> None:
        """Set the action of the left button."""
        self._mode = mode
        self._path = []
        self.update()

    def set_picking(self, picking: bool) -> None:
        """Choose whether the next clicks pick points instead of selecting."""
        self._picking = picking
        self._path = []
        self.setCursor(Qt.CursorShape.CrossCursor if picking else Qt.CursorShape.ArrowCursor)

    @property
    def hint(self) -> str:
        """The sentence that stands in place of the points while there are none."""
        return self._hint

    def set_hint(self, hint: str) -> None:
        """Set the text that is shown while there are no points."""
        self._hint = hint
        self.update()

    def show_all(self) -> None:
        """Zoom so that all points are visible."""
        self._view = None
        self._paint_anew()

    def place_of(self, i: int) -> QPointF:
        """Return the position of a point in the coordinates of the widget."""
        x, y = self._seen().places(self._points[i])
        return QPointF(float(x), float(y))

    # ----------------------------------------------------------------- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a selection or a pan."""
        self._last = event.position()
        if event.button() == _LEFT and (self._picking or self._mode != "move"):
            self._path = [event.position()]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Continue a selection or a pan, or report the point under the mouse."""
        place = event.position()
        if self._path and event.buttons() & _LEFT:
            self._path.append(place)
            self.update()
        elif event.buttons() and self._last is not None:
            step = place - self._last
            self._view = self._seen().moved(step.x(), step.y())
            self._last = place
            self._paint_anew()
        else:
            self._point_at(self._nearest(place))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Select the points inside the drawn shape, or the clicked one."""
        path, self._path, self._last = self._path, [], None
        if event.button() != _LEFT or not path:
            return
        self.update()
        how = _how(event.modifiers())
        apart = event.position() - path[0]
        is_click = max(abs(apart.x()), abs(apart.y())) < _STILL and len(path) < 8
        if is_click or self._picking or self._mode == "click":
            self._click(event.position(), how)
        elif len(self._points):
            self.chosen.emit(self._inside(path), how)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Zoom so that all points are visible."""
        self._path = []
        self.show_all()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the mouse."""
        place, notches = event.position(), event.angleDelta().y() / 120
        self._view = self._seen().zoomed(_ZOOM**notches, place.x(), place.y())
        self._paint_anew()
        # The dock around it does not scroll meanwhile.
        event.accept()

    def _click(self, place: QPointF, how: How) -> None:
        nearest = self._nearest(place)
        if self._picking:
            if nearest >= 0:
                self.picked.emit(nearest)
        elif nearest >= 0:
            mask = np.zeros(len(self._points), dtype=bool)
            mask[nearest] = True
            self.chosen.emit(mask, how)
            self.picked.emit(nearest)
        elif how == "replace" and len(self._points):
            self.chosen.emit(np.zeros(len(self._points), dtype=bool), how)

    def _inside(self, path: list[QPointF]) -> NDArray[np.bool_]:
        """Return the mask of the points inside the drawn shape."""
        if self._mode == "rectangle":
            box = QRectF(path[0], path[-1]).normalized()
            corners = [box.topLeft(), box.topRight(), box.bottomRight(), box.bottomLeft()]
        else:
            corners = path
        view = self._seen()
        polygon = np.array([view.point(corner.x(), corner.y()) for corner in corners])
        return in_polygon(self._points, polygon)

    def _nearest(self, place: QPointF) -> int:
        """Return the index of the nearest point within reach of a position, else -1."""
        if not len(self._points):
            return -1
        if self._index is None:
            self._index = PointIndex(self._points)
        view = self._seen()
        point = view.point(place.x(), place.y())
        found = self._index.nearest(point, REACH / view.scale)
        return -1 if found is None else found

    # ----------------------------------------------------------------- painting

    def _seen(self) -> MapView:
        if self._view is not None:
            return self._view
        # Asked for at every move of the mouse.
        if self._whole is None:
            self._whole = MapView.of_all(self._points, (self.width(), self.height()))
        return self._whole

    def _paint_anew(self) -> None:
        self._picture = None
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        """Adapt to the theme."""
        super().changeEvent(event)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Adapt to the new size; the point in the middle stays there."""
        super().resizeEvent(event)
        self._whole = None
        if self._view is not None:
            view = self._view
            self._view = MapView(view.centre, view.scale, (self.width(), self.height()))
        self._paint_anew()

    def picture(self) -> QImage:
        """The points as pixels, computed again only if points or view have changed."""
        ratio = self.devicePixelRatioF()
        if self._picture is None or self._picture.devicePixelRatio() != ratio:
            self._picture = self._summed_up(ratio)
        return self._picture

    def _summed_up(self, ratio: float) -> QImage:
        view = self._seen()
        size = round(view.size[0] * ratio), round(view.size[1] * ratio)
        fine = MapView(view.centre, view.scale * ratio, size)
        pixels = map_picture(fine, self._points, self._colours, self._selected)
        image = QImage(
            pixels.data, *size, 4 * size[0], QImage.Format.Format_RGBA8888_Premultiplied
        ).copy()
        image.setDevicePixelRatio(ratio)
        return image

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the points, then the shapes above them."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._ground())
        if not len(self._points):
            painter.drawText(
                self.rect().adjusted(16, 16, -16, -16),
                int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap),
                self._hint,
            )
            painter.end()
            return
        painter.drawImage(0, 0, self.picture())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ends(painter)
        self._paint_marks(painter)
        self._paint_path(painter)
        painter.end()

    def _paint_ends(self, painter: QPainter) -> None:
        places = [self.place_of(i) for i in self._ends]
        painter.setPen(QPen(self._ink(), 1.5))
        if len(places) == 2:
            painter.drawLine(*places)
        for place, name in zip(places, "AB", strict=False):
            painter.setBrush(self._ground())
            painter.drawEllipse(place, 8.0, 8.0)
            box = QRectF(place.x() - 8, place.y() - 8, 16, 16)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), name)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_marks(self, painter: QPainter) -> None:
        if self._below_mouse >= 0:
            painter.setPen(QPen(self._ink(), 1.5))
            painter.drawEllipse(self.place_of(self._below_mouse), 6.0, 6.0)
        if self._marked >= 0:
            place = self.place_of(self._marked)
            for colour, width in ((self._ground(), 4.0), (None, 2)):
                painter.setPen(QPen(colour or self._ink(), width))
                painter.drawLine(place - QPointF(10, 0), place + QPointF(10, 0))
                painter.drawLine(place - QPointF(0, 10), place + QPointF(0, 10))

    def _paint_path(self, painter: QPainter) -> None:
        if len(self._path) < 2 or self._picking or self._mode == "click":
            return
        painter.setPen(QPen(self._ink(), 1.5, Qt.PenStyle.DashLine))
        painter.setBrush(QColor(*LIT, 40))
        if self._mode == "rectangle":
            painter.drawRect(QRectF(self._path[0], self._path[-1]).normalized())
            return
        path = QPainterPath()
        path.addPolygon(QPolygonF(self._path))
        painter.drawPath(path)

    def _ink(self) -> QColor:
        return QColor(self.palette().windowText().color())

    def _ground(self) -> QColor:
        return QColor(self.palette().window().color())


def _how(modifiers: Qt.KeyboardModifier) -> How:
    """Return how the pressed keys change the selection."""
    if modifiers & Qt.KeyboardModifier.ShiftModifier:
        return "add"
    if modifiers & (Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ControlModifier):
        return "subtract"
    return "replace"
