"""Lazy observations: the protocols of the arrays that formats provide, and reading in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Frames", "Gatherer", "Picker", "read_in_order"]

#: Number of reading threads; these pay because decoders release the GIL most of the time.
_READERS = 4
#: Bytes of pixels that a thread reads in one task.
_READ_AT_ONCE = 2**18


class Frames(Protocol):
    """A lazy array of observations that a format provides to `BTF`.

    NumPy, dask and Zarr arrays of shape (N, H, W, C) satisfy this protocol.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (N, H, W, C)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    def __getitem__(self, i: int, /) -> NDArray[Any]:
        """Read observation ``i``, shape (H, W, C); must be safe to call from several threads."""


class Gatherer(Protocol):
    """Random access to the texels of lazy observations without reading whole images.

    A BTF uses its gatherer only while its ``frames`` are the gatherer's own ``frames``, because a
    BTF whose frames were replaced must read the new ones.
    """

    @property
    def frames(self) -> Frames:
        """The observations, shape (N, H, W, C)."""

    def gather(self, yx: NDArray[np.intp], out: NDArray[Any]) -> Iterator[tuple[int, int]]:
        """Fill ``out`` (T, N, C) with the ABRDFs at ``yx`` (T, 2); yield (done, total) steps."""

    def select(self, observations: NDArray[np.intp]) -> Gatherer:
        """Return a gatherer that is restricted to the observations with these indices."""


class Picker:
    """A lazy array of images, given by an array of observation indices; -1 is a black image.

    Parameters
    ----------
    frames : Frames, shape (N, H, W, C)
    index : ndarray of int, shape (...)
        The result has the shape (..., H, W, C).
    """

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
    """Iterate over the observations from ``start`` on, each (H, W, C), and prefetch a few.

    Only a few observations are in memory at a time, however many the capture has.
    """
    if isinstance(frames, np.ndarray):
        yield from frames[start:]
        return
    chunks = getattr(frames, "chunks", None)
    yield from (_one_by_one(frames, start) if chunks is None else _by_chunks(frames, start))


def _one_by_one(frames: Frames, start: int) -> Iterator[NDArray[Any]]:
    # The source is read directly, because slicing a dask array of thousands of chunks takes longer
    # than decoding a small image. Small images are read in batches, because a task per image would
    # cost too much time, too.
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
    # Each read takes whole chunks, because a chunk read in two parts may be decoded twice.
    ends = np.cumsum(frames.chunks[0])
    while start < frames.shape[0]:
        last = int(np.searchsorted(ends, start + per_block, side="right")) - 1
        end = int(ends[max(last, int(np.searchsorted(ends, start, side="right")))])
        yield from np.asarray(frames[start:end])
        start = end


def _bytes_of_one(frames: Frames) -> int:
    """Return the size of one observation's pixels in bytes, at least 1."""
    return max(1, int(np.prod(frames.shape[1:])) * np.dtype(frames.dtype).itemsize)
