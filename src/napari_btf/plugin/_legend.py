"""What the colours of the points mean: a ramp, or some named patches. A view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QLinearGradient, QPainter
from qtpy.QtWidgets import QWidget

from napari_btf.embedding.colours import Labels, Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtGui import QPaintEvent

__all__ = ["Legend"]

_HEIGHT, _SIDE, _GAP = 18, 11, 6
_SHADES = 12


class Legend(QWidget):
    """One line below the map; patches that find no room are left out."""

    def __init__(self) -> None:
        super().__init__()
        self._ramp: NDArray | None = None
        self._ends: tuple[str, str] = ("", "")
        self._patches: list[tuple[str, tuple[int, ...]]] = []
        self.setFixedHeight(_HEIGHT)

    def sizeHint(self) -> QSize:
        """One line of text."""
        return QSize(200, _HEIGHT)

    @property
    def texts(self) -> tuple[str, ...]:
        """What is written."""
        return self._ends if self._ramp is not None else tuple(name for name, _ in self._patches)

    def set_legend(self, legend: Scale | Labels | object | None) -> None:
        """Explain colours; what is neither a scale nor names needs no words."""
        self._ramp, self._patches = None, []
        if isinstance(legend, Scale):
            from matplotlib import colormaps

            shades = colormaps[legend.colormap](np.linspace(0.0, 1.0, _SHADES))[:, :3]
            self._ramp = np.rint(255 * shades).astype(np.uint8)
            self._ends = f"{legend.low:.3g}", f"{legend.high:.3g}"
            self.setToolTip(legend.name)
        elif isinstance(legend, Labels):
            colours = [tuple(rgb) for rgb in legend.rgb.tolist()]
            self._patches = list(zip(legend.names, colours, strict=True))
            self.setToolTip(", ".join(legend.names))
        self.setVisible(self._ramp is not None or bool(self._patches))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Show it."""
        painter = QPainter(self)
        painter.setPen(self.palette().windowText().color())
        metrics = QFontMetricsF(self.font())
        if self._ramp is not None:
            self._paint_ramp(painter, metrics)
        else:
            self._paint_patches(painter, metrics)
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

    def _paint_patches(self, painter: QPainter, metrics: QFontMetricsF) -> None:
        left = 0.0
        for name, colour in self._patches:
            width = metrics.horizontalAdvance(name)
            if left + _SIDE + 4 + width > self.width():
                return
            top = (_HEIGHT - _SIDE) / 2
            painter.fillRect(QRectF(left, top, _SIDE, _SIDE), QColor(*colour))
            box = QRectF(left + _SIDE + 4, 0, width + 2, _HEIGHT)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), name)
            left = box.right() + 2 * _GAP
