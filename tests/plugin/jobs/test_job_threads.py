"""Threads of jobs: how they are stopped, and how the process ends when they do not stop."""

from __future__ import annotations

import os
import subprocess
import sys
from threading import Event, get_ident
from typing import TYPE_CHECKING

import pytest

from napari_btf.plugin.jobs.background import Background
from napari_btf.plugin.jobs.threads import end_all, wait_for_all
from napari_btf.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

HANGING = """
import atexit, sys, time
atexit.register(print, "\\nbefore")
from qtpy.QtCore import QCoreApplication
from napari_btf.plugin.jobs import threads
from napari_btf.plugin.jobs.background import Background
from napari_btf.progress import Progress
atexit.register(print, "\\nafter", end="")
threads._PATIENCE = 0.3
app = QCoreApplication([])
background = Background()
def job():
    yield Progress("training", 0, 1)
    hanging.append(True)
    time.sleep(600)
hanging = []
background.start(job())
while not hanging:
    app.processEvents()
print("ends", end="")
"""


def test_all_jobs_stop_at_their_next_report_and_close_in_their_threads(qtbot: QtBot) -> None:
    closed_by: list[int] = []

    def job() -> Iterator[Progress]:
        try:
            while True:
                yield Progress("training", 0, 1)
        finally:
            closed_by.append(get_ident())

    several = [Background(is_brief=is_brief) for is_brief in (True, False)]
    for background in several:
        with qtbot.waitSignal(background.progressed):
            background.start(job())
    assert not wait_for_all(0)
    assert end_all(20)
    assert len(set(closed_by)) == 2
    assert get_ident() not in closed_by
    # Its end is known to its owner.
    qtbot.waitUntil(lambda: wait_for_all(0))


@pytest.mark.usefixtures("qapp")
def test_what_does_not_stop_is_not_waited_for_longer() -> None:
    gate, works = Event(), Event()

    def job() -> Iterator[Progress]:
        works.set()
        gate.wait(60)
        yield Progress("training", 0, 1)

    background = Background()
    background.start(job())
    assert works.wait(20)
    assert not end_all(0.1)
    gate.set()
    assert wait_for_all(20)


@pytest.mark.parametrize(("end", "code"), [("", 0), ("raise ValueError", 1)])
def test_a_job_that_hangs_does_not_abort_the_process(end: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HANGING + end],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.returncode == code, done.stderr
    # What others do at the end is done, too.
    lines = done.stdout.splitlines()
    assert (lines[0], set(lines[1:])) == ("ends", {"after", "before"})
