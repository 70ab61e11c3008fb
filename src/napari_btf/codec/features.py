"""Features of directions: the inputs of networks that depend on light and view, in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.directions import vectors_to_disk

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["GRAZING", "PAIR_FEATURES", "VIEW_FEATURES", "pair_features", "tangent", "view_features"]

#: Number of columns of `view_features` and of `pair_features`.
VIEW_FEATURES, PAIR_FEATURES = 5, 8
#: Least cosine of the polar angle in `tangent`, because a grazing ray would move without bound.
GRAZING = 0.2


def view_features(view: ArrayLike) -> NDArray[np.float32]:
    """Return the features of views, (P, 3) -> (P, 5): disk coordinates, then the unit vector."""
    view = np.asarray(view, dtype=np.float64)
    return np.concatenate([vectors_to_disk(view), view], axis=-1).astype(np.float32)


def pair_features(light: ArrayLike, view: ArrayLike) -> NDArray[np.float32]:
    """Return the features of (light, view) pairs, (P, 3), (P, 3) -> (P, 8).

    The columns are the disk coordinates of light and view, the cosines of both with the surface
    normal, and x and y of the half vector.
    """
    light, view = np.asarray(light, dtype=np.float64), np.asarray(view, dtype=np.float64)
    half = light + view
    half /= np.maximum(np.linalg.norm(half, axis=-1, keepdims=True), 1e-9)
    disks = vectors_to_disk(light), vectors_to_disk(view)
    columns = (*disks, light[..., 2:], view[..., 2:], half[..., :2])
    return np.concatenate(columns, axis=-1).astype(np.float32)


def tangent(direction: ArrayLike) -> NDArray[np.float32]:
    """Return how far a ray moves along the surface for each texel of height, (..., 3) -> (..., 2).

    The result is in texels, (down, right), because rows count downwards while y points upwards.
    """
    d = np.asarray(direction, dtype=np.float64)
    moved = d[..., 1::-1] * (-1.0, 1.0) / np.maximum(d[..., 2:], GRAZING)
    return np.asarray(moved, dtype=np.float32)
