"""A job that people watch: its thread, its bar in the activity dock, its pictures on the way."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_btf.plugin._bar import Bar
from napari_btf.plugin._jobs import Background

if TYPE_CHECKING:
    from napari_btf.progress import Job, Progress

__all__ = ["Watched"]

#: Pictures a second, at most.
_RATE = 4.0


class Watched(QObject):
    """One job at a time; another one takes its place.

    Signals
    -------
    reported
        `Progress`.
    previewed
        The result as it is now.
    done
        What the job returned.
    failed
        A sentence on what is wrong.
    changed
        A job was started, or none runs any more.
    """

    reported = Signal(object)
    previewed = Signal(object)
    done = Signal(object)
    failed = Signal(str)
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bar: Bar | None = None
        self._jobs = Background(self)
        self._jobs.progressed.connect(self._on_progress)
        self._jobs.done.connect(self.done)
        self._jobs.failed.connect(self.failed)
        self._jobs.changed.connect(self._on_changed)

    @property
    def running(self) -> bool:
        """Whether a job runs."""
        return self._jobs.running

    def start(self, job: Job[Any], title: str) -> None:
        """Run a job.

        Parameters
        ----------
        job : Generator
            Whose reports may offer a preview.
        title : str
            Of the bar in napari's activity dock.
        """
        self.cancel()
        self._bar = bar = Bar(title)
        # The dock may be destroyed with its window while the thread still works.
        self.destroyed.connect(bar.close)
        self._jobs.start(_pictured(job))

    def cancel(self) -> None:
        """Abandon the job at its next report."""
        self._jobs.cancel()

    def _on_progress(self, progress: Progress) -> None:
        self.reported.emit(progress)
        if progress.preview is not None:
            self.previewed.emit(progress.preview())
        if self._bar is not None:
            self._bar.show(progress)

    def _on_changed(self) -> None:
        if not self._jobs.running and self._bar is not None:
            bar, self._bar = self._bar, None
            bar.close()
        self.changed.emit()


def _pictured(job: Job[Any]) -> Job[Any]:
    """The same job; its previews are made in its own thread, and no more than people can see."""
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
            picture = progress.preview()
            due = time.monotonic() + 1 / _RATE
            yield replace(progress, preview=partial(_same, picture))


def _same(picture: Any) -> Any:
    return picture
