"""Ctrl-C during a training: the first one keeps the best so far, the second gives up."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["interruptible"]


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
