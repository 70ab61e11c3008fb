"""Small helpers of all docks: rows of buttons, and actions that may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_btf.errors import BTFError
from napari_btf.plugin.notices import show_error

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["attempt", "row_of"]


def attempt(action: Callable[[], object]) -> bool:
    """Run an action; an error becomes a notification. Return whether it succeeded."""
    try:
        action()
    except BTFError as error:
        show_error(str(error))
        return False
    return True


def row_of(*buttons: QPushButton) -> QHBoxLayout:
    """Return a layout of buttons side by side."""
    row = QHBoxLayout()
    for button in buttons:
        row.addWidget(button)
    return row
