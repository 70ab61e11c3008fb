"""A progress bar in napari's activity dock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari.utils import progress as napari_progress

from napari_btf.running.phases import phase_named

if TYPE_CHECKING:
    from napari_btf.progress import Progress

__all__ = ["Bar"]

#: napari repaints its window at every change of its bar.
_SECONDS = 1.0


class Bar:
    """One bar for all phases of a job, which changes its length and its text.

    Parameters
    ----------
    name : str
        What is being done.
    """

    def __init__(self, name: str) -> None:
        self._bar: napari_progress | None = napari_progress(total=0, desc=name)
        self._showing = False
        self._next = 0.0

    def show(self, progress: Progress) -> None:
        """Show a report, unless the last one was a moment ago."""
        # One at a time: napari's bar lets other events in, and the next report or the end may be
        # among them.
        bar, now = self._bar, time.monotonic()
        if bar is None or self._showing or now < self._next:
            return
        self._showing, self._next = True, now + _SECONDS
        if bar.total != progress.total or bar.n > progress.step:
            bar.reset(total=progress.total)
        name = phase_named(progress.phase).label
        if not bar.desc.startswith(name):
            bar.set_description(name)
        if progress.step != bar.n:
            bar.update(progress.step - bar.n)
        self._showing = False

    def close(self) -> None:
        """Remove the bar from the activity dock."""
        bar, self._bar = self._bar, None
        if bar is not None:
            try:
                bar.close()
            except RuntimeError:
                # The activity dock went with its window.
                return
