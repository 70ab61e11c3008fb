"""Latents in memory: in single precision, in half precision, or in 8 bits over their own range."""

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

#: The types that latents can have in memory.
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
        """Return the latents as float32, (H, W, K); float32 values are returned as they are."""
        if self.values.dtype == np.float32:
            return self.values
        return np.asarray(self.values * self.scale + self.offset, dtype=np.float32)


def check_latent_type(name: str) -> None:
    """Raise a UsageError for a type that latents cannot have in memory.

    Raises
    ------
    UsageError
    """
    if name not in LATENT_TYPES:
        raise UsageError(
            None, f"latents cannot be {name!r} in memory", f"use {', '.join(LATENT_TYPES)}"
        )


def widen(values: NDArray[Any], out: NDArray[np.float32]) -> None:
    """Convert values of one of the `LATENT_TYPES` to float32 in ``out``, of the same shape."""
    code = kernels()
    is_half = values.dtype == np.float16 and values.size == out.size
    if code is not None and is_half and values.flags.c_contiguous and out.flags.c_contiguous:
        code.widen(values.view(np.int16).reshape(-1), out.reshape(-1))
    else:
        out[...] = values


def stored(shape: tuple[int, ...], kind: str) -> StoredLatents:
    """Allocate latents of a shape (H, W, K), to be filled by `store_plane`."""
    scale, offset = np.ones(shape[-1], np.float32), np.zeros(shape[-1], np.float32)
    return StoredLatents(np.empty(shape, dtype=kind), scale, offset)


def store(latents: NDArray[np.float32], kind: str) -> StoredLatents:
    """Convert latents (H, W, K) to one of the `LATENT_TYPES`; float32 ones stay as they are."""
    if kind == "float32":
        ones = np.ones(latents.shape[-1], np.float32)
        return StoredLatents(latents, ones, np.zeros_like(ones))
    room = stored(latents.shape, kind)
    for k in range(latents.shape[-1]):
        store_plane(room, k, latents[..., k])
    return room


def store_plane(room: StoredLatents, k: int, plane: NDArray[np.float32]) -> None:
    """Store latent ``k``, (H, W), in the allocated latents.

    The largest error is 1/510 of the latent's range in 8 bits, and 1/8192 of it in half precision.
    """
    values, target = plane, room.values[..., k]
    if target.dtype != np.float32:
        low, high = np.float32(plane.min()), np.float32(plane.max())
        parts = 255 if target.dtype == np.uint8 else 2
        scale = (high - low) / np.float32(parts) or np.float32(1.0)
        # The range is centred on 0, because half precision is finest there.
        offset = low if parts == 255 else low + scale
        room.scale[k], room.offset[k] = scale, offset
        values = (plane - offset) / scale
        if target.dtype == np.uint8:
            values = np.clip(np.rint(values), 0, 255)
    target[...] = values
