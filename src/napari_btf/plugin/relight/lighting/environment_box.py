"""Light from all around: which surroundings, and how they are turned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_btf.plugin.jobs.background import Background
from napari_btf.plugin.widgets.section import allow
from napari_btf.relighting import PRESETS, Environment, find_environment

if TYPE_CHECKING:
    from napari_btf.progress import Job

__all__ = ["EnvironmentBox"]

_NONE = "none: the lights shine"
_FILES = "Images (*.hdr *.exr *.png *.jpg *.jpeg *.tif *.tiff);;All files (*)"
_TIP = "What lights the surface from all around, in place of the lights"
_IMAGE_TIP = "An equirectangular image, twice as wide as high; linear .hdr and .exr, or sRGB"


class EnvironmentBox(QWidget):
    """Chooses surroundings; an image of them is read in a thread.

    Signals
    -------
    changed
        A hand chose others.
    turned
        A hand turned them.
    failed
        A sentence on what is wrong with an image.
    """

    changed = Signal()
    turned = Signal()
    failed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, Environment | None] = {_NONE: None}
        self._known.update({name: find_environment(name) for name in PRESETS})
        self.choice = QComboBox()
        self.choice.addItems(list(self._known))
        self.choice.setAccessibleName("environment")
        self.choice.setMinimumContentsLength(10)
        self.image = QPushButton("Image...")
        self.turn = QSlider(Qt.Orientation.Horizontal)
        self.turn.setRange(0, 359)
        self.turn.setPageStep(15)
        self.turn.setAccessibleName("turn")
        self.turn_text = QLabel()
        self.turn_text.setMinimumWidth(self.turn_text.fontMetrics().horizontalAdvance("359°"))
        self._lay_out()
        self._reading = Background(self)
        self._reading.done.connect(self._on_read)
        self._reading.failed.connect(self.failed)
        self.choice.activated.connect(self._on_choice)
        self.image.clicked.connect(self._ask_image)
        self.turn.valueChanged.connect(self._on_turn)
        self.set_turn(0.0)
        self.set_why_not("")

    def _lay_out(self) -> None:
        first, second = QHBoxLayout(), QHBoxLayout()
        for row in (first, second):
            row.setSpacing(4)
        first.addWidget(self.choice, 1)
        first.addWidget(self.image)
        second.addWidget(QLabel("turn"))
        second.addWidget(self.turn, 1)
        second.addWidget(self.turn_text)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(first)
        column.addLayout(second)

    @property
    def environment(self) -> Environment | None:
        """The surroundings as they are turned, or None for lights."""
        return self.turned_to(self._turn)

    @property
    def degrees(self) -> float:
        """How far they are turned, counter-clockwise."""
        return self._turn

    def turned_to(self, degrees: float) -> Environment | None:
        """The surroundings, turned counter-clockwise so far; None for lights."""
        chosen = self._known[self.choice.currentText()]
        return None if chosen is None else replace(chosen, turn=float(degrees) % 360.0)

    @property
    def why_not_turn(self) -> str:
        """Why there is nothing to turn, or nothing."""
        return "" if self.environment is not None else "Choose an environment first"

    def open_image(self, path: str) -> None:
        """Read an image of surroundings and choose it; what is wrong is told by `failed`."""
        self._reading.start(_read(path))

    def set_turn(self, degrees: float) -> None:
        """Turn the surroundings; nobody is told."""
        self._turn = float(degrees) % 360.0
        with QSignalBlocker(self.turn):
            self.turn.setValue(round(self._turn) % 360)
        self.turn_text.setText(f"{self.turn.value()}°")

    def set_why_not(self, why_not: str) -> None:
        """Disable everything for a reason, or enable it again."""
        self._why_not = why_not
        allow(self.choice, _TIP, why_not)
        allow(self.image, _IMAGE_TIP, why_not)
        allow(self.turn, "Counter-clockwise about the normal", why_not or self.why_not_turn)

    def _on_choice(self, _: int) -> None:
        self.set_why_not(self._why_not)
        self.changed.emit()

    def _on_turn(self, degrees: int) -> None:
        self._turn = float(degrees)
        self.turn_text.setText(f"{degrees}°")
        self.turned.emit()

    def _ask_image(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Image of surroundings", "", _FILES)
        if path:
            self.open_image(path)

    def _on_read(self, environment: Environment) -> None:
        name = environment.name
        # A file may be called like a preset.
        if name in PRESETS or name == _NONE:
            name = f"{name} (file)"
        if name not in self._known:
            self.choice.addItem(name)
        self._known[name] = environment
        self.choice.setCurrentText(name)
        self._on_choice(0)


def _read(path: str) -> Job[Environment]:
    yield from ()
    # Never a preset: a path is meant.
    return find_environment(Path(path).absolute())
