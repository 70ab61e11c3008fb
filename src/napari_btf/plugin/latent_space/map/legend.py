"""The legend of the map: a colour scale, or named patches. A view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QLinearGradient, QPainter
from qtpy.QtWidgets import QWidget

from napari_btf.embedding.colours import Labels, Scale
from napari_btf.plugin.notices import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from qtpy.QtGui import QPaintEvent, QResizeEvent

__all__ = ["Legend"]

_HEIGHT, _SIDE, _GAP = 18, 11, 6
_SHADES = 12
_LINES = 3


class Legend(QWidget):
    """One or more lines below the map; names that do not fit are in the tool tip."""

    def __init__(self) -> None:
        super().__init__()
        self._ramp: NDArray | None = None
        self._ends: tuple[str, str] = ("", "")
        self._patches: list[tuple[str, tuple[int, ...]]] = []
        self._fit()

    def sizeHint(self) -> QSize:
        """The height of one line of text."""
        return QSize(200, _HEIGHT)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the legend."""
        return self._ends if self._ramp is not None else tuple(name for name, _ in self._patches)

    def set_legend(self, legend: Scale | Labels | object | None) -> None:
        """Show a colour scale or names; other colourings have no legend."""
        self._ramp, self._patches = None, []
        if isinstance(legend, Scale):
            from matplotlib import colormaps

            shades = colormaps[legend.colormap](np.linspace(0.0, 1.0, _SHADES))[:, :3]
            self._ramp = np.rint(255 * shades).astype(np.uint8)
            self._ends = f"{legend.low:.3g}", f"{legend.high:.3g}"
            self.setToolTip(plain(legend.name))
        elif isinstance(legend, Labels):
            colours = [tuple(rgb) for rgb in legend.rgb.tolist()]
            self._patches = list(zip(legend.names, colours, strict=True))
            self.setToolTip(plain(", ".join(legend.names)))
        self.setVisible(self._ramp is not None or bool(self._patches))
        self._fit()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Break the lines for the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        lines = max((place.y() for _, _, place in self._placed()), default=0) // _HEIGHT + 1
        self.setFixedHeight(_HEIGHT * int(lines))

    def _placed(self) -> Iterator[tuple[str, tuple[int, ...], QPointF]]:
        """Return the patches that fit, and their positions."""
        metrics = QFontMetricsF(self.font())
        left, top = 0.0, 0.0
        for name, colour in self._patches:
            width = _SIDE + 4 + metrics.horizontalAdvance(name) + 2
            if left and left + width > self.width():
                left, top = 0.0, top + _HEIGHT
            if top >= _LINES * _HEIGHT:
                return
            yield name, colour, QPointF(left, top)
            left += width + 2 * _GAP

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the legend."""
        painter = QPainter(self)
        painter.setPen(self.palette().windowText().color())
        metrics = QFontMetricsF(self.font())
        if self._ramp is not None:
            self._paint_ramp(painter, metrics)
        else:
            self._paint_patches(painter)
        painter.end()

    def _paint_ramp(self, painter: QPainter, metrics: QFontMetricsF) -> None:
        assert self._ramp is not None
        low, high = (metrics.horizontalAdvance(text) for text in self._ends)
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRectF(0, 0, low + 2, _HEIGHT), middle, self._ends[0])
        painter.drawText(
            QRectF(self.width() - high - 2, 0, high + 2, _HEIGHT), middle, self._ends[1]
        )
        room = QRectF(low + _GAP, 3, self.width() - low - high - 2 * _GAP - 2, _HEIGHT - 6)
        gradient = QLinearGradient(room.topLeft(), room.topRight())
        for i, colour in enumerate(self._ramp.tolist()):
            gradient.setColorAt(i / (len(self._ramp) - 1), QColor(*colour))
        painter.fillRect(room, gradient)

    def _paint_patches(self, painter: QPainter) -> None:
        for name, colour, place in self._placed():
            side = QRectF(place.x(), place.y() + (_HEIGHT - _SIDE) / 2, _SIDE, _SIDE)
            painter.fillRect(side, QColor(*colour))
            box = QRectF(side.right() + 4, place.y(), self.width(), _HEIGHT)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), name)
