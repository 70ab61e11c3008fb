"""Latents in at most 8 bits, each quantised over its own range."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.decoding.layers_storage import FLOATS, Expected
from napari_btf.codec.latents.planes import compress, cut, decompress, groups
from napari_btf.codec.latents.stored import StoredLatents, store

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FreeLatents", "QuantisedLatents", "expected_codes", "quantise", "unpack_codes"]


@dataclass(frozen=True, eq=False)
class QuantisedLatents:
    """A latent map in at most 8 bits per value.

    Parameters
    ----------
    codes : ndarray of uint8, shape (H, W, K)
    scale, offset : ndarray of float32, shape (K,)
        ``latent = offset + scale * code``.
    """

    codes: NDArray[np.uint8]
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int, int]:
        """H, W and K."""
        height, width, count = self.codes.shape
        return height, width, count

    @property
    def quantised(self) -> QuantisedLatents:
        """The latents as a file holds them."""
        return self

    @cached_property
    def streams(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The compressed codes, and the length of each stream in bytes."""
        planes = np.ascontiguousarray(self.codes.transpose(2, 0, 1))
        return compress([planes[part.start : part.stop] for part in groups(len(planes))])

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The tensors of a model file, which `unpack_codes` reads."""
        streams, lengths = self.streams
        return {
            "latent_streams": streams,
            "latent_lengths": lengths,
            "latent_scale": self.scale,
            "latent_offset": self.offset,
        }

    @property
    def nbytes(self) -> int:
        """Size in a file, in bytes."""
        streams, lengths = self.streams
        return streams.nbytes + lengths.nbytes + self.scale.nbytes + self.offset.nbytes

    def values(self) -> NDArray[np.float32]:
        """The latents, float32, shape (H, W, K)."""
        return self.codes * self.scale + self.offset

    def stored(self, kind: str) -> StoredLatents:
        """Return the codes in one of the `LATENT_TYPES`; all of these hold the codes exactly."""
        return StoredLatents(self.codes.astype(kind, copy=False), self.scale, self.offset)


@dataclass(frozen=True, eq=False)
class FreeLatents:
    """Latents of any values, such as those of an edited model. A file holds them in 8 bits.

    Parameters
    ----------
    free : ndarray of float32, shape (H, W, K)
    """

    free: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int, int]:
        """H, W and K."""
        height, width, count = self.free.shape
        return height, width, count

    @cached_property
    def quantised(self) -> QuantisedLatents:
        """The latents as a file holds them."""
        return quantise(self.free)

    @property
    def nbytes(self) -> int:
        """Size in a file, in bytes."""
        return self.quantised.nbytes

    def values(self) -> NDArray[np.float32]:
        """The latents, float32, shape (H, W, K)."""
        return self.free

    def stored(self, kind: str) -> StoredLatents:
        """Return the latents in one of the `LATENT_TYPES`."""
        return store(self.free, kind)


def expected_codes(shapes: dict[str, tuple[int, ...]], latents: int) -> Expected:
    """Return the shapes and types of `QuantisedLatents.tensors`.

    Parameters
    ----------
    shapes : dict
        The shapes of the tensors in the file, by name.
    latents : int
        Latents per texel, K.

    Raises
    ------
    KeyError, IndexError
        If a tensor is missing, or has no axis.
    """
    return {
        "latent_streams": ((shapes["latent_streams"][0],), ("U8",)),
        "latent_lengths": ((shapes["latent_lengths"][0],), ("I64",)),
        "latent_scale": ((latents,), FLOATS),
        "latent_offset": ((latents,), FLOATS),
    }


def unpack_codes(description: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> QuantisedLatents:
    """Return the latents of a model file.

    Parameters
    ----------
    description : dict
        With ``height``, ``width`` and ``latents``.
    tensors : dict
        Those of `QuantisedLatents.tensors`.

    Raises
    ------
    ValueError
        If the streams are damaged, or of other sizes.
    """
    height, width, count = (description[key] for key in ("height", "width", "latents"))
    codes = np.empty((height, width, count), dtype=np.uint8)
    streams = cut(tensors["latent_streams"], tensors["latent_lengths"], count)
    for part, stream in zip(groups(count), streams, strict=True):
        planes = decompress(stream, len(part), height, width, np.uint8)
        codes[..., part.start : part.stop] = planes.transpose(1, 2, 0)
    scale, offset = (tensors[name].astype(np.float32) for name in ("latent_scale", "latent_offset"))
    return QuantisedLatents(codes, scale, offset)


def quantise(latents: NDArray[np.floating[Any]], levels: int = 256) -> QuantisedLatents:
    """Quantise an (H, W, K) latent map uniformly, over the range of each latent."""
    low = latents.min(axis=(0, 1)).astype(np.float32)
    step = ((latents.max(axis=(0, 1)) - low) / (levels - 1.0)).astype(np.float32)
    step[step <= 0] = 1.0
    codes = np.clip(np.rint((latents - low) / step), 0, levels - 1).astype(np.uint8)
    return QuantisedLatents(codes, step, low)
