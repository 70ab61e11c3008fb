"""Observations that are read one at a time: what formats hand over, in order, and some of them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Frames", "Gatherer", "Picker", "read_in_order"]

#: Threads that read observations: decoders let go of Python's lock most of the time.
_READERS = 4
#: Bytes of pixels that one of them reads before it hands them over.
_READ_AT_ONCE = 2**18


class Frames(Protocol):
    """Observations that are read one at a time: what formats hand to `BTF`.

    NumPy, dask and Zarr arrays of shape (N, H, W, C) are such.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    def __getitem__(self, i: int, /) -> NDArray[Any]:
        """Observation ``i``, shape (H, W, C), read now; called from several threads."""


class Gatherer(Protocol):
    """A way to the texels of lazy observations that does not read whole images.

    A BTF goes by it only while its ``frames`` are the gatherer's own: a BTF whose frames were
    replaced reads the new ones.
    """

    @property
    def frames(self) -> Frames:
        """The observations, (N, H, W, C)."""

    def gather(self, yx: NDArray[np.intp], out: NDArray[Any]) -> Iterator[tuple[int, int]]:
        """Fill ``out`` (T, N, C) with the ABRDFs at ``yx`` (T, 2); yields (done, to do)."""

    def select(self, observations: NDArray[np.intp]) -> Gatherer:
        """The gatherer of some observations only, by index."""


class Picker:
    """Observations by position in an array of indices; -1 is a black image."""

    def __init__(self, frames: Frames, index: NDArray[np.intp]) -> None:
        self.frames = frames
        self.index = index
        self.shape = (*index.shape, *frames.shape[1:])
        self.ndim = len(self.shape)
        self.dtype = np.dtype(frames.dtype)
        self.meta = np.empty((0,) * self.ndim, dtype=self.dtype)

    def __getitem__(self, key: int | tuple[Any, ...]) -> NDArray[Any]:
        if not isinstance(key, tuple):
            key = (key,)
        chosen = self.index[key[: self.index.ndim]]
        out = np.zeros((*chosen.shape, *self.shape[self.index.ndim :]), dtype=self.dtype)
        for position, i in np.ndenumerate(chosen):
            if i >= 0:
                out[position] = self.frames[int(i)]
        within: tuple[Any, ...] = (..., *key[self.index.ndim :])
        return np.asarray(out[within])


def read_in_order(frames: Frames, start: int = 0) -> Iterator[NDArray[Any]]:
    """All observations from ``start`` on, each (H, W, C), read a few ahead.

    Memory stays at a few of them however many there are.
    """
    if isinstance(frames, np.ndarray):
        yield from frames[start:]
        return
    chunks = getattr(frames, "chunks", None)
    yield from (_one_by_one(frames, start) if chunks is None else _by_chunks(frames, start))


def _one_by_one(frames: Frames, start: int) -> Iterator[NDArray[Any]]:
    # Through the source itself: cutting a dask array of thousands of chunks takes longer
    # than decoding a small image. Small images go by the dozen, for the same reason.
    dozen = int(np.clip(_READ_AT_ONCE // _bytes_of_one(frames), 1, 64))
    count = frames.shape[0]

    def read(some: range) -> list[NDArray[Any]]:
        return [np.asarray(frames[i]) for i in some]

    ahead: deque[Future[list[NDArray[Any]]]] = deque()
    with ThreadPoolExecutor(_READERS) as pool:
        try:
            for i in range(start, count, dozen):
                ahead.append(pool.submit(read, range(i, min(i + dozen, count))))
                if len(ahead) > 2 * _READERS:
                    yield from ahead.popleft().result()
            while ahead:
                yield from ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def _by_chunks(frames: Any, start: int) -> Iterator[NDArray[Any]]:
    per_block = max(1, min(64, (32 << 20) // _bytes_of_one(frames)))
    # Whole chunks, at least one: a chunk read in two parts may be decoded twice.
    ends = np.cumsum(frames.chunks[0])
    while start < frames.shape[0]:
        last = int(np.searchsorted(ends, start + per_block, side="right")) - 1
        end = int(ends[max(last, int(np.searchsorted(ends, start, side="right")))])
        yield from np.asarray(frames[start:end])
        start = end


def _bytes_of_one(frames: Frames) -> int:
    """Bytes of the pixels of an observation, at least 1."""
    return max(1, int(np.prod(frames.shape[1:])) * np.dtype(frames.dtype).itemsize)
