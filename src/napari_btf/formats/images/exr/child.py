"""Decodes OpenEXR files by the OpenEXR library, in a child process that may die.

There is one child, which starts with the first file that needs it and then serves all. Where a
damaged file crashes it, or keeps it busy for too long, the next file starts another one. Files and
pixels pass through pipes.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from napari_btf.formats.images.types import ImageFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_installed", "decode"]

_SECONDS = 30.0
_SECONDS_PER_BYTE = 2e-7
"""Time that an image may take; the slowest compression takes a tenth of it."""


def check_installed() -> None:
    """Raise an ImageFileError if the OpenEXR library is not installed."""
    if find_spec("OpenEXR") is None:
        raise ImageFileError(
            "is OpenEXR of a compression that needs the package OpenEXR",
            'pip install "napari-btf[exr]"',
        )


def decode(data: bytes, names: Sequence[str], lengths: Sequence[int], size: int) -> list[bytes]:
    """Decode channels of a file.

    Parameters
    ----------
    data : bytes
        The whole file, whose header was checked.
    names : sequence of str
    lengths : sequence of int
        Bytes that each channel must have.
    size : int
        Bytes of all channels of the file, uncompressed.

    Raises
    ------
    ImageFileError
        If the library is not installed, or cannot decode the file, or crashes.
    """
    check_installed()
    return _CHILD.ask(data, list(names), list(lengths), size)


class _Child:
    """The child process, and one caller at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, data: bytes, names: list[str], lengths: list[int], size: int) -> list[bytes]:
        with self._lock:
            process = self._running()
            late = threading.Timer(_SECONDS + _SECONDS_PER_BYTE * size, process.kill)
            late.daemon = True
            late.start()
            try:
                planes = _exchange(process, data, names, lengths, size)
            # Also after Ctrl-C: an answer that was not read would be taken for the next one.
            except BaseException as error:
                self.end()
                if isinstance(error, (OSError, ValueError, EOFError)):
                    raise ImageFileError(
                        "is damaged: the OpenEXR library crashed when it decoded it"
                    ) from error
                raise
            finally:
                late.cancel()
        if not planes:
            raise ImageFileError("is damaged or incomplete: OpenEXR cannot decode its pixels")
        return planes

    def end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    # A pipe to a dead process cannot be flushed.
                    with contextlib.suppress(OSError):
                        pipe.close()

    def forget(self) -> None:
        """Leave the child to the process from which this one was forked."""
        self._lock = threading.Lock()
        self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.end()
            # -P keeps the current folder, which may be a stranger's, out of the search for modules.
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("worker.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        return self._process


def _exchange(
    process: subprocess.Popen[bytes],
    data: bytes,
    names: list[str],
    lengths: list[int],
    size: int,
) -> list[bytes]:
    """Send a file and receive its channels; none if the library has refused it."""
    requests, answers = process.stdin, process.stdout
    assert requests is not None
    assert answers is not None
    requests.write(json.dumps([len(data), names, size]).encode() + b"\n")
    requests.write(data)
    requests.flush()
    line = answers.readline(1 << 20)
    if not line:
        raise EOFError
    found = json.loads(line)
    if not found:
        return []
    if found != lengths:
        raise ValueError(found)
    planes = [answers.read(length) for length in lengths]
    if [len(plane) for plane in planes] != lengths:
        raise EOFError
    return planes


_CHILD = _Child()
atexit.register(_CHILD.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_CHILD.forget)
