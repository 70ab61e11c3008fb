"""The program of the child process that decodes OpenEXR files, of which it may die.

It is run as a file, not imported, so that it starts in a tenth of a second: it needs nothing of
this package. A request is one line of JSON (the number of bytes, the names of channels) and the
bytes of the file. An answer is one line of JSON (the lengths of the channels) and their bytes.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from typing import BinaryIO

_ROOM = 1 << 31
"""Bytes of memory that are granted beyond a multiple of the image."""


def _limit_memory(size: int) -> None:
    """Let a damaged file that asks for more than its image needs fail in this process."""
    try:
        import resource
    except ImportError:
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = _ROOM + 8 * size
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def _planes(data: bytes, names: list[str]) -> list[bytes]:
    import OpenEXR

    # Threads of the library would need address space and help only very large images.
    OpenEXR.set_global_thread_count(0)
    planes: list[bytes] = OpenEXR.InputFile(io.BytesIO(data)).channels(names)
    return planes


def main(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while line := requests.readline():
        length, names, size = json.loads(line)
        data = requests.read(length)
        try:
            _limit_memory(size)
            planes = _planes(data, names)
        except Exception:
            planes = []
        answers.write(json.dumps([len(plane) for plane in planes]).encode() + b"\n")
        for plane in planes:
            answers.write(plane)
        answers.flush()


if __name__ == "__main__":
    # Ctrl-C is meant for the program that asks, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What the library prints must not come between the answers.
    _answers = os.fdopen(os.dup(1), "wb")
    _silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(_silent, 1)
    os.dup2(_silent, 2)
    main(sys.stdin.buffer, _answers)
