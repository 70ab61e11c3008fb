"""The frame of a dock: it joins the other docks as a tab and has a button for help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QToolButton, QVBoxLayout, QWidget

from napari_btf.plugin.frame.first_steps import FirstSteps
from napari_btf.plugin.frame.help import show_help

if TYPE_CHECKING:
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["as_dock"]

#: Dynamic property of Qt by which docks of this plugin find one another.
_MARK = "napari_btf_dock"
#: What napari writes behind the name of a dock, which depends on how the dock is opened.
_PLUGIN = re.compile(r" \((napari-btf|BTF)\)$")


def as_dock(widget: QWidget, name: str, workspace: Workspace) -> None:
    """Give a widget the frame of a dock, after its controls have been laid out.

    Parameters
    ----------
    widget : QWidget
        With a QVBoxLayout.
    name : str
        Of the dock, which is the heading of its section in the documentation.
    workspace : Workspace
    """
    widget.setProperty(_MARK, True)
    layout = widget.layout()
    assert isinstance(layout, QVBoxLayout)
    layout.insertWidget(0, _help_button(widget, name), 0, Qt.AlignmentFlag.AlignRight)
    steps = FirstSteps(workspace)
    layout.insertWidget(1, steps)
    # While it stands below other docks, until it joins them, it must not make the window grow.
    widget.setMinimumHeight(1)
    widget.installEventFilter(_Shown(widget, steps))


def _help_button(widget: QWidget, name: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName("help")
    button.setText("?")
    button.setAutoRaise(True)
    button.setAccessibleName(f"help on {name}")
    button.setToolTip(f"What {name} does: its section of the documentation")
    button.clicked.connect(lambda: show_help(widget, name))
    return button


class _Shown(QObject):
    """Puts the dock of a widget on top of the others when it is shown for the first time.

    napari puts docks below one another until the window is larger than the screen.
    """

    def __init__(self, widget: QWidget, steps: FirstSteps) -> None:
        super().__init__(widget)
        self._steps = steps
        self._joined = False
        steps.follow(widget)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Bring the first steps up to date; join the other docks after the first show event."""
        if event.type() == QEvent.Type.Show:
            self._steps.refresh()
            if not self._joined:
                self._joined = True
                self._join()
                # Qt makes the tabs when it lays the window out, which is later.
                QTimer.singleShot(0, self._raise)
        return False

    def _join(self) -> None:
        frame = _frame_of(self.parent())
        window = None if frame is None else frame.parent()
        if frame is None or not isinstance(window, QMainWindow):
            return
        _write_title(frame)
        if frame.isFloating():
            return
        area = window.dockWidgetArea(frame)
        others = [
            other
            for other in window.findChildren(QDockWidget)
            if other is not frame
            and not other.isFloating()
            and window.dockWidgetArea(other) == area
            and not other.isHidden()
            and any(part.property(_MARK) for part in other.findChildren(QWidget))
        ]
        if others and frame not in window.tabifiedDockWidgets(others[-1]):
            window.tabifyDockWidget(others[-1], frame)

    def _raise(self) -> None:
        frame, widget = _frame_of(self.parent()), self.parent()
        if isinstance(widget, QWidget):
            widget.setMinimumHeight(0)
        if frame is not None:
            frame.raise_()


def _frame_of(widget: QObject | None) -> QDockWidget | None:
    parent = None if widget is None else widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def _write_title(frame: QDockWidget) -> None:
    """Write the bare name of a dock, however it was opened: six tabs need the room."""
    frame.setWindowTitle(_PLUGIN.sub("", frame.windowTitle()))
    bar = frame.titleBarWidget()
    for label in [] if bar is None else bar.findChildren(QLabel):
        label.setText(_PLUGIN.sub("", label.text()))
