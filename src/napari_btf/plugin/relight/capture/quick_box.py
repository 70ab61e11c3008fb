"""The button *Quick relight*, which makes a preview of the open capture without a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_btf.baselines import fit_quick
from napari_btf.plugin.jobs.task import Task
from napari_btf.plugin.viewer.choosers import NO_CAPTURE
from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.widgets.section import allow

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_btf.baselines import QuickBTF
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["QuickBox"]

_TIP = (
    "Relight the open capture now, by classical methods (PTM or HSH for one view, PCA for several)."
    " This takes a second or two. Train a model for quality."
)


class QuickBox(QWidget):
    """A button that fits a preview in a thread and makes it the current model.

    Parameters
    ----------
    workspace : Workspace

    Signals
    -------
    failed
        A sentence that says what is wrong.
    """

    failed = Signal(str)

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.button = QPushButton("Quick relight")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.button)
        self._task = Task(self)
        self._task.done.connect(self._on_done)
        self._task.failed.connect(self.failed)
        self._task.changed.connect(self._allow)
        self.button.clicked.connect(self._start)
        follow_while_shown(self, {workspace.captures.changed: self._allow})
        self._allow()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Look for captures that were opened meanwhile."""
        super().showEvent(event)
        self._allow()

    def _start(self) -> None:
        shown = self._workspace.captures.shown()
        if shown is not None and not self._task.running:
            self._task.start(fit_quick(shown[0]), f"Quick relight of {shown[0].name}".strip())

    def _on_done(self, model: QuickBTF) -> None:
        if self._workspace.viewer is not None:
            self._workspace.models.current = model

    def _allow(self) -> None:
        no = "" if self._workspace.captures.layers() else NO_CAPTURE
        self.button.setText("Fitting a preview..." if self._task.running else "Quick relight")
        allow(self.button, _TIP, "The preview is being fitted" if self._task.running else no)
