"""The dock *Train*: choose options, watch, keep or cancel a training, save the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QTimer
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
from napari_btf.plugin.train.job import Run
from napari_btf.plugin.train.preview import PreviewLayer
from napari_btf.plugin.train.summary import Summary
from napari_btf.plugin.viewer.choosers import NO_CAPTURE, ModelChooser
from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.viewer.model_layers import model_of
from napari_btf.plugin.viewer.own_layer import add_quietly
from napari_btf.plugin.viewer.placing import Watch, free_place
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.plugin.widgets.progress_bar import ProgressBar
from napari_btf.plugin.widgets.section import Scrolled, allow
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.running.phases import phase_named
from napari_btf.training.outlook import duration, outlook

if TYPE_CHECKING:
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_btf.plugin.train.in_thread import Outcome
    from napari_btf.plugin.train.job import Status
    from napari_btf.plugin.viewer.model_layers import LayerData

__all__ = ["Train"]

_TRAIN = "Compress the capture with these choices"
_RUNS = "A training runs: wait for it, stop it or cancel it."
_NOT_RUNNING = "No training runs."
_CANCELLED = "Cancelled: nothing was changed."


class Train(QWidget):
    """The form, the controls of a running training, and the results of the last one."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)
        self._waiting: list[LayerData] = []
        self.form = TrainingForm(self._workspace)
        self.outlook = Note()
        self.start_button = QPushButton("Train")
        self.pause_button = QPushButton("Pause")
        self.keep_button = QPushButton("Stop and keep")
        self.cancel_button = QPushButton("Cancel")
        self.bar = ProgressBar()
        self.message = Note()
        self.curve = Curve()
        self.summary = Summary()
        self.models = ModelChooser(self._workspace)
        self.save_button = QPushButton("Save model...")
        self.run = Run(self)
        self._watch = Watch(self._workspace)
        self.preview = PreviewLayer(self._workspace, self.run, self._watch, self)
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
        self.keep_button.clicked.connect(self.run.stop_and_keep)
        self.cancel_button.clicked.connect(self.cancel)
        self.save_button.clicked.connect(self._ask_save)
        self.run.reported.connect(self._on_report)
        self.run.done.connect(self._on_done)
        self.run.failed.connect(self._on_error)
        self.run.changed.connect(self._on_run)
        follow_while_shown(self, {self._workspace.models.changed: self._show_state})

    def showEvent(self, event: QShowEvent | None) -> None:
        """Show the current model."""
        super().showEvent(event)
        self._show_state()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Remember the choices."""
        super().hideEvent(event)
        remember("training", self.form.values())

    @property
    def running(self) -> bool:
        """Whether a training runs, or layers of its model are still to be added."""
        return self.run.running or bool(self._waiting)

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
        self.summary.cancel()
        self.curve.clear()
        self.message.setText("Starting")
        self.preview.begin(self.form.captures.layer)
        self.run.start(plan)

    def cancel(self) -> None:
        """End the job now and discard it; an earlier model stays."""
        if self.run.running:
            self.run.cancel()
            self.message.setText(_CANCELLED)

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
        progress = status.progress
        self.bar.show_step(progress.step, progress.total)
        text = phase_named(progress.phase).label
        if status.left is not None:
            text += f", about {duration(status.left)} left"
        self.message.setText(text)
        if progress.train_error is not None or progress.validation_error is not None:
            self.curve.add(progress.seconds, progress.train_error, progress.validation_error)
            self.curve.show()

    def _on_done(self, outcome: Outcome) -> None:
        model = outcome.model
        self.summary.show_outcome(outcome)
        self._workspace.models.current = model
        self.preview.end()
        self._waiting += outcome.layers
        QTimer.singleShot(0, self._add_next)
        self.message.setText("Done: open Relight to move the light, Compare to see the error.")
        if model.path is not None:
            self._workspace.models.saved(model, model.path)
            self.message.setText(f"Saved as {model.path}.")
        if outcome.report.note:
            self.message.setText(f"Done; but {outcome.report.note}.")
        if outcome.problem:
            text = f"Not saved, but kept here: {outcome.problem}"
            self.message.setText(text)
            show_error(text)

    def _add_next(self) -> None:
        """Add the next layer of a new model; one at a time, because each takes napari a while."""
        viewer = self._workspace.viewer
        if viewer is None or not self._waiting:
            return
        layer = Layer.create(*self._waiting.pop(0))
        model = model_of(layer)
        assert model is not None
        corner = free_place(viewer, model.height, model.width, row=1)
        layer.translate = (0.0,) * (layer.ndim - 2) + corner
        # Whoever paints meanwhile goes on painting.
        add_quietly(viewer, layer)
        self._watch.show_all()
        if self._waiting:
            QTimer.singleShot(0, self._add_next)

    def _on_error(self, error: Exception) -> None:
        if isinstance(error, BTFError):
            self.message.setText(str(error))
            show_error(str(error))
        else:
            self.message.setText(f"The training failed: {error}")
            # A defect: napari shows its traceback on demand.
            notification_manager.receive_error(type(error), error, error.__traceback__)

    def _on_run(self) -> None:
        if not self.run.running:
            self.preview.end()
            self.bar.clear()
        if self.run.paused:
            self.message.setText("Paused.")
        self._show_state()

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
                self.outlook.setText(str(outlook(btf, self.form.settings)))
            except BTFError as error:
                self.outlook.setText(str(error))

    def _ask_save(self) -> None:
        model = self._workspace.models.current
        name = "model" if model is None or not model.source else Path(model.source).stem
        path, _ = QFileDialog.getSaveFileName(
            self, "Save model", f"{name}.safetensors", "Model (*.safetensors)"
        )
        if path:
            self.save(path)
