"""A progress bar in napari's activity dock that lets no other events in.

`napari.utils.progress` is not used, because its bars handle all waiting events at every change.
Whatever waits is then done in the middle of a slot: layers are removed while others are drawn, and
the canvas is painted before OpenGL knows of its new layers, which ends the process.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari.utils import progress as napari_progress  # noqa: TID251 - only its text is used
from qtpy.compat import isalive
from qtpy.QtWidgets import QApplication

from napari_btf.plugin.widgets.progress_bar import painted_later
from napari_btf.running.phases import phase_named

if TYPE_CHECKING:
    from napari_btf.progress import Progress

__all__ = ["Bar"]

#: A report is shown, unless one was shown so recently.
_SECONDS = 1.0
#: Steps of a bar over several phases.
_FINE = 1000


class Bar:
    """One bar for all phases of a job, which changes its length and its text.

    Parameters
    ----------
    name : str
        What is being done.
    """

    def __init__(self, name: str) -> None:
        self._rows = _rows(name)
        self._next = 0.0
        self._phase, self._began = "", 0.0

    def show(self, progress: Progress) -> None:
        """Show a report, unless the last one was a moment ago."""
        now = time.monotonic()
        if not self._is_due(now):
            return
        if progress.phase != self._phase:
            self._phase, self._began = progress.phase, now
        # As napari's own bars say it: "12/80 [00:03<00:17, 3.90it/s]".
        meter = napari_progress.format_meter(progress.step, progress.total, now - self._began)
        self._write(
            phase_named(progress.phase).label,
            meter.split("|")[-1] if progress.total else "",
            progress.step,
            progress.total,
        )

    def show_all(self, words: str, done: float, left: str) -> None:
        """Show the share that is done of all phases, unless something was shown a moment ago."""
        if self._is_due(time.monotonic()):
            self._write(words, left, round(_FINE * done), _FINE)

    def _is_due(self, now: float) -> bool:
        if now < self._next:
            return False
        self._next = now + _SECONDS
        return True

    def _write(self, words: str, left: str, step: int, total: int) -> None:
        for row in filter(isalive, self._rows):
            row.description_label.setText(f"{words}: ")
            row.eta_label.setText(left)
            with painted_later(row.qt_progress_bar):
                row.qt_progress_bar.setRange(0, total)
                row.qt_progress_bar.setValue(step)

    def close(self) -> None:
        """Remove the bar from the activity dock."""
        rows, self._rows = self._rows, []
        # An activity dock may have gone with its window.
        for row in filter(isalive, rows):
            row.close()
            row.deleteLater()


def _rows(name: str) -> list[Any]:
    """Return new rows, one in the activity dock of each window; none where there is no window.

    napari has no public way to them. If another version of it has other names, the docks of this
    plugin still show how far their jobs are.
    """
    try:
        from napari._qt.dialogs.qt_activity_dialog import QtActivityDialog
        from napari._qt.widgets.qt_progress_bar import QtLabeledProgressBar

        rows = []
        for dialog in QApplication.allWidgets():
            if isinstance(dialog, QtActivityDialog):
                row = QtLabeledProgressBar()
                row.setRange(0, 0)
                row.description_label.setText(f"{name}: ")
                dialog._activityLayout.addWidget(row)
                row.destroyed.connect(dialog.maybe_hide_progress_indicator)
                dialog._toggleButton._inProgressIndicator.movie().start()
                dialog._toggleButton._inProgressIndicator.show()
                rows.append(row)
    except (ImportError, AttributeError):
        return []
    return rows
