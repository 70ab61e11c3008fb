"""The static part of a disk of directions: rings, azimuths, dots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPalette, QPen, QPixmap, QPolygonF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["DiskPicture"]

_RINGS = (30, 60, 90)
_TICKS = (0, 90, 180, 270)

#: Where the rings may be labelled: wherever there is most room between the dots.
_LABEL_AZIMUTHS = np.arange(20.0, 71.0, 2.0)

#: In a smaller disk (pixels) only the rim is labelled.
_ROOM_FOR_LABELS = 60.0

#: Around the rim without labels (pixels): a handle there is whole.
_MARGIN = 10.0

#: More dots than these are drawn in 32 steps of each colour: they are tiny.
_MANY = 2000


@dataclass(frozen=True, eq=False)
class DiskPicture:
    """Paints rings and dots into a given space.

    Parameters
    ----------
    size : QSize
    font : QFont
    palette : QPalette
    points : ndarray, shape (N, 2)
        Places on the unit disk, y up.
    hollow : ndarray of bool, shape (N,)
        Which dots are circles.
    colours : ndarray of uint8, shape (N, 3), optional
        RGB of each dot; by default all have the colour of text.
    faint : bool
        Dots are the background of something else: small and pale, and only the inner rings
        are labelled.
    """

    size: QSize
    font: QFont
    palette: QPalette
    points: NDArray[np.float64]
    hollow: NDArray[np.bool_]
    colours: NDArray[np.uint8] | None = None
    faint: bool = False

    @property
    def centre(self) -> QPointF:
        """The position of the normal, in pixels."""
        return QPointF(self.size.width() / 2, self.size.height() / 2)

    @property
    def rim(self) -> float:
        """The radius of the horizon in pixels, which leaves room for the azimuths."""
        if self.faint:
            return max(10.0, min(self.size.width(), self.size.height()) / 2 - _MARGIN)
        metrics = QFontMetricsF(self._label_font())
        across = self.size.width() / 2 - metrics.horizontalAdvance("180°") - 4
        down = self.size.height() / 2 - metrics.height() - 3
        return max(10.0, min(across, down))

    @property
    def places(self) -> NDArray[np.float64]:
        """Centres of the dots in pixels, y down, (N, 2)."""
        return [self.centre.x(), self.centre.y()] + self.rim * self.points * [1, -1]

    @property
    def dot_size(self) -> float:
        """Diameter of a dot: smaller if there are many, larger if its colour matters."""
        between = self.rim * np.sqrt(np.pi / max(1, len(self.points)))
        if self.faint:
            return float(np.clip(between / 4, 1.2, 3.0))
        if self.colours is None:
            return float(np.clip(between / 2, 1.2, 8.0))
        return float(np.clip(between * 0.8, 1.5, 14.0))

    @property
    def accent(self) -> QColor:
        """The colour of marks."""
        # The highlight colour of themes is often a grey, which would not stand out of dots.
        dark = self.palette.window().color().lightnessF() < 0.5
        return QColor(255, 170, 40) if dark else QColor(205, 80, 0)

    @property
    def _dot_colour(self) -> QColor:
        return self.ink(0.4 if self.faint else 0.75)

    def ink(self, strength: float) -> QColor:
        """Return the colour of text, with an opacity from 0 to 1."""
        colour = QColor(self.palette.windowText().color())
        colour.setAlphaF(strength)
        return colour

    def paint(self, ratio: float) -> QPixmap:
        """Paint everything, for a screen with a number of pixels per unit."""
        picture = QPixmap(self.size * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_rings(painter)
        self._paint_dots(painter)
        self._paint_labels(painter)
        painter.end()
        return picture

    def _paint_rings(self, painter: QPainter) -> None:
        centre, rim = self.centre, self.rim
        painter.setPen(QPen(self.ink(0.3), 1.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for theta in _RINGS:
            radius = rim * np.tan(np.deg2rad(theta) / 2)
            painter.drawEllipse(centre, radius, radius)
        painter.setPen(QPen(self.ink(0.2), 1.0))
        painter.drawLine(centre - QPointF(rim, 0), centre + QPointF(rim, 0))
        painter.drawLine(centre - QPointF(0, rim), centre + QPointF(0, rim))

    def _paint_dots(self, painter: QPainter) -> None:
        places, size = self.places, self.dot_size
        pen = QPen(self._dot_colour, size)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        if self.colours is not None:
            # Some colours are those of the paper.
            pen.setColor(self.ink(0.3))
            pen.setWidthF(size + 1.5)
            painter.setPen(pen)
            painter.drawPoints(QPolygonF([QPointF(x, y) for x, y in places[~self.hollow].tolist()]))
            pen.setWidthF(size)
        for colour, dots in self._by_colour():
            pen.setColor(colour)
            painter.setPen(pen)
            painter.drawPoints(QPolygonF([QPointF(x, y) for x, y in places[dots].tolist()]))
        painter.setPen(QPen(self.ink(0.75), 1.2))
        painter.setBrush(self.palette.window())
        for x, y in places[self.hollow].tolist():
            painter.drawEllipse(QPointF(x, y), size / 2, size / 2)

    def _by_colour(self) -> Iterator[tuple[QColor, NDArray[np.intp]]]:
        """Return filled dots by colour, because changing the pen is slow."""
        filled = np.flatnonzero(~self.hollow)
        if self.colours is None or not len(filled):
            yield self._dot_colour, filled
            return
        colours = self.colours[filled].astype(np.int64)
        if len(colours) > _MANY:
            colours = colours // 8 * 8 + 4
        colours, member_of = np.unique(colours, axis=0, return_inverse=True)
        member_of = member_of.reshape(-1)
        ends = np.cumsum(np.bincount(member_of))
        parts = np.split(filled[np.argsort(member_of, kind="stable")], ends[:-1])
        for colour, dots in zip(colours.tolist(), parts, strict=True):
            yield QColor(*colour), dots

    def _paint_labels(self, painter: QPainter) -> None:
        rim = self.rim
        painter.setFont(self._label_font(0.8))
        labelled: tuple[int, ...] = _RINGS if rim > _ROOM_FOR_LABELS else _RINGS[-1:]
        if self.faint:
            labelled = _RINGS[:-1] if rim > _ROOM_FOR_LABELS else _RINGS[1:-1]
        for theta in labelled:
            reach = rim * np.tan(np.deg2rad(theta) / 2)
            self._paint_label(painter, f"θ {theta}", self._free_azimuth(reach), reach, reach)
        if self.faint:
            return
        painter.setFont(self._label_font())
        metrics = painter.fontMetrics()
        for phi in _TICKS:
            text = f"{phi}°"
            across = rim + metrics.horizontalAdvance(text) / 2 + 4
            self._paint_label(painter, text, phi, across, rim + metrics.height() / 2 + 1)

    def _free_azimuth(self, radius: float) -> float:
        """Return the azimuth at which a circle is farthest from the dots."""
        if not len(self.points):
            return float(_LABEL_AZIMUTHS[-1])
        angles = np.deg2rad(_LABEL_AZIMUTHS)
        candidates = radius / self.rim * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        apart = [np.linalg.norm(self.points - place, axis=1).min() for place in candidates]
        return float(_LABEL_AZIMUTHS[np.argmax(apart)])

    def _paint_label(
        self, painter: QPainter, text: str, azimuth: float, across: float, up: float
    ) -> None:
        """Paint a text on an ellipse around the centre, over a dimmed background."""
        metrics = painter.fontMetrics()
        box = QRectF(0, 0, metrics.horizontalAdvance(text) + 3, metrics.height() - 2)
        angle = np.deg2rad(azimuth)
        box.moveCenter(self.centre + QPointF(across * np.cos(angle), -up * np.sin(angle)))
        paper = QColor(self.palette.window().color())
        paper.setAlphaF(0.7)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(paper)
        painter.drawRoundedRect(box, 3, 3)
        painter.setPen(self.ink(0.9))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _label_font(self, factor: float = 1.0) -> QFont:
        """Return the font, which is smaller in a small disk."""
        font = QFont(self.font)
        room = min(self.size.width(), self.size.height()) / 16
        pixels = min(QFontMetricsF(font).height() * 0.78, room) * factor
        font.setPixelSize(max(9, round(pixels)))
        return font
