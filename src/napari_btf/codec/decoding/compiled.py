"""Decide when the machine code of `napari_btf.codec.decoding.kernels` replaces NumPy.

Compiling the code takes some seconds the first time, and loading it takes half a second later on. A
single image is decoded faster than that. So NumPy decodes until a process has decoded so much that
machine code pays, or until a caller that will decode a lot, such as a dock, asks for it.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from threading import Lock, Thread
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

__all__ = [
    "Packed",
    "decoding",
    "kernels",
    "load",
    "load_in_background",
    "numpy_alone",
]

#: Multiplications after which the machine code is loaded: about one second in NumPy.
_WORTH_WHILE = 50_000_000_000

_log = logging.getLogger(__name__)
_lock = Lock()
_kernels: ModuleType | None = None
_is_tried = _is_numpy_alone = False
_done = 0


def kernels() -> ModuleType | None:
    """Return the module of the machine code, or None if it is not loaded: NumPy does the same."""
    return None if _is_numpy_alone else _kernels


def load() -> bool:
    """Compile the machine code, or load what was compiled earlier; a second call does nothing.

    Returns
    -------
    bool
        Whether it is there. If numba fails, NumPy goes on decoding, and a warning is logged.
    """
    global _kernels, _is_tried
    with _lock:
        if not _is_tried:
            try:
                from napari_btf.codec.decoding import kernels as compiled_kernels
            # Any error of the compiler is caught, because NumPy can do without it.
            except Exception as error:
                _log.warning("NumPy decodes images: numba makes no machine code (%s)", error)
            else:
                _kernels = compiled_kernels
            _is_tried = True
    return _kernels is not None


def load_in_background() -> None:
    """Call `load` in a thread, which the end of the process waits for."""
    if not _is_tried and not _lock.locked():
        Thread(target=load, name="napari-btf-compile").start()


def decoding(multiplications: int) -> None:
    """Announce a number of multiplications for an image; this may load the machine code first."""
    global _done
    _done += multiplications
    # While another thread loads it, NumPy goes on.
    if _done >= _WORTH_WHILE and not _is_tried and not _lock.locked():
        load()


def _after_fork() -> None:
    global _lock, _is_tried
    # The fork has no thread that was loading, and modules may be half imported.
    if _lock.locked():
        _lock, _is_tried = Lock(), True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def numpy_alone() -> Iterator[None]:
    """Decode with NumPy only, for comparison; for one thread at a time."""
    global _is_numpy_alone
    before, _is_numpy_alone = _is_numpy_alone, True
    try:
        yield
    finally:
        _is_numpy_alone = before


class Packed:
    """Fully connected layers in the form that the machine code takes.

    Parameters
    ----------
    weights, biases : sequence of ndarray of float32
        Of each layer, weights of shape (out, in).
    lanes : int
        Outputs are filled up with zeros to a multiple of it. They are the inputs of the next layer.
    """

    def __init__(
        self,
        weights: Sequence[NDArray[np.float32]],
        biases: Sequence[NDArray[np.float32]],
        lanes: int,
    ) -> None:
        inputs = weights[0].shape[1]
        outputs = [-(-len(bias) // lanes) * lanes for bias in biases]
        #: Inputs of the first layer, and outputs of each.
        self.widths = np.array([inputs, *outputs], dtype=np.intp)
        #: Of all layers, one after the other.
        self.weights = np.zeros(int(self.widths[:-1] @ self.widths[1:]), dtype=np.float32)
        self.biases = np.zeros(sum(outputs), dtype=np.float32)
        at_weight, at_bias = 0, 0
        for weight, bias, width in zip(weights, biases, outputs, strict=True):
            table = self.weights[at_weight : at_weight + inputs * width].reshape(inputs, width)
            table[: weight.shape[1], : len(bias)] = weight.T
            self.biases[at_bias : at_bias + len(bias)] = bias
            at_weight, at_bias, inputs = at_weight + table.size, at_bias + width, width
