"""Latents in memory: as they are, in half precision, or in 8 bits, each over its own range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_btf.codec.decoding.compiled import kernels
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LATENT_TYPES",
    "StoredLatents",
    "check_latent_type",
    "store",
    "store_plane",
    "stored",
    "widen",
]

#: What latents can be in memory.
LATENT_TYPES = ("float32", "float16", "uint8")


class StoredLatents(NamedTuple):
    """A latent map of one of the `LATENT_TYPES`: ``latent = offset + scale * value``."""

    values: NDArray[Any]
    """(H, W, K)"""
    scale: NDArray[np.float32]
    """(K,)"""
    offset: NDArray[np.float32]
    """(K,)"""

    def latents(self) -> NDArray[np.float32]:
        """The latents as float32, (H, W, K); of float32 the values themselves."""
        if self.values.dtype == np.float32:
            return self.values
        return np.asarray(self.values * self.scale + self.offset, dtype=np.float32)


def check_latent_type(name: str) -> None:
    """Refuse types that latents cannot have in memory.

    Raises
    ------
    UsageError
    """
    if name not in LATENT_TYPES:
        raise UsageError(
            None, f"latents cannot be {name!r} in memory", f"use {', '.join(LATENT_TYPES)}"
        )


def widen(values: NDArray[Any], out: NDArray[np.float32]) -> None:
    """Put values of one of the `LATENT_TYPES` into ``out``, an array of the same shape."""
    code = kernels()
    is_half = values.dtype == np.float16 and values.size == out.size
    if code is not None and is_half and values.flags.c_contiguous and out.flags.c_contiguous:
        code.widen(values.view(np.int16).reshape(-1), out.reshape(-1))
    else:
        out[...] = values


def stored(shape: tuple[int, ...], kind: str) -> StoredLatents:
    """Room for latents of a shape (H, W, K), to be filled with `store_plane`."""
    scale, offset = np.ones(shape[-1], np.float32), np.zeros(shape[-1], np.float32)
    return StoredLatents(np.empty(shape, dtype=kind), scale, offset)


def store(latents: NDArray[np.float32], kind: str) -> StoredLatents:
    """Latents (H, W, K) in one of the `LATENT_TYPES`; as float32 the array itself."""
    if kind == "float32":
        ones = np.ones(latents.shape[-1], np.float32)
        return StoredLatents(latents, ones, np.zeros_like(ones))
    room = stored(latents.shape, kind)
    for k in range(latents.shape[-1]):
        store_plane(room, k, latents[..., k])
    return room


def store_plane(room: StoredLatents, k: int, plane: NDArray[np.float32]) -> None:
    """Put latent ``k``, (H, W), into the room for it.

    8 bits are wrong by 1/510 of its range at most, half precision by 1/8192 of it.
    """
    values, target = plane, room.values[..., k]
    if target.dtype != np.float32:
        low, high = np.float32(plane.min()), np.float32(plane.max())
        parts = 255 if target.dtype == np.uint8 else 2
        scale = (high - low) / np.float32(parts) or np.float32(1.0)
        # Half precision is finest around 0.
        offset = low if parts == 255 else low + scale
        room.scale[k], room.offset[k] = scale, offset
        values = (plane - offset) / scale
        if target.dtype == np.uint8:
            values = np.clip(np.rint(values), 0, 255)
    target[...] = values
