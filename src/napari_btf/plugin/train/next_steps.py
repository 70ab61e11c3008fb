"""Buttons that open the docks for a model that was just trained."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

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
        frame, _dock = window.add_plugin_dock_widget("napari-btf", name, tabify=True)
        frame.show()
        frame.raise_()
