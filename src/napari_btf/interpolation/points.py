"""Sets of points: subsets that cover them, nearest neighbours, and points that coincide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.directions import disk_to_vectors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["distinct_points", "nearest_distance", "spread_directions", "spread_subset"]

#: Coordinates on the disks closer than this (a hundredth of a degree) count as one point.
_SAME_POINT = 1e-4


def spread_subset(points: ArrayLike, count: int) -> NDArray[np.intp]:
    """Choose ``count`` points that cover the set evenly by farthest-point sampling; sorted indices.

    Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985.
    """
    x = np.asarray(points, dtype=np.float64)
    chosen = np.zeros(min(count, len(x)), dtype=np.intp)
    chosen[0] = np.argmin(np.sum((x - x.mean(axis=0)) ** 2, axis=1))
    distance = np.full(len(x), np.inf)
    for i in range(1, len(chosen)):
        distance = np.minimum(distance, np.sum((x - x[chosen[i - 1]]) ** 2, axis=1))
        chosen[i] = np.argmax(distance)
    return np.sort(chosen)


def nearest_distance(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each point to its nearest neighbour; 1 for a single point."""
    if len(points) < 2:
        return np.ones(len(points))
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(points).query(points, k=2)
    return np.asarray(distance[:, 1])


def distinct_points(points: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Group coinciding points.

    Parameters
    ----------
    points : ndarray, shape (N, D)
        Coordinates on the disks. With D = 0 all points coincide.

    Returns
    -------
    kept : ndarray of int, shape (P,)
        Index of one point of each group.
    member_of : ndarray of int, shape (N,)
        Position in ``kept`` of each point's group.
    """
    near: Any = [range(len(points))]
    if points.shape[1]:
        from scipy.spatial import cKDTree

        near = cKDTree(points).query_ball_point(points, _SAME_POINT)
    stands_for = np.full(len(points), -1, dtype=np.intp)
    for i, neighbours in enumerate(near):
        if stands_for[i] < 0:
            stands_for[[j for j in neighbours if stands_for[j] < 0]] = i
    kept, member_of = np.unique(stands_for, return_inverse=True)
    return kept, member_of


def spread_directions(count: int, radius: float) -> NDArray[np.float64]:
    """Return directions spread evenly up to a radius on the stereographic disk, (count, 3)."""
    lowest = disk_to_vectors([radius, 0.0])[2]
    cosine = 1.0 - (1.0 - lowest) * (np.arange(count) + 0.5) / count
    azimuth = np.pi * (1.0 + np.sqrt(5.0)) * np.arange(count)
    sine = np.sqrt(1.0 - cosine**2)
    return np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=1)
