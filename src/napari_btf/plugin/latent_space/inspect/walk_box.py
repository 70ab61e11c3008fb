"""A walk between two texels in the latent space, and the position on it. A view."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from napari_btf.plugin.widgets.section import allow

__all__ = ["WalkBox"]

_STEPS = 100
_TIPS = (
    "Click a point of the map: the walk begins there",
    "Click a point of the map: the walk ends there",
)


class WalkBox(QWidget):
    """Two buttons that wait for a click on the map, and a slider.

    Signals
    -------
    changed
        The ends are others, or the slider moved.
    waiting
        Whether the next click on the map is meant for an end.
    """

    changed = Signal()
    waiting = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._ends: list[tuple[int, int] | None] = [None, None]
        self.buttons = QPushButton("Pick A"), QPushButton("Pick B")
        self.stop = QPushButton("End walk")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setAccessibleName("walk")
        row, way = QHBoxLayout(), QHBoxLayout()
        for button, tip in zip(self.buttons, _TIPS, strict=True):
            button.setCheckable(True)
            button.setToolTip(tip)
            button.clicked.connect(self._on_clicked)
            row.addWidget(button)
        row.addWidget(self.stop)
        way.addWidget(QLabel("A"))
        way.addWidget(self.slider, 1)
        way.addWidget(QLabel("B"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addLayout(way)
        self.stop.clicked.connect(self.forget)
        self.slider.valueChanged.connect(lambda _: self.changed.emit())
        self._show_state()

    @property
    def ends(self) -> tuple[tuple[int, int] | None, ...]:
        """The texels (y, x) at both ends of the walk; None for a missing one."""
        return tuple(self._ends)

    @property
    def is_ready(self) -> bool:
        """Whether both ends are chosen."""
        return None not in self._ends

    @property
    def share(self) -> float:
        """Position between the first end and the second, 0 to 1."""
        return self.slider.value() / _STEPS

    def pick(self, texel: tuple[int, int]) -> None:
        """Use a point that was clicked as the end that waits for a click, if one does."""
        for i, button in enumerate(self.buttons):
            if button.isChecked():
                self._ends[i] = texel
                button.setChecked(False)
                # The other end comes next, unless there is one.
                self.buttons[1].setChecked(i == 0 and self._ends[1] is None)
                self._show_state()
                self._tell()
                return

    def forget(self) -> None:
        """Forget both ends."""
        self._ends = [None, None]
        for button in self.buttons:
            button.setChecked(False)
        with QSignalBlocker(self.slider):
            self.slider.setValue(0)
        self._show_state()
        self._tell()

    def _on_clicked(self) -> None:
        # One at a time.
        for button in self.buttons:
            if button is not self.sender():
                button.setChecked(False)
        self._tell()

    def _tell(self) -> None:
        self.waiting.emit(any(button.isChecked() for button in self.buttons))
        self.changed.emit()

    def _show_state(self) -> None:
        missing = "" if self.is_ready else "Pick both ends first."
        allow(self.slider, "Walk from A to B: the decoded disk shows what lies there", missing)
        allow(self.stop, "Forget both ends", "" if any(self._ends) else "There is no walk.")
