"""The choice of an environment, and the angle by which it is turned."""

from __future__ import annotations

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
    from napari_btf.plugin.relight.scene import Scene
    from napari_btf.progress import Job

__all__ = ["EnvironmentBox"]

_NONE = "none: the lights shine"
_FILES = "Images (*.hdr *.exr *.png *.jpg *.jpeg *.tif *.tiff);;All files (*)"
_TIP = "An environment lights the surface from all directions, in place of the lights"
_IMAGE_TIP = "An equirectangular image, twice as wide as high; linear .hdr and .exr, or sRGB"


class EnvironmentBox(QWidget):
    """Chooses and turns the environment; an image is read in a thread.

    Parameters
    ----------
    scene : Scene

    Signals
    -------
    failed
        A sentence that says what is wrong with an image.
    """

    failed = Signal(str)

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
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
        self.turn.valueChanged.connect(scene.turn_to)
        scene.allowed.connect(self._allow)
        scene.changed.connect(self._show)
        self._show()
        self._allow()

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

    def open_image(self, path: str) -> None:
        """Read an image of an environment and choose it; `failed` tells what is wrong."""
        self._reading.start(_read(path))

    def _show(self) -> None:
        degrees = round(self._scene.turn) % 360
        with QSignalBlocker(self.turn):
            self.turn.setValue(degrees)
        if self.turn_text.text() != f"{degrees}°":
            self.turn_text.setText(f"{degrees}°")

    def _allow(self) -> None:
        no = self._scene.no_model
        allow(self.choice, _TIP, no)
        allow(self.image, _IMAGE_TIP, no)
        nothing = "" if self._scene.is_surrounded else "Choose an environment first"
        allow(self.turn, "Turn the environment counter-clockwise about the normal", no or nothing)

    def _on_choice(self, _: int) -> None:
        self._scene.surround(self._known[self.choice.currentText()])

    def _ask_image(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Image of an environment", "", _FILES)
        if path:
            self.open_image(path)

    def _on_read(self, environment: Environment) -> None:
        name = environment.name
        # A file may have the name of a preset.
        if name in PRESETS or name == _NONE:
            name = f"{name} (file)"
        if name not in self._known:
            self.choice.addItem(name)
        self._known[name] = environment
        self.choice.setCurrentText(name)
        self._on_choice(0)


def _read(path: str) -> Job[Environment]:
    yield from ()
    # An absolute path is never taken for the name of a preset.
    return find_environment(Path(path).absolute())
