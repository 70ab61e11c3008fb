"""A text that is wrapped to the width of a dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

from napari_btf.wording import printable

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent

__all__ = ["Note"]


class Note(QLabel):
    """A wrapped text that reserves the height it needs.

    Docks do not ask a text for its height at their width; they would squeeze the widgets above it.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(printable(text, lines=True), parent)
        # Texts name files of strangers, and Qt would take a name such as <img src=x> for HTML.
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)

    def setText(self, text: str | None) -> None:
        """Show another text."""
        text = None if text is None else printable(text, lines=True)
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
