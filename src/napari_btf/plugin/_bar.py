"""The bar of a job in napari's activity dock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari.utils import progress as napari_progress

from napari_btf.plugin._names import PHASES

if TYPE_CHECKING:
    from napari_btf.progress import Progress

__all__ = ["ActivityBar"]

#: napari repaints its window at every change of its bar.
_SECONDS = 1.0


class ActivityBar:
    """One bar for all phases of a job: its length and name change.

    Parameters
    ----------
    title : str
        What is done, until the job reports.
    """

    def __init__(self, title: str) -> None:
        self._bar: napari_progress | None = napari_progress(total=0, desc=title)
        self._showing = False
        self._next = 0.0

    def show(self, progress: Progress) -> None:
        """Show a report, if it is time for one; call it last, as the bar lets other events in."""
        now = time.monotonic()
        if self._bar is None or self._showing or now < self._next:
            return
        # One at a time: the next report may be among those events.
        self._showing, self._next = True, now + _SECONDS
        _show(self._bar, progress)
        self._showing = False

    def close(self) -> None:
        """Take the bar out of the activity dock."""
        bar, self._bar = self._bar, None
        if bar is not None:
            try:
                bar.close()
            except RuntimeError:
                # The activity dock went with its window.
                return


def _show(bar: napari_progress, progress: Progress) -> None:
    if bar.total != progress.total or bar.n > progress.step:
        bar.reset(total=progress.total)
    name = PHASES.get(progress.phase, progress.phase)
    if not bar.desc.startswith(name):
        bar.set_description(name)
    if progress.step != bar.n:
        bar.update(progress.step - bar.n)
