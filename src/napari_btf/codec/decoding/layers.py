"""Fully connected layers that are evaluated for every texel of a frame.

Texels go through all layers a chunk at a time, so that what is in between stays in the cache of
one core, and several cores share the chunks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from threading import local
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.decoding.compiled import Packed, kernels
from napari_btf.running.threads import one_thread

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

__all__ = ["CHUNK", "FrameLayers", "Layers", "Scratch", "Shade", "in_chunks"]

#: Texels that one thread decodes at once, so that what is in between stays in its cache.
CHUNK = 4096
#: Threads that decode: one a core, but no more than share the memory well.
_THREADS = min(4, os.cpu_count() or 1)
#: Arrays that a thread keeps: other models want arrays of other sizes.
_MOST_ARRAYS = 64


@dataclass(frozen=True, eq=False)
class Layers:
    """Fully connected layers.

    Parameters
    ----------
    weights, biases : tuple of ndarray of float32
        Of each layer, weights of shape (out, in).
    """

    weights: tuple[NDArray[np.float32], ...] = ()
    biases: tuple[NDArray[np.float32], ...] = ()

    @property
    def products(self) -> int:
        """Multiplications for each set of inputs."""
        return sum(weight.size for weight in self.weights)

    @property
    def in_turn(self) -> list[NDArray[np.float32]]:
        """Weights and biases of one layer after the other."""
        return [a for pair in zip(self.weights, self.biases, strict=True) for a in pair]

    def parts(self) -> list[dict[str, NDArray[np.float32]]]:
        """The arrays of each layer by name: "weight" of shape (out, in), and "bias"."""
        pairs = zip(self.weights, self.biases, strict=True)
        return [{"weight": weight, "bias": bias} for weight, bias in pairs]

    def rounded(self) -> Layers:
        """With weights and biases as half precision holds them."""
        halves = ((a.astype(np.float16) for a in part) for part in (self.weights, self.biases))
        return Layers(*(tuple(half.astype(np.float32) for half in part) for part in halves))

    def smooth(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs for one set of inputs (F,), with SiLU between the layers."""
        h = features
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if i:
                h = np.asarray(h / (1.0 + np.exp(-np.clip(h, -60.0, 60.0))), dtype=np.float32)
            h = weight @ h + bias
        return h


class FrameLayers:
    """A network whose directions are settled: texels' latents in, outputs out.

    In machine code if that is loaded (`napari_btf.codec.decoding.compiled`), else in NumPy.
    There, no pass over the activations is spent on biases. Those of the first layer are taken
    from the ReLU's zero, ``max(h + b, 0) = max(h, -b) + b``, and what it leaves out is in the
    biases of the second layer. The others are a row of the weights, of an input that is always 1:
    the first ReLU makes it, and every layer but the last hands it on.

    Parameters
    ----------
    weights, biases : list of ndarray of float32
        Of each layer, weights of shape (out, in).
    """

    def __init__(
        self, weights: list[NDArray[np.float32]], biases: list[NDArray[np.float32]]
    ) -> None:
        self._given = weights, biases
        self._packed: Packed | None = None
        self.weights = []
        #: What the first layer's outputs are at least, or what is added if it is the only one.
        self.start = np.append(-biases[0], 1.0).astype(np.float32)
        self._least = self.start[:0].reshape(0, len(self.start))
        before = biases[0]
        for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            outputs, inputs = weight.shape
            table = np.zeros((inputs + (i > 0), outputs + (i < len(weights) - 1)), np.float32)
            table[:inputs, :outputs] = weight.T
            if i:
                table[inputs, :outputs] = bias + weight @ before if i == 1 else bias
                table[inputs, outputs:] = 1.0
            self.weights.append(table)

    def __call__(
        self, latents: NDArray[np.float32], scratch: Scratch, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Outputs of latents, (T, K) -> (T, O), in ``out`` if given, or in scratch."""
        code = kernels()
        if code is not None:
            if out is None:
                out = scratch("outputs", len(latents), self.weights[-1].shape[1])
            self._run(code, latents, out)
            return out
        h, last = latents, len(self.weights) - 1
        for i, weight in enumerate(self.weights):
            if i:
                least = self._first_least(len(h)) if i == 1 else scratch.zeros(*h.shape)
                np.maximum(h, least, out=h)
            target = out
            if i < last or target is None:
                # Two arrays in turn.
                target = scratch(f"layer {i % 2}", len(h), weight.shape[1])
            h = np.matmul(h, weight, out=target)
        if not last:
            h -= self._first_least(len(h))[:, :-1]
        return h

    def _run(self, code: ModuleType, latents: NDArray[np.float32], out: NDArray[Any]) -> None:
        shape = len(latents), self.weights[-1].shape[1]
        # It trusts in what it is given.
        if latents.shape[1] != len(self.weights[0]) or out.shape != shape:
            raise ValueError(
                f"latents {latents.shape} or outputs {out.shape} do not fit the layers"
            )
        if latents.strides[1] != latents.itemsize:
            latents = np.ascontiguousarray(latents)
        weights, biases = self._given
        if len(weights) == 1 and len(biases[0]) < code.LANES:
            weight, bias = map(np.ascontiguousarray, (weights[0], biases[0]))
            code.mix(latents, weight, bias, out)
            return
        packed = self._packed
        if packed is None:
            packed = self._packed = Packed(weights, biases, code.LANES)
        code.layers(latents, packed.weights, packed.biases, packed.widths, out)

    def _first_least(self, rows: int) -> NDArray[np.float32]:
        """The zero of the first ReLU, for so many texels; see `Scratch.zeros`."""
        least = self._least
        if len(least) < rows:
            least = self._least = np.tile(self.start, (rows, 1))
        return least[:rows]


class Scratch:
    """Arrays of one thread that are used again and again.

    New ones for every product would cost as much as the product: their memory comes from the
    operating system page by page.
    """

    def __init__(self) -> None:
        self._arrays: dict[tuple[Any, ...], NDArray[Any]] = {}

    def __call__(self, name: str, rows: int, columns: int, dtype: Any = np.float32) -> NDArray[Any]:
        """An array of shape (rows, columns) with anything in it."""
        key = name, columns, dtype
        array = self._arrays.get(key)
        if array is None or len(array) < rows:
            array = self._arrays[key] = np.empty((rows, columns), dtype=dtype)
        return array[:rows]

    def __len__(self) -> int:
        return len(self._arrays)

    def zeros(self, rows: int, columns: int) -> NDArray[np.float32]:
        """Zeros of shape (rows, columns): maxima with a number, or a row, take twice as long."""
        array = self._arrays.get(("zeros", columns))
        if array is None or len(array) < rows:
            array = self._arrays["zeros", columns] = np.zeros((rows, columns), dtype=np.float32)
        return array[:rows]


#: Computes some texels of a frame, in the fitted domain, into an array of shape (T, C).
Shade = Callable[[slice, Scratch, "NDArray[np.float32]"], object]


def in_chunks(count: int, work: Callable[[slice, Scratch], None]) -> None:
    """Do something for ``count`` texels, a chunk at a time, on several cores.

    Parameters
    ----------
    count : int
    work : callable
        Called with a part of the texels and arrays of the thread that it runs in.
    """
    parts = [slice(i, min(i + CHUNK, count)) for i in range(0, count, CHUNK)]
    # All threads take from it what comes next, so that none waits for a slower one.
    left = iter(parts)

    def run() -> None:
        scratch = _own_scratch()
        for part in left:
            work(part, scratch)

    with one_thread():
        if len(parts) < 2 or _THREADS < 2:
            run()
            return
        running = [_pool().submit(run) for _ in range(_THREADS)]
        # All of them, before one that failed is heard: they write into the caller's arrays.
        wait(running)
        for part in running:
            part.result()


@cache
def _pool() -> ThreadPoolExecutor:
    """The threads that decode: starting new ones for each frame would take a part of its time."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="napari-btf-decode")


# A process that was forked off has none of the threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)

_of_thread = local()


def _own_scratch() -> Scratch:
    """The arrays of this thread, kept from frame to frame."""
    scratch: Scratch | None = getattr(_of_thread, "scratch", None)
    if scratch is None or len(scratch) > _MOST_ARRAYS:
        scratch = _of_thread.scratch = Scratch()
    return scratch
