"""The observations of a texel store: lazy images, and direct access to texels."""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.formats.texel_store.shards import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_btf.formats.texel_store.shards import Place, Shards

__all__ = ["StoredFrames"]


class StoredFrames:
    """Some observations of a texel store as a lazy (N, H, W, C) array; a `Gatherer`.

    Parameters
    ----------
    shards : Shards
    observations : ndarray of int, shape (N,), optional
        Indices of the observations in the store, in any order; all by default.
    """

    def __init__(self, shards: Shards, observations: NDArray[np.intp] | None = None) -> None:
        self.shards = shards
        self.observations = np.arange(shards.shape[0]) if observations is None else observations
        self.dtype = shards.dtype
        self.shape = (len(self.observations), *shards.shape[1:])
        self.ndim = 4

    @property
    def frames(self) -> StoredFrames:
        """The gatherer itself, since it is also the lazy array of its observations."""
        return self

    @cached_property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Sizes of the chunks along each axis, as in dask.

        Consecutive observations in the same layer of the store's chunks form one chunk, because
        reading them together decodes each stored chunk only once.
        """
        layer = self.observations // self.shards.chunk[0]
        edges = np.flatnonzero(np.diff(layer)) + 1
        together = np.diff([0, *edges.tolist(), len(layer)])
        return (tuple(together.tolist()), *((length,) for length in self.shape[1:]))

    def select(self, observations: NDArray[np.intp]) -> StoredFrames:
        """Return a restriction to the observations with these indices."""
        return StoredFrames(self.shards, self.observations[observations])

    def __getitem__(self, key: Any) -> NDArray[Any]:
        # Integers, slices or lists are applied to each axis independently. The range from the
        # first to the last index is read, because observations between them mostly share the same
        # chunks and cost nothing more.
        key = key if isinstance(key, tuple) else (key,)
        before = next((i for i, part in enumerate(key) if part is ...), len(key))
        missing = (slice(None),) * (4 - len(key) + (before < len(key)))
        key = (*key[:before], *missing, *key[before + 1 :])
        parts = [np.arange(length)[part] for part, length in zip(key, self.shape, strict=True)]
        places = [self.observations[parts[0]], *parts[1:]]
        if not all(part.size for part in places):
            return np.asarray(np.empty(self.shape, dtype=self.dtype)[key])
        box = [slice(int(part.min()), int(part.max()) + 1) for part in places]
        values = self.shards.read((box[0], box[1], box[2]))[..., box[3]]
        for axis, (part, span) in enumerate(zip(places, box, strict=True)):
            if part.ndim and not np.array_equal(part, np.arange(span.start, span.stop)):
                values = values.take(part - span.start, axis=axis)
        return values[tuple(slice(None) if part.ndim else 0 for part in places)]

    def gather(self, yx: NDArray[np.intp], out: NDArray[Any]) -> Iterator[tuple[int, int]]:
        """Fill ``out`` (T, N, C) with the ABRDFs at ``yx`` (T, 2); yield (done, total) steps."""
        deep, high, wide, _ = self.shards.chunk
        texels = _groups(yx // (high, wide))
        layers = _groups(self.observations[:, np.newaxis] // deep)

        def put(place: Place, values: NDArray[Any]) -> None:
            rows, columns = texels[place[1:]], layers[place[:1]]
            y, x = (yx[rows] - (place[1] * high, place[2] * wide)).T
            which = self.observations[columns] - place[0] * deep
            out[rows[:, np.newaxis], columns] = values[which, y[:, np.newaxis], x[:, np.newaxis]]

        return self.shards.visit(self._wanted_for(list(layers), list(texels)), put)

    def _wanted_for(self, layers: list[Place], tiles: list[Place]) -> list[Wanted]:
        """List by shard the chunks at all pairs of a layer of observations and a tile."""
        depth, rows, columns = self.shards.grid[:3]
        deep = _by(layers, (depth,))
        flat = _by(tiles, (rows, columns))
        return [
            Wanted(
                (o[0], place[0], place[1]),
                [(i, y, x) for (i,), (y, x) in itertools.product(deep[o], flat[place])],
            )
            for o, place in itertools.product(deep, flat)
        ]


def _groups(places: NDArray[np.intp]) -> dict[Place, NDArray[np.intp]]:
    """Map each distinct row of ``places`` to the indices of the rows equal to it, ascending."""
    if not len(places):
        return {}
    distinct, member_of = np.unique(places, axis=0, return_inverse=True)
    member_of = member_of.reshape(-1)
    order = np.argsort(member_of, kind="stable")
    starts = np.flatnonzero(np.diff(member_of[order])) + 1
    return dict(zip(map(tuple, distinct.tolist()), np.split(order, starts), strict=True))


def _by(places: list[Place], size: Place) -> dict[Place, list[Place]]:
    """Group chunk positions by the position of their shard; a shard has ``size`` chunks."""
    found: dict[Place, list[Place]] = {}
    for place in places:
        shard = tuple(i // s for i, s in zip(place, size, strict=True))
        found.setdefault(shard, []).append(place)
    return found
