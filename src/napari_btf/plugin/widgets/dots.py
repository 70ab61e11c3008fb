"""A base class of views with many dots, of which one is marked and one is under the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from qtpy.QtCore import QEvent

__all__ = ["REACH", "Dots"]

#: As far from a dot one still points at it, in pixels.
REACH = 12.0


class Dots(QWidget):
    """A view of many dots, with a smallest size.

    Signals
    -------
    hovered
        The number of the dot under the mouse, -1 when there is none any more.
    """

    hovered = Signal(int)

    def __init__(self, parent: QWidget | None, smallest: int) -> None:
        super().__init__(parent)
        self._marked = self._below_mouse = -1
        self.setMouseTracking(True)
        self.setMinimumSize(smallest, smallest)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setSizePolicy(policy)

    @property
    def marked(self) -> int:
        """The index of the marked dot, -1 for none."""
        return self._marked

    def set_marked(self, i: int) -> None:
        """Mark one dot; -1 for none."""
        if i != self._marked:
            self._marked = i
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Forget the dot under the mouse."""
        self._point_at(-1)
        super().leaveEvent(event)

    def _point_at(self, i: int) -> None:
        if i != self._below_mouse:
            self._below_mouse = i
            self.hovered.emit(i)
            self.update()
