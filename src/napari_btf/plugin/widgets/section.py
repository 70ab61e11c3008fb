"""A part of a dock that can be folded, and controls that explain why they are disabled."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

__all__ = ["Scrolled", "Section", "allow"]

#: QWIDGETSIZE_MAX of Qt.
_UNLIMITED = 16_777_215


class Section(QCollapsible):
    """A titled part that can be folded; the height of its content may change while it is open."""

    def __init__(self, title: str, content: QWidget, *, open_first: bool = False) -> None:
        # The arrow is part of the title: icons would keep the colours of the first theme.
        nothing = QPixmap(1, 1)
        nothing.fill(Qt.GlobalColor.transparent)
        super().__init__("", expandedIcon=QIcon(nothing), collapsedIcon=QIcon(nothing))
        self._title, self._detail = title, ""
        self.setDuration(0)
        # An open section is no pressed button.
        self.toggleButton().setStyleSheet(
            "QPushButton, QPushButton:checked {background: transparent; border: none;"
            " outline: none; text-align: left; padding: 4px 2px;}"
        )
        self.setFrameShape(QFrame.Shape.NoFrame)
        layout = self.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        inner = self.content().layout()
        inner.setContentsMargins(8, 0, 0, 4)
        inner.addWidget(content)
        self.toggled.connect(self._on_toggled)
        if open_first:
            self.expand(animate=False)
        self._on_toggled(open_first)

    def set_detail(self, detail: str) -> None:
        """Say beside the title what a folded section holds that is unusual."""
        self._detail = detail
        self._show_title(self.isExpanded())

    def _show_title(self, is_open: bool) -> None:
        detail = f" ({self._detail})" if self._detail and not is_open else ""
        self.setText(f"{'▾' if is_open else '▸'}  {self._title}{detail}")

    def _on_toggled(self, is_open: bool) -> None:
        self._show_title(is_open)
        # Not the height that the content had at first: texts wrap, disks grow.
        self.content().setMaximumHeight(_UNLIMITED if is_open else 0)
        # Nor are folded controls to be reached by the tab key.
        self.content().setVisible(is_open)


class Scrolled(QScrollArea):
    """The scrolled content of a dock, which may be higher than the dock, but not wider."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        content.installEventFilter(self)

    def minimumSizeHint(self) -> QSize:
        """As wide as the content, with room for the scroll bar."""
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self.widget().minimumSizeHint().width() + bar, 120)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Adapt the width to the content."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))


def allow(control: QWidget, tip: str, why_not: str = "") -> None:
    """Enable a control, or disable it with a tool tip that says why."""
    control.setEnabled(not why_not)
    control.setToolTip(why_not or tip)
