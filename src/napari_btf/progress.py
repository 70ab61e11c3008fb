"""Progress reports of long jobs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from contextlib import closing
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

__all__ = [
    "GivenUp",
    "Job",
    "Progress",
    "finish",
    "is_report_due",
    "mapped",
    "set_wanted",
    "stop_if_given_up",
    "wait_while_wanted",
    "wanted_here",
    "with_preview",
]

T = TypeVar("T")

#: Seconds between two looks at whether a result is still wanted.
_LOOK = 0.1


@dataclass(frozen=True)
class Progress:
    """One report of a running job.

    Parameters
    ----------
    phase : str
        Name of the phase, as in `napari_btf.running.phases.PHASES`.
    step, total : int
        The steps done so far in this phase, and all of its steps. ``total`` is at least 1, or 0 if
        the phase cannot say how far it is.
    train_error, validation_error : float, optional
        Mean squared errors; None in phases that have none.
    seconds : float
        Time since the job began; 0 if the job does not measure it.
    preview : callable, optional
        Returns the result that the job would have if it ended now. Call it in the thread of the
        job, before the job continues.
    """

    phase: str
    step: int
    total: int
    train_error: float | None = None
    validation_error: float | None = None
    seconds: float = 0.0
    preview: Callable[[], Any] | None = field(default=None, repr=False, compare=False)


#: A long job: a generator that yields reports and returns the result. Closing it ends the job.
Job = Generator[Progress, None, T]


def finish(job: Job[T], report: Callable[[Progress], object] | None = None) -> T:
    """Run a job to its end.

    Parameters
    ----------
    job : Generator
    report : callable, optional
        Called with each `Progress`.

    Returns
    -------
    The job's result.
    """
    while True:
        try:
            progress = next(job)
        except StopIteration as stop:
            result: T = stop.value
            return result
        if report is not None:
            report(progress)


def with_preview(job: Job[T], preview: Callable[[], Any]) -> Job[T]:
    """The same job, with this preview in each of its reports."""
    return mapped(job, lambda progress: replace(progress, preview=preview))


def mapped(job: Job[T], change: Callable[[Progress], Progress]) -> Job[T]:
    """The same job, with each of its reports passed through ``change``."""
    with closing(job):
        while True:
            try:
                progress = next(job)
            except StopIteration as stop:
                result: T = stop.value
                return result
            yield change(progress)


def is_report_due(step: int, total: int) -> bool:
    """Whether to report this step (1 to ``total``): about a hundred reports in each phase."""
    return step == total or step % max(1, total // 100) == 0


class GivenUp(BaseException):
    """Ends a job between two of its reports, because its result is no longer wanted.

    It is no `Exception`, so that nobody takes it for a damaged file or a failed training.
    """


_wanted: ContextVar[Callable[[], bool] | None] = ContextVar("wanted", default=None)


def set_wanted(wanted: Callable[[], bool]) -> None:
    """Let the jobs of this thread ask whether their results are still wanted.

    Long calculations between two reports ask, and raise `GivenUp`. Without this call they never do.

    Parameters
    ----------
    wanted : callable
        Returns quickly, and may be called from any thread.
    """
    _wanted.set(wanted)


def wanted_here() -> Callable[[], bool]:
    """Return what tells whether the results of this thread are wanted, for threads that help it."""
    return _wanted.get() or _always


def stop_if_given_up() -> None:
    """Raise `GivenUp` if the result of the running job is no longer wanted."""
    if not wanted_here()():
        raise GivenUp


def wait_while_wanted(work: Callable[[], T]) -> T:
    """Call a function that cannot be interrupted, and wait for it while its result is wanted.

    If the result is given up, the function ends later, in a thread of its own.

    Raises
    ------
    GivenUp
    """
    if _wanted.get() is None:
        return work()
    pool = ThreadPoolExecutor(1, thread_name_prefix="napari-btf-wait")
    try:
        future = pool.submit(work)
        while True:
            stop_if_given_up()
            try:
                return future.result(_LOOK)
            except NotYetError:
                if future.done():
                    # The function itself has timed out.
                    raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _always() -> bool:
    return True
