"""Buttons that open the docks for a model that was just trained."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDockWidget, QHBoxLayout, QPushButton, QWidget

from napari_btf.plugin.widgets.section import allow

if TYPE_CHECKING:
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["NextSteps"]

_DOCKS = {
    "Relight": "Move the light over the new model",
    "Compare": "See where the new model differs from the capture",
}


class NextSteps(QWidget):
    """*Open Relight* and *Open Compare*; the docks come in front, as tabs."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for name, tip in _DOCKS.items():
            button = self.buttons[name] = QPushButton(f"Open {name}")
            button.clicked.connect(partial(self.open, name))
            allow(button, tip)
            row.addWidget(button)

    def open(self, name: str, _: bool = False) -> None:
        """Open a dock, or bring it in front if it is open."""
        window = getattr(self._workspace.viewer, "window", None)
        if window is None:
            # A viewer without a window has no docks.
            return
        # A dock that was opened from the menu has another title than one opened here.
        found = [dock for title, dock in window.dock_widgets.items() if _is_called(title, name)]
        if not found:
            found = [window.add_plugin_dock_widget("napari-btf", name, tabify=True)[1]]
        frame = found[0].parentWidget()
        while frame is not None and not isinstance(frame, QDockWidget):
            frame = frame.parentWidget()
        if frame is not None:
            frame.show()
            frame.raise_()


def _is_called(title: str, name: str) -> bool:
    """Whether a title is that of a dock: "Relight (BTF)", or the name alone."""
    return title.split(" (")[0] == name
