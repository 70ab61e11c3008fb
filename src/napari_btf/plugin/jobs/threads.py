"""Threads of jobs, which the end of the process stops and waits for.

Python ends a thread that still works when the interpreter ends, at the moment at which the thread
next wants to run Python. Inside of C++ (torch, Qt's own threads) this aborts the process. So no job
may be left by then.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from napari import current_viewer
from napari.qt import threading as of_napari
from napari.utils.task_status import Status
from qtpy.QtCore import QThread, QTimer
from superqt.utils import GeneratorWorker, create_worker

from napari_btf.progress import GivenUp, set_wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["end_all", "make_worker", "wait_for_all"]

#: Seconds that the end of the process waits for jobs: longer than importing torch takes.
_PATIENCE = 10.0

_working: dict[Thread, GeneratorWorker] = {}


class _InOwnThread:
    """Runs a napari worker in a thread of Python, and its generator there to its very end.

    napari waits for the threads of Qt for as long as they take when its last window is closed.
    """

    _gen: Generator[Any, Any, Any]

    def start(self) -> None:
        """Start the thread: at once, or where events are handled, after those that wait."""
        if QThread.currentThread().loopLevel():
            QTimer.singleShot(1, self._start_now)
        else:
            self._start_now()

    def _start_now(self) -> None:
        for ended in [thread for thread in _working if not thread.is_alive()]:
            del _working[ended]
        worker: Any = self
        thread = Thread(target=worker.run, name="napari-btf-job", daemon=True)
        worker.finished.connect(partial(_forget, thread))
        thread.start()
        _working[thread] = worker

    def work(self) -> Any:
        """Do the work; what was abandoned is closed here, not where its last reference is lost."""
        worker: Any = self
        set_wanted(lambda: not worker.abort_requested)
        try:
            return super().work()  # type: ignore[misc]
        except GivenUp:
            worker.aborted.emit()
            return None
        finally:
            self._gen.close()


class _Worker(_InOwnThread, of_napari.GeneratorWorker):
    """A worker of which napari knows."""


class _BriefWorker(_InOwnThread, GeneratorWorker):
    """A worker of which napari does not know."""


def make_worker(
    job: Callable[..., Generator[Any, Any, Any]],
    *arguments: Any,
    is_brief: bool = False,
    ignore_errors: bool = False,
    what: str = "",
) -> Any:
    """Return a `GeneratorWorker` that waits for its `start`.

    Parameters
    ----------
    job : callable
        A generator function.
    *arguments
        Its arguments.
    is_brief : bool
        napari is not told of it: it asks before it closes while a job runs, and keeps every worker
        that it was told of until then.
    ignore_errors : bool
        Whether `errored` is the only one to hear of errors.
    what : str
        What napari calls the job when it asks whether to close its window.
    """
    options: dict[str, Any] = {"_start_thread": False, "_ignore_errors": ignore_errors}
    if is_brief:
        return create_worker(job, *arguments, _worker_class=_BriefWorker, **options)
    if what:
        worker = create_worker(job, *arguments, _worker_class=_Worker, **options)
        _announce(worker, what)
        return worker
    return of_napari.create_worker(job, *arguments, _worker_class=_Worker, **options)


def _announce(worker: Any, what: str) -> None:
    """Tell the window what runs, so that it names it when it asks whether to close.

    napari itself names a job by its function, as in "Executing <function work at 0x7f...>", and has
    no public way to another name.
    """
    viewer = current_viewer()
    window = getattr(viewer, "window", None)
    register = getattr(window, "_register_task_status", None)
    update = getattr(window, "_update_task_status", None)
    if register is None or update is None:
        return
    key = register("BTF", Status.BUSY, what, cancel_callback=worker.quit)
    worker.finished.connect(partial(update, key, Status.COMPLETED, what))


def wait_for_all(seconds: float) -> bool:
    """Wait for the threads of all jobs; return whether they have ended within this time."""
    threads, end = list(_working), time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def end_all(seconds: float) -> bool:
    """Ask all jobs to stop at their next report; return whether they did so within this time."""
    for worker in list(_working.values()):
        worker.quit()
    return wait_for_all(seconds)


def _forget(thread: Thread) -> None:
    # It has said that it is finished, so this takes no time. The worker is kept until then, so that
    # its thread is not the one that destroys it.
    thread.join()
    _working.pop(thread, None)


@atexit.register
def _before_python_ends() -> None:
    """Wait for the jobs; if one hangs, leave without ending Python, which would abort.

    The exit code is then 1 after an exception, 130 after Ctrl-C, and 0 otherwise, even if
    `sys.exit` had another one, because Python tells it to nobody.
    """
    if end_all(_PATIENCE):
        return
    # What others do at the end is done all the same. What they registered later than this is done
    # twice, because Python runs the latest first and does not say what is left.
    atexit.unregister(_before_python_ends)
    with suppress(Exception):
        atexit._run_exitfuncs()
    with suppress(Exception):
        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(_exit_code())


def _exit_code() -> int:
    error = getattr(sys, "last_type", None)
    if error is None:
        return 0
    return 130 if issubclass(error, KeyboardInterrupt) else 1
