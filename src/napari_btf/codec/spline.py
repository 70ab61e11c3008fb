"""Interpolation of tables over directions: a smoothed spline that still meets its samples.

A polyharmonic spline with a smoothing term generates unseen directions better than one that
passes through every sample, because each photograph carries an error of its own
(registration, exposure, noise). What the smoothing leaves over is added back close to its
own sample only, by a compact bump that is zero at every other sample. So captured directions
are met exactly and the space between them is smooth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Kernel = Literal["cubic", "thin-plate"]

__all__ = ["MAX_CENTRES", "DirectionSpline", "fit_spline", "leave_one_out", "spread_subset"]

#: Most samples the dense system of the spline is solved for (memory grows with the square).
MAX_CENTRES = 2048

#: Reach of the bumps, relative to the distance of the nearest other sample.
_REACH = 0.75

#: Weight that decides slopes the samples leave open (all in one hyperplane); else without effect.
_RIDGE = 1e-9


@dataclass(frozen=True, eq=False)
class DirectionSpline:
    """A table of M values per sample point, continued to all points.

    Parameters
    ----------
    points : ndarray, shape (N, D)
        The sample points, all different.
    centres : ndarray of int, shape (n,)
        Which of them the spline stands on.
    coefficients : ndarray, shape (n, M)
    polynomial : ndarray, shape (D + 1, M)
        Constant and linear terms.
    bumps : ndarray, shape (N, M) or (0, M)
        What is added at each sample point; no rows where the spline meets the samples alone.
    kernel : {"cubic", "thin-plate"}
        r^3, or r^2 log r. On directions left out of real captures the first does better
        (docs/codec.md).
    """

    points: NDArray[np.float64]
    centres: NDArray[np.intp]
    coefficients: NDArray[np.float32]
    polynomial: NDArray[np.float32]
    bumps: NDArray[np.float32]
    kernel: Kernel = "cubic"

    @cached_property
    def _reach(self) -> NDArray[np.float64]:
        return _REACH * _nearest_distance(self.points)

    @cached_property
    def _stand(self) -> NDArray[np.float64]:
        return self.points[self.centres]

    def __call__(self, at: ArrayLike) -> NDArray[np.float64]:
        """Values at some points.

        Parameters
        ----------
        at : array_like, shape (P, D)

        Returns
        -------
        ndarray, shape (P, M)
        """
        at = np.asarray(at, dtype=np.float64)
        out = _KERNELS[self.kernel](_squared_distances(at, self._stand)) @ self.coefficients
        out += self.polynomial[0] + at @ self.polynomial[1:].astype(np.float64)
        if len(self.bumps):
            distance = np.sqrt(_squared_distances(at, self.points))
            rows, columns = np.nonzero(distance < self._reach)
            weight = _wendland(distance[rows, columns] / self._reach[columns])
            np.add.at(out, rows, weight[:, None] * self.bumps[columns].astype(np.float64))
        return np.asarray(out)


def fit_spline(
    points: ArrayLike,
    values: ArrayLike,
    smoothing: float,
    max_centres: int = MAX_CENTRES,
    kernel: Kernel = "cubic",
) -> DirectionSpline:
    """Fit a `DirectionSpline` that meets every sample.

    Parameters
    ----------
    points : array_like, shape (N, D)
        All different.
    values : array_like, shape (N, M)
    smoothing : float
        Weight of the bending energy; 0 lets the spline alone meet its centres
        (G. Wahba, Spline Models for Observational Data, 1990, chapter 2).
    max_centres : int
        Above this many samples the spline stands on a well-spread subset.
    kernel : {"cubic", "thin-plate"}
    """
    x, y = np.asarray(points, dtype=np.float64), np.asarray(values, dtype=np.float64)
    n = len(x)
    centres = np.arange(n) if n <= max_centres else spread_subset(x, max_centres)
    m = len(centres)
    right = np.zeros((m + x.shape[1] + 1, y.shape[1]))
    right[:m] = y[centres]
    from scipy.linalg import solve

    system = _system(x[centres], smoothing, kernel)
    solution = solve(system, right, assume_a="sym", overwrite_a=True, overwrite_b=True)
    smooth = DirectionSpline(
        x,
        centres,
        solution[:m].astype(np.float32),
        solution[m:].astype(np.float32),
        np.zeros((0, y.shape[1]), dtype=np.float32),
        kernel,
    )
    left_over = y - np.concatenate([smooth(x[i : i + 512]) for i in range(0, n, 512)])
    if np.abs(left_over).max() < 1e-3 * np.abs(y).max():
        return smooth
    return replace(smooth, bumps=left_over.astype(np.float32))


def leave_one_out(
    points: ArrayLike, values: ArrayLike, smoothing: float, kernel: Kernel = "cubic"
) -> NDArray[np.float64]:
    """What a spline without each sample would miss at it.

    S. Rippa, "An algorithm for selecting a good value for the parameter c in radial basis
    function interpolation", 1999; with smoothing, the spline without its bumps.

    Parameters
    ----------
    points : array_like, shape (N, D)
    values : array_like, shape (N, M)
    smoothing : float
    kernel : {"cubic", "thin-plate"}

    Returns
    -------
    ndarray, shape (N, M)
    """
    x, y = np.asarray(points, dtype=np.float64), np.asarray(values, dtype=np.float64)
    inverse = np.linalg.inv(_system(x, smoothing, kernel))[: len(x), : len(x)]
    diagonal = np.diag(inverse)
    # A sample that alone spans a dimension cannot be left out.
    diagonal = np.where(np.abs(diagonal) > _RIDGE, diagonal, np.inf)
    return np.asarray((inverse @ y) / diagonal[:, np.newaxis])


def _system(x: NDArray[np.float64], smoothing: float, kernel: Kernel) -> NDArray[np.float64]:
    """Matrix of the spline's equations, (n + D + 1) squared."""
    m, d = x.shape
    system = np.zeros((m + d + 1, m + d + 1))
    system[:m, :m] = _KERNELS[kernel](_squared_distances(x, x))
    system[np.arange(m), np.arange(m)] += smoothing
    system[:m, m] = system[m, :m] = 1.0
    system[:m, m + 1 :] = x
    system[m + 1 :, :m] = x.T
    system[np.arange(m + 1, m + d + 1), np.arange(m + 1, m + d + 1)] = -_RIDGE
    return system


def spread_subset(points: ArrayLike, count: int) -> NDArray[np.intp]:
    """Indices of ``count`` points that cover the set evenly, by farthest-point sampling.

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


def _squared_distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(a, b, "sqeuclidean"))


def _nearest_distance(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each point to the nearest other one; 1 where there is no other."""
    if len(points) < 2:
        return np.ones(len(points))
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(points).query(points, k=2)
    return np.asarray(distance[:, 1])


def _cubic(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """r^3 of squared distances."""
    return squared * np.sqrt(squared)


def _thin_plate(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """r^2 log r of squared distances."""
    return 0.5 * squared * np.log(np.maximum(squared, 1e-30))


_KERNELS = {"cubic": _cubic, "thin-plate": _thin_plate}


def _wendland(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compact bump of Wendland (1995): (1 - r)^4 (4 r + 1), twice differentiable, 0 from r = 1."""
    return np.maximum(1.0 - r, 0.0) ** 4 * (4.0 * r + 1.0)
