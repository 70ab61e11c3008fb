"""The points of a model: which texel each is, and what is known about them."""

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
    """An embedding of the texels of one model.

    Parameters
    ----------
    points : ndarray, shape (T, 2)
        In the plane, y up.
    coords : ndarray of int, shape (T, 2)
        Rows (y, x): the texel of each point.
    height, width : int
        Of the texel grid.
    method : {"tsne", "pca", "umap"}, optional
        Where the points come from, if not from a file.
    """

    points: NDArray[np.floating]
    coords: NDArray[np.intp]
    height: int
    width: int
    method: Method | None = None

    @cached_property
    def point_of(self) -> NDArray[np.int32]:
        """The point of each texel, (H, W); -1 where it has none."""
        found = np.full((self.height, self.width), -1, dtype=np.int32)
        found[tuple(self.coords.T)] = np.arange(len(self.coords), dtype=np.int32)
        return found

    def at_points(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of texels (H, W, ...) at the points, (T, ...)."""
        found: NDArray[Any] = values[self.coords[:, 0], self.coords[:, 1]]
        return found

    def as_mask(self, points: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The texels of some points, given as a mask (T,), as a mask (H, W)."""
        mask = np.zeros((self.height, self.width), dtype=bool)
        mask[tuple(self.coords[points].T)] = True
        return mask
