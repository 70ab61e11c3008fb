"""A progress bar that is painted later, with the rest of its window."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QProgressBar  # noqa: TID251 - it is made quiet here

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ProgressBar", "painted_later"]


@contextmanager
def painted_later(bar: QProgressBar) -> Iterator[None]:
    """Let changes of a bar wait for the event loop to paint them.

    Qt's bar paints itself within `setValue` and `reset`, and with it all of its window that waits
    to be painted, such as napari's canvas. The canvas must not be painted from inside a slot,
    because layers may be half removed there.
    """
    bar.setUpdatesEnabled(False)
    try:
        yield
    finally:
        bar.setUpdatesEnabled(True)


class ProgressBar(QProgressBar):
    """A progress bar of a dock, whose setters never paint."""

    def show_step(self, step: int, total: int) -> None:
        """Show that so many of all steps are done; a total of 0 moves without an end."""
        with painted_later(self):
            self.setRange(0, total)
            self.setValue(step)

    def clear(self) -> None:
        """Go back to the beginning."""
        with painted_later(self):
            self.reset()
