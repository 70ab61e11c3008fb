"""The training curve: a view with setters and no signals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

__all__ = ["Curve"]

#: More points than these are thinned out: no dock has so many pixels.
_MOST_POINTS = 1000
#: The vertical axis spans at least so much, or noise would fill it.
_LEAST_SPAN = 1.0
_TIP = "Measured on samples while it trains; the quality of the finished model stands below"
_NOTHING_YET = "The curve of a training appears here."


class _Point(NamedTuple):
    seconds: float
    train: float
    held_out: float


class Curve(QWidget):
    """Quality over time, on the training data and on held-out data.

    Errors are shown in decibels, ``-10 log10(error)``, which is the PSNR of values in 0..1. So
    higher is better.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points: list[_Point] = []
        self._every, self._skipped = 1, 0
        self._subject = ""
        self.setMinimumSize(160, 110)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setSizePolicy(policy)
        self.setAccessibleName("training curve")

    def sizeHint(self) -> QSize:
        """Large enough to show the trend."""
        return QSize(280, 140)

    @property
    def points(self) -> list[tuple[float, float, float]]:
        """The points: seconds, dB of training data, dB of held-out data; NaN for no value."""
        return list(self._points)

    def set_subject(self, subject: str) -> None:
        """Say what the errors are errors of, because it is mostly not the finished model."""
        self._subject = subject
        self.setToolTip(_TIP)
        self.update()

    def clear(self) -> None:
        """Delete all points."""
        self._points.clear()
        self._every, self._skipped = 1, 0
        self.update()

    def add(self, seconds: float, train_error: float | None, held_out: float | None) -> None:
        """Add a point.

        Parameters
        ----------
        seconds : float
            Since the beginning, not before the last ones.
        train_error, held_out : float, optional
            Mean squared errors.
        """
        self._skipped += 1
        if self._skipped < self._every:
            return
        self._skipped = 0
        self._points.append(_Point(seconds, _decibel(train_error), _decibel(held_out)))
        if len(self._points) > _MOST_POINTS:
            self._points = self._points[::2]
            self._every *= 2
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        """Adapt to the theme."""
        super().changeEvent(event)
        self.update()

    # ----------------------------------------------------------------- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the axes, and a line for each kind of error."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = self.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() * 0.85))
        painter.setFont(font)
        values = np.array(self._points, dtype=float).reshape(-1, 3)
        if np.isfinite(values[:, 1:]).any():
            self._paint_curve(painter, values)
        else:
            painter.setPen(self._ink(0.6))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, _NOTHING_YET)
        painter.end()

    def _paint_curve(self, painter: QPainter, values: np.ndarray) -> None:
        metrics = QFontMetricsF(painter.font())
        line = metrics.height()
        finite = values[:, 1:][np.isfinite(values[:, 1:])]
        low, high = _range(finite)
        left = metrics.horizontalAdvance("00.0") + 8
        area = QRectF(left, line + 4, self.width() - left - 8, self.height() - 2.3 * line - 8)
        grid = _steps(low, high, max(2, int(area.height() / (2 * line))))
        for value in grid:
            y = area.bottom() - (value - low) / (high - low) * area.height()
            painter.setPen(QPen(self._ink(0.15), 1.0))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(self._ink(0.8))
            place = QRectF(0, y - line / 2, left - 5, line)
            painter.drawText(place, _RIGHT, f"{value:g}")
        painter.setPen(self._ink(0.8))
        painter.drawText(QRectF(2, 0, area.width(), line), _LEFT, self._subject or "PSNR, dB")
        below = QRectF(area.left(), area.bottom() + 3, area.width(), line)
        painter.drawText(below, _LEFT, "0")
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, "seconds")
        painter.drawText(below, _RIGHT, f"{values[-1, 0] - values[0, 0]:.3g}")
        painter.setPen(QPen(self._ink(0.5), 1.0))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.bottomLeft(), area.topLeft())
        self._paint_lines(painter, values, area, (low, high))

    def _paint_lines(
        self, painter: QPainter, values: np.ndarray, area: QRectF, span: tuple[float, float]
    ) -> None:
        """Paint a line for each kind, with its name and latest value at the right."""
        metrics = QFontMetricsF(painter.font())
        line, right, (low, high) = metrics.height(), area.right(), span
        start, end = values[0, 0], max(float(values[-1, 0]), float(values[0, 0]) + 1e-3)
        for column, name, colour in ((2, "check", self._accent()), (1, "trained", self._ink(0.7))):
            known = np.isfinite(values[:, column])
            if not known.any():
                continue
            x = area.left() + (values[known, 0] - start) / (end - start) * area.width()
            y = area.bottom() - (values[known, column] - low) / (high - low) * area.height()
            painter.setPen(QPen(colour, 2.0 if column == 2 else 1.2))
            dots = [QPointF(*place) for place in zip(x.tolist(), y.tolist(), strict=True)]
            painter.setClipRect(area.adjusted(0, -2, 0, 0))
            painter.drawPolyline(QPolygonF(dots))
            painter.setClipping(False)
            text = f"{name} {values[known, column][-1]:.1f}"
            room = metrics.horizontalAdvance(text)
            painter.drawText(QRectF(right - room, 0, room, line), _RIGHT, text)
            right -= room + 12

    def _ink(self, strength: float) -> QColor:
        colour = QColor(self.palette().windowText().color())
        colour.setAlphaF(strength)
        return colour

    def _accent(self) -> QColor:
        dark = self.palette().window().color().lightnessF() < 0.5
        return QColor(255, 170, 40) if dark else QColor(205, 80, 0)


_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def _decibel(error: float | None) -> float:
    if error is None or not np.isfinite(error) or error <= 0:
        return np.nan
    return float(-10.0 * np.log10(error))


def _range(values: np.ndarray) -> tuple[float, float]:
    """Return the range of the vertical axis, without the poor values of the first moments."""
    high = float(values.max())
    low = float(np.quantile(values, 0.02))
    middle, half = (low + high) / 2, max(high - low, _LEAST_SPAN) * 0.55
    return middle - half, middle + half


def _steps(low: float, high: float, most: int) -> list[float]:
    """Return round numbers between two numbers, at most a given count."""
    for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100):
        first = int(np.ceil(low / step))
        numbers = [round(i * step, 1) for i in range(first, int(np.floor(high / step)) + 1)]
        if len(numbers) <= most:
            return numbers
    return []
