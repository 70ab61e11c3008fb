"""What long jobs report while they run."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

__all__ = ["Job", "Progress", "finish", "is_report_due", "mapped", "with_preview"]

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """One report of a running job.

    Parameters
    ----------
    phase : str
        What is being done, in one or two words.
    step, total : int
        Done and to do in this phase, in units of the phase; ``total`` is at least 1.
    train_error, validation_error : float, optional
        Mean squared errors, for the phases that have them.
    seconds : float
        Since the job began, where it is known.
    preview : callable, optional
        Gives the result as it would be now. To be called before the job goes on, in its thread.
    """

    phase: str
    step: int
    total: int
    train_error: float | None = None
    validation_error: float | None = None
    seconds: float = 0.0
    preview: Callable[[], Any] | None = field(default=None, repr=False, compare=False)


#: A long job: a generator of reports that returns its result. Closing it abandons the job.
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
    """The same job, whose reports offer a preview."""
    return mapped(job, lambda progress: replace(progress, preview=preview))


def mapped(job: Job[T], change: Callable[[Progress], Progress]) -> Job[T]:
    """The same job with other reports."""
    with closing(job):
        while True:
            try:
                progress = next(job)
            except StopIteration as stop:
                result: T = stop.value
                return result
            yield change(progress)


def is_report_due(step: int, total: int) -> bool:
    """Whether step ``1 .. total`` is worth a report: about a hundred of them a phase."""
    return step == total or step % max(1, total // 100) == 0
