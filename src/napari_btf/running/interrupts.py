"""Signals during a training.

The first Ctrl-C ends the training and keeps the best model so far; the second one ends the program.
SIGTERM and SIGUSR1, which clusters send shortly before they end a job, end the training after one
last checkpoint, from which it can be resumed.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_btf.running.phases import phase_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from napari_btf.running.phases import Phase

__all__ = ["TO_BE_RESUMED", "ToBeResumed", "interruptible", "resumable"]

#: Exit code of a training that should be started again: EX_TEMPFAIL of sysexits.h.
TO_BE_RESUMED = 75


class ToBeResumed(SystemExit):
    """A signal asked the training to end now; another process can resume it.

    Attributes
    ----------
    noted : bool
        Whether there is a checkpoint to resume from.
    """

    def __init__(self) -> None:
        super().__init__(TO_BE_RESUMED)
        self.noted = False


@contextmanager
def interruptible(
    phases: set[str], say: Callable[[str], object] = print
) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C stop the training, and the second one end the program.

    Before the first phase that trains a model there is nothing to keep, so that the first Ctrl-C
    already ends the program. The *Interrupt* button of a notebook sends the same signal, and does
    the same. Python handles signals in the main thread only: in any other thread this does nothing.

    Parameters
    ----------
    phases : set of str
        The names of the phases that the training has reached; the caller adds to it.
    say : callable
        Called with a sentence for the user at the first Ctrl-C.

    Yields
    ------
    callable
        Returns whether the training should stop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = 0.0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked or not any(phase_named(name).keeps_best for name in phases):
            raise KeyboardInterrupt
        asked = time.monotonic()
        say("stopping the training and keeping the best so far; Ctrl-C once more gives up")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked > 0
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def resumable(ask: Callable[[], object]) -> Iterator[Callable[[str | None], None]]:
    """Let SIGTERM and SIGUSR1 end a training so that it can be resumed.

    A phase that takes notes may first write one last checkpoint; any other phase ends at once.
    Windows has no SIGUSR1.

    Parameters
    ----------
    ask : callable
        Called once, at the first signal in a phase that takes notes: asks the training to write a
        checkpoint and to raise `ToBeResumed` itself.

    Yields
    ------
    callable
        Call it with the name of the phase at each report of the training, and with None once the
        training has a result: from then on signals do not end the program.

    Raises
    ------
    ToBeResumed
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda phase: None
        return
    phase: Phase | None = phase_named("")
    reports = 0
    asked = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal asked, reports
        if phase is not None and not phase.takes_notes:
            raise ToBeResumed
        if not asked:
            asked, reports = True, 0
            ask()

    def report(name: str | None) -> None:
        nonlocal phase, reports
        phase, reports = None if name is None else phase_named(name), reports + 1
        # A training that writes checkpoints would have ended between two reports. The first report
        # after the signal may be one that was under way already.
        if asked and phase is not None and (reports > 1 or not phase.takes_notes):
            raise ToBeResumed

    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGUSR1")]
    before = {number: signal.signal(number, end) for number in numbers if number is not None}
    try:
        yield report
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
