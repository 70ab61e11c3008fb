"""A latent map: the texels of a surface as points in the plane."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.embedding import Method

__all__ = ["LatentMap"]


@dataclass(eq=False)
class LatentMap:
    """An embedding of the latents of one model in the plane: one point for each embedded texel.

    Not every texel needs to be embedded; T is the number of those that are.

    Parameters
    ----------
    points : ndarray, shape (T, 2)
        Positions in the plane, with y pointing up.
    coords : ndarray of int, shape (T, 2)
        The texel ``(y, x)`` of each point.
    height, width : int
        Height H and width W of the surface in texels.
    method : {"tsne", "pca", "umap"}, optional
        The method that computed the points; None if they were read from a file.
    """

    points: NDArray[np.floating]
    coords: NDArray[np.intp]
    height: int
    width: int
    method: Method | None = None

    @cached_property
    def point_of(self) -> NDArray[np.int32]:
        """Index of the point of each texel, shape (H, W); -1 where a texel is not embedded."""
        found = np.full((self.height, self.width), -1, dtype=np.int32)
        found[tuple(self.coords.T)] = np.arange(len(self.coords), dtype=np.int32)
        return found

    def at_points(self, values: NDArray[Any]) -> NDArray[Any]:
        """Look up a value per texel, (H, W, ...), at the texel of each point: (T, ...)."""
        found: NDArray[Any] = values[self.coords[:, 0], self.coords[:, 1]]
        return found

    def as_mask(self, points: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Convert a mask over the points, (T,), to a mask over the texels, (H, W)."""
        mask = np.zeros((self.height, self.width), dtype=bool)
        mask[tuple(self.coords[points].T)] = True
        return mask
