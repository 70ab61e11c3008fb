"""The dock *Train*: choose options, watch, keep or cancel a training, save the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_btf.errors import BTFError
from napari_btf.plugin.frame import as_dock
from napari_btf.plugin.notices import show_error, show_info
from napari_btf.plugin.settings import recall, remember
from napari_btf.plugin.train.curve import Curve
from napari_btf.plugin.train.form import TrainingForm
from napari_btf.plugin.train.in_thread import outlook_of
from napari_btf.plugin.train.next_steps import NextSteps
from napari_btf.plugin.train.summary import Summary
from napari_btf.plugin.train.training import training_of
from napari_btf.plugin.viewer.choosers import NO_CAPTURE, ModelChooser
from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.plugin.widgets.progress_bar import ProgressBar
from napari_btf.plugin.widgets.section import Scrolled, allow
from napari_btf.plugin.widgets.wrapped_text import Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_btf.plugin.train.job import Status

__all__ = ["Train"]

_TRAIN = "Compress the capture with these choices"
_RUNS = "A training runs: wait for it, stop it or cancel it."
_NOT_RUNNING = "No training runs."
#: Steps of the bar, which goes over all phases.
_FINE = 1000


class Train(QWidget):
    """The form, the controls of a running training, and the results of the last one."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)
        self._training = training_of(self._workspace)
        self.run = self._training.run
        self.form = TrainingForm(self._workspace)
        self.outlook = Note()
        self.start_button = QPushButton("Train")
        self.pause_button = QPushButton("Pause")
        self.keep_button = QPushButton("Stop and keep")
        self.cancel_button = QPushButton("Cancel")
        self.bar = ProgressBar()
        self.message = Note()
        self.curve = Curve()
        self.summary = Summary(self._training)
        self.models = ModelChooser(self._workspace)
        self.save_button = QPushButton("Save model...")
        self.next_steps = NextSteps(self._workspace)
        self._lay_out()
        as_dock(self, "Train", self._workspace)
        self._connect()
        values = recall("training")
        if values:
            self.form.set_values(values)
        self._show_state()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for button in (self.start_button, self.pause_button, self.keep_button, self.cancel_button):
            buttons.addWidget(button)
        kept = QHBoxLayout()
        kept.addWidget(self.models, 1)
        kept.addWidget(self.save_button)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(6, 6, 6, 6)
        column.addWidget(self.form)
        column.addWidget(self.outlook)
        column.addLayout(buttons)
        column.addWidget(self.bar)
        column.addWidget(self.message)
        column.addWidget(self.curve)
        column.addWidget(self.summary)
        column.addWidget(self.next_steps)
        column.addLayout(kept)
        column.addStretch()
        self.scrolled = Scrolled(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.scrolled)

    def _connect(self) -> None:
        self.form.changed.connect(self._show_state)
        self.start_button.clicked.connect(self.start)
        self.pause_button.clicked.connect(self.run.toggle_pause)
        self.keep_button.clicked.connect(self._training.stop_and_keep)
        self.cancel_button.clicked.connect(self._training.cancel)
        self.save_button.clicked.connect(self._ask_save)
        slots: dict[Any, Callable[..., None]] = {
            self._workspace.models.changed: self._show_state,
            self._training.reported: self._on_report,
            self._training.changed: self._on_training,
        }
        follow_while_shown(self, slots)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Show the current model, and the training that runs."""
        super().showEvent(event)
        self._take_up()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Remember the choices."""
        super().hideEvent(event)
        remember("training", self.form.values())

    @property
    def running(self) -> bool:
        """Whether a training runs, or layers of its model are still to be added."""
        return self._training.running

    def start(self) -> None:
        """Start training on the chosen capture; an error becomes a notification."""
        if self.run.running:
            return
        try:
            plan = self.form.plan()
        except BTFError as error:
            self.message.setText(str(error))
            show_error(str(error))
            return
        remember("training", self.form.values())
        self.curve.clear()
        self._training.start(plan, self.form.captures.layer)
        self.curve.set_subject(self._training.subject)

    def save(self, path: str) -> None:
        """Save the model; an error becomes a notification."""
        model = self._workspace.models.current
        if model is None:
            show_error("There is no model to save yet: train one first.")
            return
        try:
            saved = model.save(path)
        except BTFError as error:
            show_error(str(error))
            return
        self._workspace.models.saved(model, saved)
        show_info(f"Model saved as {saved}.")

    def _on_report(self, status: Status) -> None:
        standing = status.standing
        if standing.left is None:
            self.bar.show_step(0, 0)
        else:
            self.bar.show_step(round(_FINE * standing.done), _FINE)
        self.message.setText(self._training.message)
        self._add_to_curve(status)

    def _add_to_curve(self, status: Status) -> None:
        progress = status.progress
        if progress.train_error is not None or progress.validation_error is not None:
            self.curve.add(progress.seconds, progress.train_error, progress.validation_error)
            self.curve.show()

    def _on_training(self) -> None:
        training = self._training
        if not self.run.running:
            self.bar.clear()
        if training.message:
            self.message.setText(training.message)
        if training.outcome is not self.summary.outcome:
            self.summary.show_outcome(training.outcome)
        self._show_state()

    def _take_up(self) -> None:
        """Show what runs, or how the last training ended: this dock may have been closed."""
        self.curve.clear()
        self.curve.set_subject(self._training.subject)
        for status in self._training.history:
            self._add_to_curve(status)
        if self.run.running and self._training.latest is not None:
            self._on_report(self._training.latest)
        self._on_training()

    def _show_state(self) -> None:
        run, btf = self.run, self.form.captures.btf
        ends = run.running and (run.cancelled or run.stopped)
        why_not = NO_CAPTURE if btf is None else ""
        allow(self.start_button, _TRAIN, _RUNS if run.running else why_not)
        idle = _NOT_RUNNING if not run.running else "It is about to end." if ends else ""
        pausing = "It stands still at its next report." if run.pausing else ""
        allow(self.pause_button, "Give the processor to something else", idle or pausing)
        self.pause_button.setText("Resume" if run.paused else "Pause")
        allow(self.keep_button, "End the training now and keep the best so far", idle)
        cancel = _NOT_RUNNING if not run.running else idle if run.cancelled else ""
        allow(self.cancel_button, "End the training now and keep nothing of it", cancel)
        no_model = (
            "" if self._workspace.models.current is not None else "Train or load a model first."
        )
        allow(self.save_button, "Write the model to a file", no_model)
        self.bar.setVisible(run.running)
        self.next_steps.setVisible(self._training.outcome is not None and not run.running)
        self.curve.setVisible(bool(self.curve.points))
        self._show_outlook()
        if run.running:
            return
        # The outcome of a training stays, also if its capture was closed meanwhile.
        if btf is not None and self.message.text() == NO_CAPTURE:
            self.message.setText("")
        elif btf is None and not self.message.text():
            self.message.setText(NO_CAPTURE)

    def _show_outlook(self) -> None:
        btf = self.form.captures.btf
        self.outlook.setVisible(btf is not None and not self.run.running)
        if btf is not None and not self.run.running:
            try:
                text = str(outlook_of(btf, self.form.settings))
            except BTFError as error:
                text = str(error)
            self.outlook.setText(" ".join(filter(None, (self.form.note, text))))

    def _ask_save(self) -> None:
        model = self._workspace.models.current
        name = "model" if model is None or not model.source else Path(model.source).stem
        path, _ = QFileDialog.getSaveFileName(
            self, "Save model", f"{name}.safetensors", "Model (*.safetensors)"
        )
        if path:
            self.save(path)
