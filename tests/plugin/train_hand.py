"""A user of the dock Train, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari._qt.widgets.qt_progress_bar import QtLabeledProgressBar
from qtpy.QtCore import Qt

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QPushButton

PATIENCE = 120_000
"""Milliseconds: the first training of a process imports torch, and others may need the machine."""


class Hand:
    """A user of the dock Train: clicks its buttons and waits for its messages."""

    def __init__(self, qtbot: QtBot, dock: Any) -> None:
        self.qtbot = qtbot
        self.dock = dock

    def click(self, button: QPushButton) -> None:
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def start(self, seconds: float = 0.5, latents: int | None = None, codec: str = "auto") -> None:
        """Start a training: of a number of latents, or of a size, which takes the seconds."""
        form = self.dock.form
        form.seconds.setValue(seconds)
        form.budget.setCurrentText("latents per texel" if latents else "bytes per texel")
        form.amount.setValue(latents or 40)
        form.codec.setCurrentText(codec)
        self.click(self.dock.start_button)

    def start_long(self) -> None:
        """Start a training with previews that does not end by itself, and wait until it trains."""
        self.start(600, 12, "parallax")
        self.until_training()

    def until_training(self) -> None:
        """Wait until reading and basis are over."""
        self.until(lambda: ": training" in self.message)

    def until_over(self) -> None:
        self.until(lambda: not self.dock.running)

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition)

    @property
    def message(self) -> str:
        return self.dock.message.text()


def rows_of(activity: Any) -> list[Any]:
    """The bars of an activity dock of napari."""
    return activity.findChildren(QtLabeledProgressBar)
