"""The buttons above the map: the mode of the mouse, and actions on the whole selection. A view."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QWidget

from napari_btf.plugin.latent_space.map.canvas import MODES

__all__ = ["MapBar"]

_KEYS = "Shift adds to the selection, Alt or Ctrl takes away from it."
_TIPS = {
    "lasso": f"Draw around points to select them. {_KEYS}",
    "rectangle": f"Draw a rectangle around points to select them. {_KEYS}",
    "click": f"Click a point to select its texel. {_KEYS}",
    "move": "Drag the map; the right button does so in any mode, the wheel zooms",
}


class MapBar(QWidget):
    """Buttons above the map.

    Signals
    -------
    mode_chosen
        One of `MODES`.
    inverted, cleared, fitted
        What the other buttons say.
    """

    mode_chosen = Signal(str)
    inverted = Signal()
    cleared = Signal()
    fitted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.modes: dict[str, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        # One of them is pressed at any time.
        self._group = QButtonGroup(self)
        for mode in MODES:
            button = _button(mode, _TIPS[mode])
            button.setCheckable(True)
            button.setChecked(mode == MODES[0])
            self._group.addButton(button)
            self.modes[mode] = button
            row.addWidget(button)
        self._group.buttonClicked.connect(self._on_clicked)
        row.addStretch()
        self.invert = _button("invert", "Select all other texels")
        self.clear = _button("clear", "Select nothing")
        self.fit = _button(
            "fit", "Make room for all points; a double click on the map does so, too"
        )
        for button, signal in (
            (self.invert, self.inverted),
            (self.clear, self.cleared),
            (self.fit, self.fitted),
        ):
            button.clicked.connect(signal)
            row.addWidget(button)

    def _on_clicked(self, button: QPushButton) -> None:
        self.mode_chosen.emit(button.text())


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    # As narrow as its text: seven of them share the width of a dock.
    button.setFixedWidth(button.fontMetrics().horizontalAdvance(text) + 14)
    button.setToolTip(tip)
    return button
