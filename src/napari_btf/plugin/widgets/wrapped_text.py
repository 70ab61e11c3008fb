"""A text that is wrapped to the width of a dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLabel, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent

__all__ = ["Note"]


class Note(QLabel):
    """A wrapped text that reserves the height it needs.

    Docks do not ask a text for its height at their width; they would squeeze the widgets above it.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setWordWrap(True)

    def setText(self, text: str | None) -> None:
        """Show another text."""
        # Another height has the whole window laid out anew.
        if text != self.text():
            super().setText(text)
            self._claim_height()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Wrap the text at another width."""
        super().resizeEvent(event)
        self._claim_height()

    def _claim_height(self) -> None:
        # Without this the height asked for is never less than the one claimed before.
        self.setMinimumHeight(0)
        self.setMinimumHeight(max(0, self.heightForWidth(self.width())))
