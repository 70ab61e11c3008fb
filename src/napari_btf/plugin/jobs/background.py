"""One job at a time in a thread; of the jobs requested meanwhile, only the newest one runs."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal

from napari_btf.errors import BTFError
from napari_btf.plugin.jobs.threads import make_worker
from napari_btf.progress import GivenUp, set_wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from superqt.utils import GeneratorWorker

    from napari_btf.progress import Job

__all__ = ["Background", "Latest"]


class Background(QObject):
    """Runs the latest job; reports of older jobs are dropped.

    Signals
    -------
    progressed
        `Progress` of the job.
    done
        What the job returned.
    failed
        A sentence on what is wrong.
    changed
        A job was started, or none runs any more.

    Parameters
    ----------
    parent : QObject, optional
    is_brief : bool
        The jobs take moments. napari is not told of them: it asks before it closes while a job
        runs, and keeps every one that it was told of until then.
    """

    progressed = Signal(object)
    done = Signal(object)
    failed = Signal(str)
    changed = Signal()

    def __init__(self, parent: QObject | None = None, is_brief: bool = False) -> None:
        super().__init__(parent)
        self._is_brief = is_brief
        self._worker: GeneratorWorker | None = None
        self._current: _Ticket | None = None
        self._next: tuple[Job[Any], _Ticket] | None = None

    @property
    def running(self) -> bool:
        """Whether a job runs whose result is still wanted."""
        return self._current is not None

    def start(self, job: Job[Any]) -> None:
        """Run a job; a running one is abandoned first, at its next report."""
        if self._current is not None:
            self._current.give_back()
        self._current = _Ticket(self)
        self._next = job, self._current
        if self._worker is None:
            self._run_next()
        self.changed.emit()

    def cancel(self) -> None:
        """Abandon the job, which reports nothing more."""
        self._next = None
        if self._current is not None:
            self._current.give_back()
            self._current = None
            self.changed.emit()

    def _run_next(self) -> None:
        if self._next is None:
            return
        (job, ticket), self._next = self._next, None
        # Its errors come from the job's own hands: napari would show them a second time.
        worker = make_worker(_iterate, job, ticket, is_brief=self._is_brief)
        worker.yielded.connect(self._on_progress)
        worker.returned.connect(self._on_returned)
        worker.finished.connect(self._on_finished)
        self._worker = worker
        worker.start()

    def _on_progress(self, report: tuple[_Ticket, Any]) -> None:
        ticket, progress = report
        if ticket is self._current and ticket.valid:
            self.progressed.emit(progress)

    def _on_returned(self, result: tuple[_Ticket, Any, Exception | None]) -> None:
        ticket, value, error = result
        if ticket is not self._current or not ticket.valid:
            return
        self._current = None
        if error is None:
            self.done.emit(value)
        else:
            self.failed.emit(str(error) if isinstance(error, BTFError) else f"It failed: {error!r}")
        self.changed.emit()

    def _on_finished(self) -> None:
        self._worker = None
        self._run_next()


class Latest(QObject):
    """Runs short jobs to their end, one after the other; only the newest request waits.

    So work is always in progress while requests come faster than they can be served, and no queue
    builds up.

    Signals
    -------
    done
        What a job returned.
    failed
        A sentence on what is wrong.
    """

    done = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: Callable[[], Job[Any]] | None = None
        self._jobs = Background(self, is_brief=True)
        self._jobs.done.connect(self._on_done)
        self._jobs.failed.connect(self._on_failed)

    @property
    def busy(self) -> bool:
        """Whether a result is still to come."""
        return self._jobs.running

    def want(self, make: Callable[[], Job[Any]], at_once: bool = False) -> None:
        """Run the job that a function makes, in place of a waiting one.

        With ``at_once``, a running job is abandoned at its next report.
        """
        if at_once:
            self._waiting = None
            self._jobs.start(make())
        elif self._jobs.running:
            self._waiting = make
        else:
            self._jobs.start(make())

    def cancel(self) -> None:
        """Drop the waiting job and the result of the running one."""
        self._waiting = None
        self._jobs.cancel()

    def _on_done(self, result: Any) -> None:
        self._go_on()
        self.done.emit(result)

    def _on_failed(self, problem: str) -> None:
        self._go_on()
        self.failed.emit(problem)

    def _go_on(self) -> None:
        make, self._waiting = self._waiting, None
        if make is not None:
            self._jobs.start(make())


class _Ticket:
    """Tells the thread of a job whether the job is still wanted.

    It is not when the owner is gone, because a window may close while a thread still works.
    """

    def __init__(self, owner: Background) -> None:
        self._owner = weakref.ref(owner)
        self._given_back = False

    @property
    def valid(self) -> bool:
        """Whether the job is still wanted."""
        owner = self._owner()
        # Its Python half may outlive the widget.
        return not self._given_back and owner is not None and bool(isalive(owner))

    def give_back(self) -> None:
        """Declare that the job is no longer wanted."""
        self._given_back = True


def _iterate(job: Job[Any], ticket: _Ticket) -> Any:
    """Run a job in the worker's thread, and end it there as soon as it is not wanted.

    Errors are returned, because a napari worker ends without a signal at a RuntimeError.
    """
    set_wanted(lambda: ticket.valid)
    try:
        while ticket.valid:
            try:
                progress = next(job)
            except StopIteration as stop:
                return ticket, stop.value, None
            yield ticket, progress
    except GivenUp:
        return ticket, None, None
    except Exception as error:
        return ticket, None, error
    finally:
        job.close()
    return ticket, None, None
