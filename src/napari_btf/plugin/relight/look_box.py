"""The choice of a look: as captured, specular enhancement, diffuse gain, or shaded normals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QVBoxLayout, QWidget

from napari_btf.plugin.jobs.task import Task
from napari_btf.plugin.widgets.section import allow
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.relighting.looks import LOOKS, Look, shape_of

if TYPE_CHECKING:
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.relight.scene import Scene
    from napari_btf.progress import Job
    from napari_btf.relighting.looks import LookKind, Shape

__all__ = ["LookBox"]

_TIP = (
    "Looks that show the shape of the surface better than the captured light does (Malzbender et "
    "al. 2001). They need normals, which are estimated when a look is chosen first."
)
_STRENGTH_TIP = "How strong the look is; shaded normals have no strength"
_EXPONENT_TIP = "The exponent of the highlight: larger ones make it smaller"


class LookBox(QWidget):
    """Chooses the look of the scene, and estimates the normals in a thread when it needs them.

    Parameters
    ----------
    scene : Scene

    Signals
    -------
    failed
        A sentence that says what is wrong.
    """

    failed = Signal(str)

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self._model: CompressedBTF | None = None
        self._shape: Shape | None = None
        self.choice = QComboBox()
        self.choice.addItem("as captured", None)
        for kind, name in LOOKS.items():
            self.choice.addItem(name, kind)
        self.choice.setAccessibleName("look")
        self.strength = _number(0.0, 1.0, 0.05, 0.5)
        self.exponent = _number(1.0, 200.0, 5.0, 30.0)
        self.note = Note()
        self.note.setVisible(False)
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow("look", self.choice)
        self._form.addRow("strength", self.strength)
        self._form.addRow("exponent", self.exponent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._form)
        column.addWidget(self.note)
        self._task = Task(self)
        self._task.done.connect(self._on_shape)
        self._task.failed.connect(self._on_failed)
        self.choice.currentIndexChanged.connect(self._on_choice)
        for number in (self.strength, self.exponent):
            number.valueChanged.connect(self._on_choice)
        scene.allowed.connect(self._allow)
        self._allow()

    @property
    def kind(self) -> LookKind | None:
        """The chosen look, or None for the captured one."""
        kind: LookKind | None = self.choice.currentData()
        return kind

    def _on_choice(self, _: float = 0.0) -> None:
        kind, model = self.kind, self._scene.model
        self._show_numbers()
        if kind is None or model is None:
            self._task.cancel()
            self._say("")
            self._scene.set_look(None)
        elif self._shape is not None:
            look = Look(kind, self._shape, self.strength.value(), self.exponent.value())
            self._scene.set_look(look)
        elif not self._task.running:
            self._say("Estimating normals...")
            self._task.start(_shape_job(model), f"Normals of {model.source}".strip())

    def _on_shape(self, result: tuple[CompressedBTF, Shape]) -> None:
        model, shape = result
        if model is self._scene.model:
            self._shape = shape
            self._say("")
            self._on_choice()

    def _on_failed(self, problem: str) -> None:
        self._say("")
        self._reset()
        self.failed.emit(problem)

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _reset(self) -> None:
        with QSignalBlocker(self.choice):
            self.choice.setCurrentIndex(0)
        self._show_numbers()

    def _show_numbers(self) -> None:
        self._form.setRowVisible(self.strength, self.kind in ("specular", "gain"))
        self._form.setRowVisible(self.exponent, self.kind == "specular")

    def _allow(self) -> None:
        if self._scene.model is not self._model:
            self._model, self._shape = self._scene.model, None
            self._task.cancel()
            self._say("")
            self._reset()
        for control, tip in (
            (self.choice, _TIP),
            (self.strength, _STRENGTH_TIP),
            (self.exponent, _EXPONENT_TIP),
        ):
            allow(control, tip, self._scene.why_no_look)
        self._show_numbers()


def _number(least: float, most: float, step: float, value: float) -> QDoubleSpinBox:
    number = QDoubleSpinBox()
    number.setRange(least, most)
    number.setSingleStep(step)
    number.setValue(value)
    number.setKeyboardTracking(False)
    return number


def _shape_job(model: CompressedBTF) -> Job[tuple[CompressedBTF, Shape]]:
    return model, (yield from shape_of(model))
