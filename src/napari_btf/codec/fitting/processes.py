"""Several processes that train one model together, each on its share of the images.

``torchrun`` starts the processes and tells each its number by environment variables.
torch.distributed carries their messages, by gloo between processors and by nccl between GPUs. A
process that was started alone is a `World` of size 1, in which all of this does nothing.
"""

from __future__ import annotations

import atexit
import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_btf.btf import BTF, into_memory
from napari_btf.errors import ProcessLostError
from napari_btf.running import ranks

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

    from napari_btf.progress import Job

__all__ = ["World", "is_first_to_fail", "share_in_memory", "world"]

T = TypeVar("T")

#: Timeout, because the others wait while the first process computes alone. A process that has
#: ended is noticed at once by its closed connection.
_PATIENCE = timedelta(days=2)
_FAILED = "napari-btf/failed"


class World:
    """All processes of a training, as one of them sees them.

    Parameters
    ----------
    rank, size : int
        Which one this is, and how many there are.
    store : torch.distributed.Store, optional
        What they have in common besides their connections.
    """

    def __init__(self, rank: int = 0, size: int = 1, store: Any = None) -> None:
        self.rank, self.size, self._store = rank, size, store

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def share(self, count: int) -> NDArray[np.intp]:
        """Return which of ``count`` items belong to this process: every ``size``-th one."""
        return np.arange(self.rank, count, self.size)

    def share_of(self, btf: BTF) -> BTF:
        """Return a BTF of the observations that belong to this process."""
        return btf if self.size == 1 else btf.select(self.share(len(btf)))

    def sum(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of an array over all processes; the array may be overwritten."""
        if self.size == 1:
            return values
        import torch

        values = np.ascontiguousarray(values)
        self.sum_tensor(torch.from_numpy(values))
        return values

    def sum_tensor(self, values: torch.Tensor) -> torch.Tensor:
        """Replace a tensor by its sum over all processes."""
        if self.size > 1:
            from torch import distributed

            with self._connected():
                distributed.all_reduce(values)
        return values

    def merge(self, values: NDArray[Any]) -> NDArray[Any]:
        """Combine an array of which each process has other parts, the rest being 0."""
        return self.sum(np.ascontiguousarray(values).view(np.uint8)).view(values.dtype)

    def first(self, value: T | None) -> T:
        """Return the value that the first process has."""
        if self.size == 1:
            return value  # type: ignore[return-value]
        from torch import distributed

        box = [value if self.is_first else None]
        with self._connected():
            distributed.broadcast_object_list(box, src=0)
        return box[0]  # type: ignore[return-value]

    def gather(self, value: T) -> list[T]:
        """Return the values of all processes in the first process, and nothing in the others."""
        if self.size == 1:
            return [value]
        from torch import distributed

        found: list[Any] | None = [None] * self.size if self.is_first else None
        with self._connected():
            distributed.gather_object(value, found, dst=0)
        return found or []

    def agree(self, seconds: float, *wishes: bool) -> tuple[float, ...]:
        """Return the seconds of the first process, and which of the requests any process has."""
        if self.size == 1:
            return (seconds, *map(float, wishes))
        import torch
        from torch import distributed

        values = torch.tensor([seconds if self.is_first else 0.0, *map(float, wishes)])
        with self._connected():
            distributed.all_reduce(values, distributed.ReduceOp.MAX)
        return tuple(values.tolist())

    def largest(self, value: float) -> float:
        """Return the largest value of a number over all processes."""
        return max(self.first(self.gather(value)))

    def first_to_fail(self) -> bool:
        """Whether no other process has failed before, so that this one reports the error."""
        if self._store is None:
            return True
        try:
            return bool(self._store.add(_FAILED, 1) == 1)
        # The process that holds the common store has ended.
        except RuntimeError:
            return True

    @contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise ProcessLostError(
                None,
                "one of the processes that train together has ended",
                "start them again, with --resume if there are notes of the training",
            ) from error


@cache
def world() -> World:
    """Return the processes that this process was started with, after waiting for them."""
    if ranks.rank_count() == 1:
        return World()
    import torch
    from torch import distributed

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
    found = distributed.rendezvous("env://", timeout=_PATIENCE)  # type: ignore[attr-defined]
    store, rank, size = next(found)
    distributed.init_process_group(store=store, rank=rank, world_size=size, timeout=_PATIENCE)
    atexit.register(_leave)
    return World(rank, size, store)


def _leave() -> None:
    """End the connections in order: C++ aborts if a process ends while threads serve them.

    A process that ends by an abort makes torchrun end the others, which may still be writing.
    """
    from torch import distributed

    with suppress(RuntimeError):
        distributed.destroy_process_group()


def is_first_to_fail() -> bool:
    """Whether this process is the first to fail, and therefore reports the error."""
    if not world.cache_info().currsize:
        # The processes have not connected yet, so all of them fail alike.
        return ranks.is_first()
    return world().first_to_fail()


class _ShareInMemory:
    """Observations: a process keeps its share in memory and reads the others on demand."""

    def __init__(self, btf: BTF, share: NDArray[np.intp], kept: NDArray[Any]) -> None:
        self._btf, self._kept = btf, kept
        self._place = np.full(len(btf), -1)
        self._place[share] = np.arange(len(share))
        self.shape, self.dtype = btf.frames.shape, np.dtype(btf.frames.dtype)

    def __getitem__(self, i: int, /) -> NDArray[Any]:
        place = int(self._place[i])
        return self._btf.frame(i) if place < 0 else np.asarray(self._kept[place])


def share_in_memory(btf: BTF, limit: int) -> Job[BTF]:
    """Read this process's images into memory, if they take at most ``limit`` bytes."""
    here = world()
    if here.size == 1:
        return (yield from into_memory(btf, limit))
    mine = here.share_of(btf)
    if isinstance(btf.frames, np.ndarray) or mine.nbytes > limit:
        return btf
    read = yield from into_memory(mine, limit)
    share = _ShareInMemory(btf, here.share(len(btf)), np.asarray(read.frames))
    return replace(btf, frames=share, gatherer=None)
