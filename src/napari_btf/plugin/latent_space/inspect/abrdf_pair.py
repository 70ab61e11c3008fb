"""Captured and decoded ABRDF side by side, as two disks of light directions. A view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_btf.plugin.widgets.disk import Disk
from napari_btf.plugin.widgets.wrapped_text import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AbrdfPair"]

_NONE = np.empty((0, 3))


class AbrdfPair(QWidget):
    """A dot for each light, in the colour that was captured or decoded under it."""

    def __init__(self) -> None:
        super().__init__()
        self.note = Note()
        self.captured, self.decoded = Disk(), Disk()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(2)
        grid.addWidget(self.note, 0, 0, 1, 2)
        for column, (name, disk) in enumerate(
            (("captured", self.captured), ("decoded", self.decoded))
        ):
            disk.setAccessibleName(name)
            disk.setMinimumWidth(130)
            disk.setFixedHeight(150)
            label = QLabel(name)
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            grid.addWidget(disk, 1, column)
            grid.addWidget(label, 2, column)

    def set_captured(self, lights: NDArray | None, colours: NDArray | None = None) -> None:
        """Show captured values: unit vectors (L, 3), colours (L, 3); None for no values."""
        self.captured.set_directions(_NONE if lights is None else lights, colours)

    def set_decoded(self, lights: NDArray | None, colours: NDArray | None = None) -> None:
        """Show decoded values in the same way."""
        self.decoded.set_directions(_NONE if lights is None else lights, colours)
