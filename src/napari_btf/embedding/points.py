"""Points in the plane: density image, evenly spread sample, lasso, and nearest neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Density", "PointIndex", "bounds_of", "density", "in_polygon", "spread_sample"]

Bounds = tuple[float, float, float, float]

#: Width of the empty margin around all points, as a share of their extent.
_MARGIN = 0.03


class Density(NamedTuple):
    """An image of the density of points."""

    image: NDArray[np.float32]
    """Density from 0 to 1, (H, W); row 0 is the top, where y is largest."""
    bounds: Bounds
    """Left, bottom, right and top of the image, in the coordinates of the points."""


def bounds_of(points: ArrayLike) -> Bounds:
    """Return left, bottom, right and top of a rectangle around points (T, 2), with a margin."""
    points = np.asarray(points, dtype=np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    # Even if all points coincide, the rectangle has an area.
    margin = max(float((high - low).max()), 1e-6) * _MARGIN
    (left, bottom), (right, top) = low - margin, high + margin
    return float(left), float(bottom), float(right), float(top)


def density(
    points: ArrayLike, size: int | tuple[int, int] = 512, bounds: Bounds | None = None
) -> Density:
    """Draw the density of points, for maps with too many points to draw each of them.

    Parameters
    ----------
    points : array_like, shape (T, 2)
        Coordinates (x, y).
    size : int or tuple of int
        Height and width of the image in pixels.
    bounds : tuple of float, optional
        Left, bottom, right and top of the image; by default a rectangle around all points.

    Returns
    -------
    Density
        Counts of points, smoothed by a Gaussian of one pixel, on a logarithmic scale.
    """
    from scipy.ndimage import gaussian_filter

    points = np.asarray(points, dtype=np.float64)
    height, width = (size, size) if isinstance(size, int) else size
    left, bottom, right, top = bounds_of(points) if bounds is None else bounds
    column = np.floor((points[:, 0] - left) * (width / (right - left))).astype(np.intp)
    row = np.floor((top - points[:, 1]) * (height / (top - bottom))).astype(np.intp)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    counts = np.bincount(row[inside] * width + column[inside], minlength=height * width)
    image = gaussian_filter(counts.reshape(height, width).astype(np.float32), 1.0)
    image = np.log1p(image)
    most = float(image.max())
    if most > 0:
        image /= most
    return Density(image, (left, bottom, right, top))


def spread_sample(points: ArrayLike, count: int, seed: int = 0) -> NDArray[np.intp]:
    """Choose a sample of points that covers the plane evenly, including its sparse parts.

    Parameters
    ----------
    points : array_like, shape (T, 2)
    count : int
        Largest number of points to choose.
    seed : int

    Returns
    -------
    ndarray of int, shape (min(T, count),)
        Indices of the chosen points, in increasing order.
    """
    points = np.asarray(points, dtype=np.float64)
    total = len(points)
    if count >= total:
        return np.arange(total, dtype=np.intp)
    left, bottom, right, top = bounds_of(points)
    # A grid of about ``count`` cells; each cell gives one point, then a second one, and so on.
    cells = max(1, int(np.sqrt(count)))
    column = np.floor((points[:, 0] - left) * (cells / (right - left))).astype(np.intp)
    row = np.floor((points[:, 1] - bottom) * (cells / (top - bottom))).astype(np.intp)
    order = np.random.default_rng(seed).permutation(total)
    cell = (row * cells + column)[order]
    by_cell = np.argsort(cell, kind="stable")
    sizes = np.bincount(cell)
    sizes = sizes[sizes > 0]
    rank = np.empty(total, dtype=np.intp)
    rank[by_cell] = np.arange(total) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(order[np.argsort(rank, kind="stable")[:count]])


def in_polygon(points: ArrayLike, polygon: ArrayLike) -> NDArray[np.bool_]:
    """Mark the points inside a polygon, by the even-odd rule.

    Parameters
    ----------
    points : array_like, shape (T, 2)
    polygon : array_like, shape (V, 2)
        Corners in order; the last one is joined to the first. An area that the polygon encloses
        twice is outside.

    Returns
    -------
    ndarray of bool, shape (T,)
    """
    points, polygon = np.asarray(points, np.float64), np.asarray(polygon, np.float64)
    inside = np.zeros(len(points), dtype=bool)
    if len(polygon) < 3:
        return inside
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    near = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
    if len(near):
        from skimage.measure import points_in_poly

        inside[near] = points_in_poly(points[near], polygon)
    return inside


class PointIndex:
    """A k-d tree of points (T, 2), which finds the nearest point in microseconds."""

    def __init__(self, points: ArrayLike) -> None:
        from scipy.spatial import KDTree

        self._tree = KDTree(np.asarray(points, dtype=np.float64))

    def nearest(self, place: ArrayLike, within: float = np.inf) -> int | None:
        """Return the index of the point nearest to (x, y), or None if it is beyond ``within``."""
        distance, index = self._tree.query(np.asarray(place, dtype=np.float64))
        return int(index) if distance <= within else None
