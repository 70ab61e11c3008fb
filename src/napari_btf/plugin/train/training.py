"""The training of a workspace: it goes on while no dock shows it, and its model arrives by itself.

A dock that is closed and opened again is another widget. It finds here what runs, what was
reported, and the results of the last training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from napari.utils.notifications import notification_manager
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_btf.errors import BTFError
from napari_btf.evaluate import evaluate
from napari_btf.plugin.jobs.background import Background
from napari_btf.plugin.notices import show_error
from napari_btf.plugin.train.in_thread import subject_of
from napari_btf.plugin.train.job import Run
from napari_btf.plugin.train.preview import PreviewLayer
from napari_btf.plugin.viewer.model_layers import model_of
from napari_btf.plugin.viewer.own_layer import add_quietly
from napari_btf.plugin.viewer.placing import Watch, free_place
from napari_btf.running.phases import phase_named

if TYPE_CHECKING:
    from napari_btf.evaluate import Evaluation
    from napari_btf.plugin.train.in_thread import Outcome, Plan
    from napari_btf.plugin.train.job import Status
    from napari_btf.plugin.viewer.model_layers import LayerData
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["Training", "training_of"]

_CANCELLING = "Cancelling…"
_CANCELLED = "Cancelled: nothing was changed."


class Training(QObject):
    """Runs one training at a time, and adds its model to the viewer.

    Signals
    -------
    reported
        A `Status` arrived.
    changed
        Something else changed: it started, was paused, went on, or is over.

    Attributes
    ----------
    run : Run
    message : str
        What is going on, or how the last training ended.
    subject : str
        What the errors in the reports are errors of.
    latest : Status or None
        The latest report.
    history : list of Status
        Reports of the present or the last training that have errors, for a curve.
    outcome : Outcome or None
        The results of the last training that was not cancelled.
    comparison : Background
        Fits classical codecs, on request.
    compared : Evaluation or None
        The model of the last training beside classical codecs.
    """

    reported = Signal(object)
    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._waiting: list[LayerData] = []
        self._watch = Watch(workspace.viewer)
        self.run = Run(self)
        self.preview = PreviewLayer(workspace, self.run, self._watch, self)
        self.message, self.subject = "", ""
        self.latest: Status | None = None
        self.history: list[Status] = []
        self.outcome: Outcome | None = None
        self.compared: Evaluation | None = None
        self.comparison = Background(self)
        self.comparison.done.connect(self._on_compared)
        self.run.reported.connect(self._on_report)
        self.run.done.connect(self._on_done)
        self.run.failed.connect(self._on_error)
        self.run.changed.connect(self._on_run)

    @property
    def running(self) -> bool:
        """Whether a training runs, or layers of its model are still to be added."""
        return self.run.running or bool(self._waiting)

    def start(self, plan: Plan, capture: Any) -> None:
        """Start a training, with a preview that follows the sliders of a capture layer."""
        self.comparison.cancel()
        self.message, self.latest, self.history = "Starting", None, []
        self.subject = subject_of(plan)
        self.preview.begin(capture)
        self.run.start(plan)

    def stop_and_keep(self) -> None:
        """End the training now and keep the best so far; what still follows is said."""
        self.run.stop_and_keep()
        self._say(self.run.ending)

    def cancel(self) -> None:
        """End the training now and discard it; an earlier model stays."""
        if self.run.running:
            self._say(_CANCELLING)
            self.run.cancel()

    def _say(self, text: str) -> None:
        self.message = text
        self.changed.emit()

    def compare(self) -> None:
        """Fit classical codecs to the capture of the last training, for `compared`."""
        if self.outcome is not None:
            plan = self.outcome.plan
            self.compared = None
            self.comparison.start(evaluate(self.outcome.model, plan.btf, plan.held_out))

    def _on_compared(self, found: Evaluation) -> None:
        self.compared = found

    def _on_report(self, status: Status) -> None:
        self.latest, progress = status, status.progress
        if progress.train_error is not None or progress.validation_error is not None:
            self.history.append(status)
        self.message = str(status.standing)
        if self.run.stopped and phase_named(progress.phase).keeps_best:
            self.message = self.run.ending
        self.reported.emit(status)

    def _on_done(self, outcome: Outcome) -> None:
        model = outcome.model
        self.outcome, self.compared = outcome, None
        self._workspace.models.current = model
        self.preview.end()
        self._waiting += outcome.layers
        QTimer.singleShot(0, self._add_next)
        self.message = "Done: open Relight to move the light, Compare to see the error."
        if model.path is not None:
            self._workspace.models.saved(model, model.path)
            self.message = f"Saved as {model.path}."
        if outcome.report.note:
            self.message = f"Done; but {outcome.report.note}."
        if outcome.problem:
            self.message = f"Not saved, but kept here: {outcome.problem}"
            show_error(self.message)
        self.changed.emit()

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
            self._say(str(error))
            show_error(str(error))
        else:
            self._say(f"The training failed: {error}")
            # A defect: napari shows its traceback on demand.
            notification_manager.receive_error(type(error), error, error.__traceback__)

    def _on_run(self) -> None:
        if not self.run.running:
            self.preview.end()
            if self.message == _CANCELLING:
                self.message = _CANCELLED
        if self.run.paused and not self.run.cancelled:
            self.message = "Paused."
        self.changed.emit()


def training_of(workspace: Workspace) -> Training:
    """Return the training of a workspace, which is made at the first call."""
    training: Training = workspace.owned("training", lambda: Training(workspace))
    return training
