"""A compressed BTF: the latent map and its decoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.threads import one_thread
from napari_btf.values import ValueScale

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec.basis import DirectionBasis

__all__ = ["DTYPES", "CompressedBTF", "QuantisedLatents", "quantise"]

#: Types of captured values a model can stand for.
DTYPES = ("uint8", "uint16", "float16", "float32", "float64")

#: Pairs whose basis `CompressedBTF.shaded` evaluates at once.
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class QuantisedLatents:
    """A latent map in 8 bits per value.

    Parameters
    ----------
    codes : ndarray of uint8, shape (H, W, K)
    scale, offset : ndarray of float32, shape (K,)
        ``latent = offset + scale * code``.
    """

    codes: NDArray[np.uint8]
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]

    def values(self) -> NDArray[np.float32]:
        """The latents, float32, shape (H, W, K)."""
        return self.codes * self.scale + self.offset


def quantise(latents: NDArray[np.floating[Any]]) -> QuantisedLatents:
    """Quantise an (H, W, K) latent map uniformly to 8 bits, over the range of each latent."""
    low = latents.min(axis=(0, 1)).astype(np.float32)
    step = ((latents.max(axis=(0, 1)) - low) / 255.0).astype(np.float32)
    step[step <= 0] = 1.0
    codes = np.clip(np.rint((latents - low) / step), 0, 255).astype(np.uint8)
    return QuantisedLatents(codes, step, low)


@dataclass(frozen=True, eq=False, repr=False)
class CompressedBTF:
    """Latent map + decoder: the whole surface under any light and view.

    Parameters
    ----------
    latents : QuantisedLatents
        Of (H, W, K).
    basis : DirectionBasis
        The decoder is linear: colour = basis[0] + latents @ basis[1:].
    light, view : ndarray, shape (N, 3)
        Unit vectors of the pairs it was trained on.
    dtype : numpy.dtype
        Type of the captured values.
    source : str
        Name of the capture, for people.
    path : Path, optional
        Where it was loaded from or saved to.
    """

    latents: QuantisedLatents
    basis: DirectionBasis
    light: NDArray[np.float64]
    view: NDArray[np.float64]
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.uint8))
    source: str = ""
    path: Path | None = None

    def __repr__(self) -> str:
        return (
            f"<CompressedBTF {self.source!r}: {self.width} x {self.height} texels, "
            f"{self.latent_count} latents, {self.channels} channels>"
        )

    @property
    def height(self) -> int:
        """Rows of the texel grid."""
        return int(self.latents.codes.shape[0])

    @property
    def width(self) -> int:
        """Columns of the texel grid."""
        return int(self.latents.codes.shape[1])

    @property
    def latent_count(self) -> int:
        """Latents per texel, K."""
        return self.basis.latents

    @property
    def channels(self) -> int:
        """Values per texel of a decoded image."""
        return self.basis.channels

    @property
    def values(self) -> ValueScale:
        """How fitted values become captured ones."""
        return ValueScale(self.dtype)

    @cached_property
    def latent_map(self) -> NDArray[np.float32]:
        """The latents as float32, shape (H, W, K)."""
        return self.latents.values()

    @cached_property
    def fixed_view(self) -> bool:
        """Whether it was trained on one view direction only."""
        return bool(np.ptp(self.view, axis=0).max() < 1e-3)

    @cached_property
    def file_size(self) -> int:
        """Bytes of the model as a file."""
        from napari_btf.codec.storage import to_bytes

        return len(to_bytes(self))

    def decode(self, light: ArrayLike, view: ArrayLike) -> NDArray[np.float32]:
        """The surface under one light from one view, as captured.

        Parameters
        ----------
        light, view : array_like, shape (3,)
            Unit vectors. Directions farther from the normal than any captured one are moved
            to the captured range.

        Returns
        -------
        ndarray, shape (H, W, C)
            0..1 for integer captures, linear radiance from 0 for floating point ones.
        """
        basis = self.basis(np.reshape(light, (1, 3)), np.reshape(view, (1, 3)))[0]
        return self.values.decode(self.shade(basis))

    def shade(self, basis: NDArray[np.float32]) -> NDArray[np.float32]:
        """The surface for one basis of shape (K + 1, C), (H, W, C) in the fitted domain."""
        flat = self.latent_map.reshape(-1, self.latent_count) @ basis[1:]
        flat += basis[0]
        return flat.reshape(self.height, self.width, self.channels)

    def shaded(self, light: ArrayLike, view: ArrayLike) -> Iterator[NDArray[np.float32]]:
        """The surface for one (light, view) pair after the other, in the fitted domain.

        Parameters
        ----------
        light, view : array_like, shape (P, 3)
            Unit vectors.

        Yields
        ------
        ndarray, shape (H, W, C)
            Neither clipped nor rounded.
        """
        light, view = np.asarray(light), np.asarray(view)
        for start in range(0, len(light), _BLOCK):
            block = slice(start, start + _BLOCK)
            for basis in self.basis(light[block], view[block]):
                with one_thread():
                    image = self.shade(basis)
                yield image

    def save(self, path: str | Path) -> Path:
        """Write the model as a ``.safetensors`` file; see `napari_btf.codec.storage`."""
        from napari_btf.codec.storage import save

        return save(self, path)
