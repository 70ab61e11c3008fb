"""A long job of a dock, in a thread, with a bar in napari's activity dock; it can be cancelled."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QCoreApplication, QObject, Signal
from superqt.utils import ensure_main_thread

from napari_btf.plugin.jobs.activity_bar import Bar
from napari_btf.plugin.jobs.background import Background

if TYPE_CHECKING:
    from napari_btf.progress import Job, Progress

__all__ = ["Task"]

#: Previews a second, at most.
_RATE = 4.0


class Task(QObject):
    """Runs one job at a time; a new job replaces the running one.

    The job continues while its dock is hidden, and ends with the window.

    Signals
    -------
    progressed
        A `Progress`.
    previewed
        The result as it is now, where a report offers it.
    done
        What the job returned.
    failed
        A sentence on what is wrong.
    changed
        It started, or it is over.
    """

    progressed = Signal(object)
    previewed = Signal(object)
    done = Signal(object)
    failed = Signal(str)
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bar: Bar | None = None
        self._background = Background(self)
        self._background.progressed.connect(self._on_progress)
        self._background.done.connect(self.done)
        self._background.failed.connect(self.failed)
        self._background.changed.connect(self._on_changed)

    @property
    def running(self) -> bool:
        """Whether a job runs whose result is still wanted."""
        return self._background.running

    def start(self, job: Job[Any], name: str) -> None:
        """Run a job under a name on the bar."""
        self.cancel()
        self._bar = Bar(name)
        self._background.start(_with_bar(_previewed(job), self._bar))

    def cancel(self) -> None:
        """Abandon the job at its next report."""
        self._background.cancel()

    def _on_progress(self, progress: Progress) -> None:
        self.progressed.emit(progress)
        if progress.preview is not None:
            self.previewed.emit(progress.preview())
        if self._bar is not None:
            self._bar.show(progress)

    def _on_changed(self) -> None:
        if not self.running and self._bar is not None:
            self._bar.close()
            self._bar = None
        self.changed.emit()


def _with_bar(job: Job[Any], bar: Bar) -> Job[Any]:
    """Return the same job, which closes its bar at its end, even if its dock is gone."""
    try:
        return (yield from job)
    finally:
        # Without an application its window is gone, too.
        if QCoreApplication.instance() is not None:
            _close(bar)


@ensure_main_thread(await_return=False)
def _close(bar: Bar) -> None:
    bar.close()


def _previewed(job: Job[Any]) -> Job[Any]:
    """Return the same job with previews, made in its thread, no more often than people can see."""
    due = 0.0
    with closing(job):
        while True:
            try:
                progress = next(job)
            except StopIteration as stop:
                return stop.value
            if progress.preview is None or time.monotonic() < due:
                yield replace(progress, preview=None)
                continue
            preview = progress.preview()
            due = time.monotonic() + 1 / _RATE
            yield replace(progress, preview=partial(_same, preview))


def _same(preview: Any) -> Any:
    return preview
