"""Decide whether machine code trains, and compile it while a capture is read.

Compiling takes some ten seconds, once for every version of this package; numba keeps the code on
disk, and loading it takes a second later on.
"""

from __future__ import annotations

import logging
import os
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from napari_btf.progress import Progress

if TYPE_CHECKING:
    from types import ModuleType

    from napari_btf.progress import Job

__all__ = ["Compilation"]

_log = logging.getLogger(__name__)
#: Held by the process that compiles, of each user.
_LOCK = f"napari-btf-compile-{getattr(os, 'getuid', int)()}.lock"
#: Seconds between two reports.
_WAIT = 0.1
#: Types of stored values whose meaning fits a table.
_TYPES = ("uint8", "uint16", "float16")


class Compilation:
    """The machine code for one training, compiled in a thread.

    Parameters
    ----------
    device : str
        A torch device; other ones than ``"cpu"`` train by torch.
    dtype : dtype
        Of the stored values of the capture.
    """

    def __init__(self, device: str, dtype: np.dtype[Any]) -> None:
        self._code: Future[ModuleType | None] | None = None
        if device == "cpu" and dtype.name in _TYPES and dtype.isnative:
            stored = np.dtype(np.uint16) if dtype == np.float16 else dtype
            thread = ThreadPoolExecutor(1, "napari-btf-compile")
            self._code = thread.submit(_load, stored)
            thread.shutdown(wait=False)

    def result(self) -> Job[ModuleType | None]:
        """Wait for it.

        Yields
        ------
        Progress
            Phase "compile".

        Returns
        -------
        module, optional
            The module `batch`, or None where torch has to train.
        """
        while self._code is not None:
            try:
                return self._code.result(_WAIT)
            except TimeoutError:
                yield Progress("compile", 0, 1)
        return None


def _load(dtype: np.dtype[Any]) -> ModuleType | None:
    try:
        from napari_btf.codec.parallax.machine import batch

        # Processes that start together compile once; the others load what the first one has kept.
        with FileLock(Path(tempfile.gettempdir()) / _LOCK):
            batch.compile_for(dtype)
    # Any error of the compiler is caught, because torch can do without it.
    except Exception as error:
        _log.warning("torch trains, more slowly: numba makes no machine code (%s)", error)
        return None
    return batch
