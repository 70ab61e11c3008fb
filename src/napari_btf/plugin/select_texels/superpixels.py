"""The controls of superpixels: their number, and whether clicks choose them. A view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import FloatSpinBox, SpinBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_btf.plugin.widgets.section import allow
from napari_btf.plugin.widgets.wrapped_text import Note

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Parts"]

_CLICKS = (
    "Click parts in the viewer to add them to the region; click again, or Shift-click, "
    "to take them out."
)


class Parts(QWidget):
    """The number of superpixels, and whether clicks choose them. A view.

    Signals
    -------
    wanted
        They are to be found.
    clicking
        Whether clicks in the viewer are meant for them.
    """

    wanted = Signal()
    clicking = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._found: NDArray[np.int32] | None = None
        self.number = SpinBox(value=300, min=2, max=20_000)
        self.number.tooltip = "About how many"
        self.compact = FloatSpinBox(value=0.3, min=0.01, max=10.0, step=0.1)
        self.compact.tooltip = "0.1 follows every detail, 1 gives squares"
        self.find = QPushButton("Find superpixels")
        self.click = QPushButton("Click them together")
        self.click.setCheckable(True)
        self.note = Note()
        form = QFormLayout()
        form.addRow("number", self.number.native)
        form.addRow("compactness", self.compact.native)
        buttons = QHBoxLayout()
        buttons.addWidget(self.find)
        buttons.addWidget(self.click)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addLayout(buttons)
        column.addWidget(self.note)
        self.find.clicked.connect(self.wanted)
        self.click.toggled.connect(self._on_click)
        self.set_allowed("")

    @property
    def found(self) -> NDArray[np.int32] | None:
        """The superpixels as a label image, (H, W), or None."""
        return self._found

    def set_found(self, parts: NDArray[np.int32] | None) -> None:
        """Set the superpixels, or None."""
        self._found = parts
        self.set_allowed(self._why_not)

    def set_allowed(self, why_not: str) -> None:
        """Enable the controls that can be used now."""
        self._why_not = why_not
        allow(self.find, "Part the surface into pieces that look alike in all directions", why_not)
        if not why_not and self._found is None:
            why_not = "Find superpixels first."
        allow(self.click, _CLICKS, why_not)
        self.note.setVisible(self._found is not None and not why_not)
        if self._found is not None:
            self.note.setText(f"{self._found.max():,} superpixels. {_CLICKS}")

    def _on_click(self, on: bool) -> None:
        self.clicking.emit(on)
