"""The training data of the parallax codec: images in memory, and texels drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.btf import SMALL_BYTES
from napari_btf.codec.fitting.processes import world
from napari_btf.progress import Progress, is_report_due

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_btf.btf import BTF

__all__ = [
    "FramePool",
    "Probe",
    "hold_out",
    "is_periodic",
    "load_pool",
    "load_probe",
    "stored_type",
]

#: Of 64 observations one is held out for validation, at most 32; with fewer than 8, none is.
_HELD_SHARE, _MOST_HELD, _FEWEST = 64, 32, 8
_PROBE_TEXELS = 512
#: Largest ratio of the step across the borders to the largest step between neighbours.
_SEAM = 1.1


def hold_out(count: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide the observations into those to train on and those to validate on.

    Very few observations serve both purposes.
    """
    order = np.random.default_rng(seed).permutation(count)
    if count < _FEWEST:
        return np.sort(order), np.sort(order)
    held = min(_MOST_HELD, max(1, count // _HELD_SHARE))
    return np.sort(order[held:]), np.sort(order[:held])


def stored_type(btf: BTF) -> np.dtype[Any]:
    """Return the type in which a pool keeps the values of a capture, of this machine's bytes."""
    return np.dtype(np.float16 if btf.values.is_float else btf.frames.dtype).newbyteorder("=")


class FramePool:
    """Images in memory: all of them, or a random part that is replaced little by little.

    Integers are kept as they are stored, floats as float16 of their fitted values.

    Parameters
    ----------
    btf : BTF
    observations : ndarray of int
        Which of them to draw from.
    seed : int
    limit : int
        Bytes of frames in memory, at most; one frame in any case.
    """

    def __init__(self, btf: BTF, observations: NDArray[np.intp], seed: int, limit: int) -> None:
        self.btf = btf
        self._rng = np.random.default_rng(seed)
        self._order = self._rng.permutation(observations)
        self.dtype = stored_type(btf)
        frame_bytes = btf.height * btf.width * btf.channels * self.dtype.itemsize
        self.size = int(np.clip(limit // frame_bytes, 1, len(observations)))
        self._next = self.size % len(observations)
        self._world = world()
        #: Which frames this process has; of several, each has a share.
        self.share = self._world.share(self.size)
        shape = (len(self.share), btf.height * btf.width, btf.channels)
        self.frames = np.empty(shape, dtype=self.dtype)
        #: The observation that each frame is, those of other processes, too.
        self.observation = np.sort(self._order[: self.size])

    @property
    def is_whole(self) -> bool:
        """Whether all observations are in memory."""
        return self.size == len(self._order)

    def put(self, place: int, frame: NDArray[Any]) -> None:
        """Store an image (H, W, C) as it was captured, at one place of the pool."""
        values = self.btf.values
        kept = values.encode(frame) if values.is_float else frame
        self.frames[place // self._world.size] = kept.reshape(self.frames.shape[1:])

    def is_mine(self, places: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which images belong to this process."""
        return np.asarray(places % self._world.size == self._world.rank)

    def frames_at(self, places: NDArray[np.intp]) -> NDArray[Any]:
        """Return some images as they are stored, (F, H * W, C), whichever process has them."""
        if self._world.size == 1:
            return np.asarray(self.frames[places])
        found = np.zeros((len(places), *self.frames.shape[1:]), dtype=self.dtype)
        mine = self.is_mine(places)
        found[mine] = self.frames[places[mine] // self._world.size]
        return self._world.merge(found)

    def renew(self) -> None:
        """Replace a random image by the next observation, unless all of them are in memory."""
        if not self.is_whole:
            place = int(self._rng.integers(self.size))
            self.observation[place] = self._order[self._next]
            self._next = (self._next + 1) % len(self._order)
            if self.is_mine(np.array(place)):
                self.put(place, self.btf.frame(int(self.observation[place])))

    def values(self, places: NDArray[np.intp], texels: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return fitted values (F, T, C) of own images at flat ``texels`` (F, T).

        ``places`` (F,) are the places of the images in the pool.
        """
        drawn = self.frames[places[:, np.newaxis] // self._world.size, texels]
        if self.btf.values.is_float:
            return np.asarray(drawn, dtype=np.float32)
        return self.btf.values.encode(drawn)


def load_pool(
    btf: BTF, observations: NDArray[np.intp], seed: int, limit: int = SMALL_BYTES
) -> Generator[Progress, None, FramePool]:
    """Read a `FramePool`; reports phase "read"."""
    pool = FramePool(btf, observations, seed, limit)
    in_memory = isinstance(btf.frames, np.ndarray)
    frames = (
        (btf.frame(int(i)) for i in pool.observation[pool.share])
        if in_memory
        else btf.select(pool.observation[pool.share]).iter_frames()
    )
    for i, frame in enumerate(frames):
        pool.put(int(pool.share[i]), frame)
        if is_report_due(i + 1, len(pool.share)):
            yield Progress("read", i + 1, len(pool.share))
    return pool


@dataclass(frozen=True, eq=False)
class Probe:
    """Values of held-out observations, for validation.

    Parameters
    ----------
    observations : ndarray of int, shape (F,)
    texels : ndarray of int, shape (F, T)
        Flat, the same in every row.
    values : ndarray, shape (F, T, C)
        Fitted values.
    total : int
        Observations, those of other processes, too.
    """

    observations: NDArray[np.intp]
    texels: NDArray[np.intp]
    values: NDArray[np.float32]
    total: int


def load_probe(
    btf: BTF, observations: NDArray[np.intp], texels: NDArray[np.intp], seed: int
) -> Probe:
    """Read this process's share of a `Probe`, at random ones of the flat ``texels``."""
    rng = np.random.default_rng(seed)
    count = min(_PROBE_TEXELS, len(texels))
    some = np.sort(rng.choice(texels, count, replace=False))
    total = len(observations)
    observations = observations[world().share(total)]
    values = np.empty((len(observations), count, btf.channels), dtype=np.float32)
    for i, observation in enumerate(observations):
        frame = btf.frame(int(observation)).reshape(-1, btf.channels)
        values[i] = btf.values.encode(frame[some])
    return Probe(observations, np.broadcast_to(some, (len(observations), count)), values, total)


def is_periodic(pool: FramePool) -> bool:
    """Whether the surface seems to continue at the opposite border, as a tiled texture does.

    This is the case if the step across the borders is no larger than elsewhere: the mean over the
    whole border is compared with the means between neighbouring rows, or columns.
    """
    height, width = pool.btf.height, pool.btf.width
    if min(height, width) < 4:
        return False
    # The least tilted views are used, because parallax shifts nothing at the borders there.
    front = np.argsort(-pool.btf.view[pool.observation, 2])[:16]
    images = pool.frames_at(front).reshape(len(front), height, width, -1).astype(np.float32)
    for axis in (1, 2):
        others = (0, 3, 3 - axis)
        within = np.abs(np.diff(images, axis=axis)).mean(axis=others).max()
        across = np.abs(images.take(0, axis=axis) - images.take(-1, axis=axis)).mean()
        if across > _SEAM * within:
            return False
    return True
