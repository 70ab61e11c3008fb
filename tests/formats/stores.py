"""Texel stores to test with: what is written, and how it is spoilt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr

from napari_btf.btf import BTF
from napari_btf.directions import angles_to_vectors
from napari_btf.formats.texel_store.layout import Layout

Write = Callable[..., Path]
#: Several chunks, shards and blocks of what `made_up` makes, none of which fits its size.
SMALL = Layout(chunk=(4, 8, 16, 3), shard=(8, 16, 32, 3))


class Source:
    """A capture made up on the fly, which remembers the images it was asked for."""

    def __init__(self, shape: tuple[int, ...], dtype: Any = np.uint8, seed: int = 0) -> None:
        self.shape, self.ndim, self.dtype, self.seed = shape, 4, np.dtype(dtype), seed
        self.asked: list[int] = []

    def image(self, i: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, i])
        if self.dtype.kind == "f":
            return rng.normal(1, 3, self.shape[1:]).astype(self.dtype)
        return rng.integers(0, np.iinfo(self.dtype).max, self.shape[1:], self.dtype)

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        images = np.arange(len(self))[key[0]]
        self.asked += np.atleast_1d(images).tolist()
        if images.ndim:
            return np.stack([self.image(i) for i in images])[:, *key[1:]]
        return self.image(int(images))[key[1:]]

    def __len__(self) -> int:
        return self.shape[0]


def made_up(
    count: int = 37,
    height: int = 21,
    width: int = 50,
    channels: int = 3,
    dtype: Any = np.uint8,
    seed: int = 0,
) -> tuple[BTF, Source]:
    """A lazy BTF of scattered directions, and what its images come from."""
    source = Source((count, height, width, channels), dtype, seed)
    meta = np.empty((0,) * 4, dtype=dtype)
    frames = da.from_array(
        source, chunks=(1, *source.shape[1:]), asarray=False, meta=meta, name=False
    )
    light = angles_to_vectors(np.linspace(0, 80, count), np.linspace(0, 1000, count))
    view = angles_to_vectors(np.linspace(70, 3, count), np.linspace(50, -300, count))
    notes = ("an image was left out",)
    return BTF(frames, light, view, "made/up", "image folder", notes), source


def all_of(btf: BTF) -> np.ndarray:
    return np.stack([btf.frame(i) for i in range(len(btf))])


def content(store: Path) -> dict[str, Any]:
    """All files of a store, without the date."""
    found: dict[str, Any] = {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file()
    }
    about = json.loads(found["zarr.json"])
    del about["attributes"]["napari-btf"]["created"]
    return found | {"zarr.json": about}


def shards(store: Path) -> list[Path]:
    return sorted(path for path in (store / "observations" / "c").rglob("*") if path.is_file())


def partial_of(store: Path) -> Path:
    return store.with_name(f".{store.name}.partial")


def spoil_chunks(store: Path, kept: Callable[[tuple[int, ...]], bool]) -> int:
    """Overwrite all chunks but some, chosen by their place; how many chunks are left."""
    array = zarr.open_group(store, mode="r")["observations"]
    grid = [s // c for s, c in zip(array.shards, array.chunks, strict=True)]
    left = 0
    for path in shards(store):
        shard = [int(part) for part in path.relative_to(store / "observations" / "c").parts]
        data = bytearray(path.read_bytes())
        index = np.frombuffer(data[-16 * int(np.prod(grid)) - 4 : -4], "<u8").reshape(*grid, 2)
        for inner in np.ndindex(*grid):
            start, length = index[inner].tolist()
            place = tuple(s * g + i for s, g, i in zip(shard, grid, inner, strict=True))
            if start == 2**64 - 1:
                continue
            if kept(place):
                left += 1
            else:
                data[start : start + length] = bytes(length)
        path.write_bytes(data)
    return left
