"""The link between the points of an embedding and the texels of the surface."""

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
        Positions in the plane, with y pointing up.
    coords : ndarray of int, shape (T, 2)
        Row ``(y, x)`` of the texel that each point stands for.
    height, width : int
        Size of the surface in texels.
    method : {"tsne", "pca", "umap"}, optional
        The method that made the points; None if they come from a file.
    """

    points: NDArray[np.floating]
    coords: NDArray[np.intp]
    height: int
    width: int
    method: Method | None = None

    @cached_property
    def point_of(self) -> NDArray[np.int32]:
        """The index of the point of each texel, (H, W); -1 for a texel without a point."""
        found = np.full((self.height, self.width), -1, dtype=np.int32)
        found[tuple(self.coords.T)] = np.arange(len(self.coords), dtype=np.int32)
        return found

    def at_points(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return for each point the value of its texel: from (H, W, ...) to (T, ...)."""
        found: NDArray[Any] = values[self.coords[:, 0], self.coords[:, 1]]
        return found

    def as_mask(self, points: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Convert a mask of points, (T,), to a mask of texels, (H, W)."""
        mask = np.zeros((self.height, self.width), dtype=bool)
        mask[tuple(self.coords[points].T)] = True
        return mask
