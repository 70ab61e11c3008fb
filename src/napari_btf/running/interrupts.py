"""Signals during a training.

The first Ctrl-C keeps the best so far, the second gives up. SIGTERM and SIGUSR1, which clusters
send before the time of a job is over, end it so that it can go on later.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["TO_BE_RESUMED", "ToBeResumed", "interruptible", "resumable"]

#: Exit code of a training that is to be started again: EX_TEMPFAIL of sysexits.h.
TO_BE_RESUMED = 75
#: Phases whose steps look at `resumable` themselves, and take notes first.
_NOTING = frozenset({"train", "train slower", "encode"})


class ToBeResumed(SystemExit):
    """A training was asked to end now and to go on in another process.

    Attributes
    ----------
    noted : bool
        Whether there are notes to go on from.
    """

    def __init__(self) -> None:
        super().__init__(TO_BE_RESUMED)
        self.noted = False


@contextmanager
def interruptible(
    phases: set[str], say: Callable[[str], object] = print
) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C of a training ask it to stop, the second end the program.

    Before the phase "train" there is nothing to keep: the first one ends the program, too. So it
    is in a notebook, whose button *Interrupt* sends the same signal. In other threads than the
    main one nothing changes.

    Parameters
    ----------
    phases : set of str
        The phases that the training has come to.
    say : callable
        Told what the first one does.

    Yields
    ------
    callable
        Whether the training is to stop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = 0.0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked or "train" not in phases:
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
    """Let SIGTERM and SIGUSR1 end a training, where there are such signals, to be resumed.

    A phase that takes notes gets the time to: ``ask`` tells it to. Others end at once.

    Parameters
    ----------
    ask : callable
        Called once, at the first of them.

    Yields
    ------
    callable
        To be told the phase of each report; None once there is a result, which is not given up.

    Raises
    ------
    ToBeResumed
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda phase: None
        return
    phase: str | None = ""
    reports = 0
    asked = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal asked, reports
        if phase is not None and phase not in _NOTING:
            raise ToBeResumed
        if not asked:
            asked, reports = True, 0
            ask()

    def report(now: str | None) -> None:
        nonlocal phase, reports
        phase, reports = now, reports + 1
        # Whoever looks at it between two reports has noted by now, and would not be here.
        if asked and now is not None and (reports > 1 or now not in _NOTING):
            raise ToBeResumed

    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGUSR1")]
    before = {number: signal.signal(number, end) for number in numbers if number is not None}
    try:
        yield report
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
