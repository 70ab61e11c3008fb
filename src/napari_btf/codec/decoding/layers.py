"""Fully connected layers that are evaluated for every texel of a frame.

A chunk of texels goes through all layers before the next one, so that its activations stay in the
cache of one core. Several cores share the chunks.
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
from napari_btf.progress import stop_if_given_up, wanted_here
from napari_btf.running.threads import one_thread

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

__all__ = ["CHUNK", "FrameLayers", "Layers", "Scratch", "Shade", "in_chunks"]

#: Texels that one thread decodes at once, so that their activations stay in its cache.
CHUNK = 4096
#: Number of threads that decode: one for each core, but no more than memory can serve.
_THREADS = min(4, os.cpu_count() or 1)
#: Number of arrays that a thread keeps, because other models need other sizes.
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
        """Number of multiplications for each set of inputs."""
        return sum(weight.size for weight in self.weights)

    @property
    def in_turn(self) -> list[NDArray[np.float32]]:
        """The weights and biases of one layer after the other."""
        return [a for pair in zip(self.weights, self.biases, strict=True) for a in pair]

    def parts(self) -> list[dict[str, NDArray[np.float32]]]:
        """The arrays of each layer by name: "weight" of shape (out, in), and "bias"."""
        pairs = zip(self.weights, self.biases, strict=True)
        return [{"weight": weight, "bias": bias} for weight, bias in pairs]

    def rounded(self) -> Layers:
        """Return the layers with weights and biases rounded to half precision."""
        halves = ((a.astype(np.float16) for a in part) for part in (self.weights, self.biases))
        return Layers(*(tuple(half.astype(np.float32) for half in part) for part in halves))

    def smooth(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the outputs for one set of inputs (F,), with SiLU between the layers."""
        h = features
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if i:
                h = np.asarray(h / (1.0 + np.exp(-np.clip(h, -60.0, 60.0))), dtype=np.float32)
            h = weight @ h + bias
        return h


class FrameLayers:
    """A network for one frame, whose light and view are fixed: latents in, outputs out.

    It runs as machine code if that is loaded (`napari_btf.codec.decoding.compiled`), else in NumPy.
    NumPy needs no extra pass over the activations for biases. The biases of the first layer move
    into the ReLU, ``max(h + b, 0) = max(h, -b) + b``, and the remaining ``+ b`` moves into the
    biases of the second layer. The other biases are a row of weights for an input that is always 1:
    the first ReLU produces it, and every layer but the last passes it on.

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
        """Compute outputs from latents, (T, K) -> (T, O), in ``out`` if given, else in scratch."""
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
                # Two arrays alternate.
                target = scratch(f"layer {i % 2}", len(h), weight.shape[1])
            h = np.matmul(h, weight, out=target)
        if not last:
            h -= self._first_least(len(h))[:, :-1]
        return h

    def _run(self, code: ModuleType, latents: NDArray[np.float32], out: NDArray[Any]) -> None:
        shape = len(latents), self.weights[-1].shape[1]
        # This function does not check its arguments.
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
        """Return the zeros of the first ReLU for a number of texels; see `Scratch.zeros`."""
        least = self._least
        if len(least) < rows:
            least = self._least = np.tile(self.start, (rows, 1))
        return least[:rows]


class Scratch:
    """Arrays that one thread uses again and again.

    Allocating an array for every product would cost as much as the product, because the operating
    system provides its memory page by page.
    """

    def __init__(self) -> None:
        self._arrays: dict[tuple[Any, ...], NDArray[Any]] = {}

    def __call__(self, name: str, rows: int, columns: int, dtype: Any = np.float32) -> NDArray[Any]:
        """Return an array of shape (rows, columns) with arbitrary content."""
        key = name, columns, dtype
        array = self._arrays.get(key)
        if array is None or len(array) < rows:
            array = self._arrays[key] = np.empty((rows, columns), dtype=dtype)
        return array[:rows]

    def __len__(self) -> int:
        return len(self._arrays)

    def zeros(self, rows: int, columns: int) -> NDArray[np.float32]:
        """Return zeros of shape (rows, columns).

        The maximum of an array and a number, or a row, takes NumPy twice as long as that of two
        arrays.
        """
        array = self._arrays.get(("zeros", columns))
        if array is None or len(array) < rows:
            array = self._arrays["zeros", columns] = np.zeros((rows, columns), dtype=np.float32)
        return array[:rows]


#: Computes a chunk of texels of a frame, in the fitted domain, into an array of shape (T, C).
Shade = Callable[[slice, Scratch, "NDArray[np.float32]"], object]


def in_chunks(count: int, work: Callable[[slice, Scratch], None]) -> None:
    """Call a function for chunks of ``count`` texels, on several cores.

    Parameters
    ----------
    count : int
    work : callable
        Called with a part of the texels and arrays of the thread that it runs in.

    Raises
    ------
    GivenUp
        If the result is no longer wanted (`napari_btf.progress.set_wanted`).
    """
    parts = [slice(i, min(i + CHUNK, count)) for i in range(0, count, CHUNK)]
    # Every thread takes the next chunk from it, so that none waits for a slower one.
    left = iter(parts)
    wanted = wanted_here()

    def run() -> None:
        scratch = _own_scratch()
        for part in left:
            if not wanted():
                return
            work(part, scratch)

    with one_thread():
        if len(parts) < 2 or _THREADS < 2:
            run()
        else:
            running = [_pool().submit(run) for _ in range(_THREADS)]
            # Wait for all threads before raising an error: they write into the caller's arrays.
            wait(running)
            for part in running:
                part.result()
    stop_if_given_up()


@cache
def _pool() -> ThreadPoolExecutor:
    """Return the threads that decode; starting new ones for each frame would cost time."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="napari-btf-decode")


# A forked process has none of the threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)

_of_thread = local()


def _own_scratch() -> Scratch:
    """Return the scratch arrays of this thread, which it keeps from frame to frame."""
    scratch: Scratch | None = getattr(_of_thread, "scratch", None)
    if scratch is None or len(scratch) > _MOST_ARRAYS:
        scratch = _of_thread.scratch = Scratch()
    return scratch
