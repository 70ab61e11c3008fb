"""Latents in 8 bits, each over its own range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["QuantisedLatents", "quantise"]


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
