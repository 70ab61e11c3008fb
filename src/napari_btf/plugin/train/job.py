"""One training in a thread: its requests, its reports, its end."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal, Slot

from napari_btf.plugin.jobs.activity_bar import Bar
from napari_btf.plugin.jobs.threads import make_worker
from napari_btf.plugin.train.in_thread import Orders, Outcome, Plan, Preview, expected_phases, work
from napari_btf.training.course import Course
from napari_btf.training.outlook import duration

if TYPE_CHECKING:
    import numpy as np
    from napari.qt.threading import GeneratorWorker
    from numpy.typing import NDArray

    from napari_btf.progress import Progress
    from napari_btf.training.course import Standing

__all__ = ["Run", "Status"]

#: After so many seconds without a report the time that is left is reckoned without one.
_SILENCE = 1.5
#: What napari says of a training when it asks whether to close.
_LOST = "its model would be lost (Stop and keep, in the dock Train, keeps it)"


@dataclass(frozen=True, eq=False)
class Status:
    """A progress report for the dock.

    Parameters
    ----------
    progress : Progress
    standing : Standing
        How far it is in all of its phases.
    """

    progress: Progress
    standing: Standing


class _Control(QObject):
    """The thread of a training from start to end, with its bar in the activity dock.

    It has no Qt parent, and is kept while the thread works, because its window may be destroyed
    before.

    Signals
    -------
    ended
        The thread is done.
    """

    ended = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.orders = Orders()
        self.worker: GeneratorWorker | None = None
        self.bar: Bar | None = None

    def start(self, worker: GeneratorWorker, name: str) -> None:
        """Start a thread, with a named bar."""
        self.worker, self.bar = worker, Bar(name)
        _working.add(self)
        worker.finished.connect(self._on_finished)
        worker.start()

    @Slot()
    def abandon(self) -> None:
        """End everything, even if the window no longer exists."""
        self.orders.stopped = True
        if self.worker is not None:
            self.worker.quit()
        self._close_bar()

    @Slot()
    def _on_finished(self) -> None:
        self._close_bar()
        self.worker = None
        _working.discard(self)
        self.ended.emit()

    def _close_bar(self) -> None:
        bar, self.bar = self.bar, None
        if bar is not None:
            bar.close()


_working: set[_Control] = set()


class Run(QObject):
    """The training of a dock; only one runs at a time.

    Signals
    -------
    reported
        `Status`.
    previewed
        `Preview`.
    done
        `Outcome`.
    failed
        The exception that ended it.
    changed
        It started, was paused, went on, or is over.
    """

    reported = Signal(object)
    previewed = Signal(object)
    done = Signal(object)
    failed = Signal(object)
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._control = _Control()
        self._control.ended.connect(self._on_ended)
        self._course = Course({})
        self._latest: tuple[Progress, float] | None = None
        #: Some steps take minutes without a report; the time that is left goes down all the same.
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._on_tick)
        self._pausing = False
        # The dock may be destroyed with its window while the thread still trains. To a slot of an
        # object that outlives it: a function that is called from the ruins may end the process.
        self.destroyed.connect(self._control.abandon)

    @property
    def running(self) -> bool:
        """Whether a training runs, or is about to end."""
        return self._control.worker is not None

    @property
    def paused(self) -> bool:
        """Whether the training is paused."""
        return self._control.worker is not None and self._control.worker.is_paused

    @property
    def pausing(self) -> bool:
        """Whether the training will pause at its next report."""
        return self._pausing and not self.paused

    @property
    def cancelled(self) -> bool:
        """Whether the result of the training is discarded."""
        worker = self._control.worker
        return worker is None or worker.abort_requested

    @property
    def ending(self) -> str:
        """What still follows after the training was stopped, and about how long that takes."""
        left, follows = self._course.left, self._course.remaining
        about = "" if left is None else f", about {duration(left)} in all"
        return f"Stopping; still to come: {follows}{about}" if follows else "Stopping"

    @property
    def stopped(self) -> bool:
        """Whether the training was asked to end."""
        return self._control.orders.stopped

    def start(self, plan: Plan) -> None:
        """Start a training, unless one runs."""
        if self.running:
            return
        control = self._control
        control.orders = Orders(directions=control.orders.directions)
        self._pausing, self._course = False, Course(expected_phases(plan))
        name = f"Training {plan.btf.name}"
        # Its errors come to `failed` alone, else napari would show them a second time.
        worker = make_worker(
            work, plan, control.orders, ignore_errors=True, what=f"{name}: {_LOST}"
        )
        worker.yielded.connect(self._on_report)
        worker.returned.connect(self._on_returned)
        worker.errored.connect(self._on_error)
        worker.paused.connect(self._on_paused)
        worker.resumed.connect(self.changed)
        self._latest = None
        self._clock.start()
        control.start(worker, name)
        self.changed.emit()

    def toggle_pause(self) -> None:
        """Pause at the next report, or resume."""
        worker = self._control.worker
        if worker is None:
            return
        if worker.is_paused:
            self._pausing = False
            worker.resume()
        elif not self._pausing:
            self._pausing = True
            worker.pause()
        self.changed.emit()

    def stop_and_keep(self) -> None:
        """End the training now; encoding and measuring still follow."""
        self._control.orders.stopped = True
        self._course.stop()
        if self.paused:
            self.toggle_pause()
        self.changed.emit()

    def cancel(self) -> None:
        """End the job now and discard it."""
        if self._control.worker is not None:
            self._control.orders.stopped = True
            self._control.worker.quit()
            self.changed.emit()

    def look(self, light: NDArray[np.float64], view: NDArray[np.float64]) -> None:
        """Show previews under other directions from now on, given as unit vectors."""
        self._control.orders.directions = light, view

    def _on_paused(self) -> None:
        # A click on "stop" may have come before the thread stood still.
        if self._control.orders.stopped:
            self.toggle_pause()
        self.changed.emit()

    def _on_report(self, report: tuple[Progress, Preview | None]) -> None:
        if self.cancelled:
            return
        progress, preview = report
        self._latest = progress, time.monotonic()
        self._show(progress)
        if preview is not None:
            self.previewed.emit(preview)

    def _on_tick(self) -> None:
        if self._latest is None or self.paused or self.cancelled:
            return
        progress, at = self._latest
        since = time.monotonic() - at
        if since > _SILENCE:
            without = replace(progress, train_error=None, validation_error=None)
            self._show(replace(without, seconds=progress.seconds + since))

    def _show(self, progress: Progress) -> None:
        standing = self._course.standing(progress)
        self.reported.emit(Status(progress, standing))
        if self._control.bar is not None:
            left = "" if standing.left is None else f"{duration(standing.left)} left"
            self._control.bar.show_all(f"Training: {standing.words}", standing.done, left)

    def _on_returned(self, outcome: Outcome) -> None:
        # The thread may have been faster than the click on Cancel.
        if not self.cancelled:
            self.done.emit(outcome)

    def _on_error(self, error: Exception) -> None:
        self.failed.emit(error)

    def _on_ended(self) -> None:
        self._pausing = False
        self._clock.stop()
        self.changed.emit()
