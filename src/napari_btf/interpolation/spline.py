"""Interpolation of tables over directions: a smoothed spline that still meets its samples.

A spline with a smoothing term generates unseen directions better than one that
passes through every sample, because each photograph carries an error of its own
(registration, exposure, noise). What the smoothing leaves over is added back close to its
own sample only, by a compact bump that is zero at every other sample. So captured directions
are met exactly and the space between them is smooth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Kernel = Literal["matern", "thin-plate"]

__all__ = [
    "LENGTH",
    "MAX_CENTRES",
    "DirectionSpline",
    "Places",
    "fit_spline",
    "leave_one_out",
    "linear_places",
    "spread_subset",
]

#: Most samples the dense system of the spline is solved for (memory grows with the square).
MAX_CENTRES = 2048

#: Reach of the bumps, relative to the distance of the nearest other sample.
_REACH = 0.75

#: Weight that decides slopes the samples leave open (all in one hyperplane); else without effect.
_RIDGE = 1e-9

#: Of the Matern kernel; directions lie on spheres of radius 1.
LENGTH = 2.0


@dataclass(frozen=True, eq=False)
class Places:
    """Where a spline is asked for values, or has its samples.

    Parameters
    ----------
    points : ndarray, shape (P, D)
        Distances are measured between them.
    trend : ndarray, shape (P, T)
        Functions that the spline follows freely; the first is 1.
    """

    points: NDArray[np.float64]
    trend: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.points)

    def at(self, rows: NDArray[Any] | slice) -> Places:
        """Some of the places."""
        return Places(self.points[rows], self.trend[rows])


def linear_places(points: ArrayLike) -> Places:
    """Places at points of shape (P, D), whose constant and linear functions are the trend."""
    x = np.asarray(points, dtype=np.float64)
    return Places(x, np.concatenate([np.ones((len(x), 1)), x], axis=1))


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
    slopes : ndarray, shape (T, M)
        Of the trend.
    bumps : ndarray, shape (N, M) or (0, M)
        What is added at each sample point; no rows where the spline meets the samples alone.
    kernel : {"matern", "thin-plate"}
        Matern's of smoothness 3/2, which goes with r^3 nearby and with any trend, or r^2 log r.
        On directions left out of real captures the first does better (docs/codec.md).
    """

    points: NDArray[np.float64]
    centres: NDArray[np.intp]
    coefficients: NDArray[np.float32]
    slopes: NDArray[np.float32]
    bumps: NDArray[np.float32]
    kernel: Kernel = "matern"

    @cached_property
    def reach(self) -> NDArray[np.float64]:
        """Distances at which the bumps end, (N,)."""
        return _REACH * _nearest_distance(self.points)

    @cached_property
    def _stand(self) -> NDArray[np.float64]:
        return self.points[self.centres]

    def __call__(self, at: Places) -> NDArray[np.float64]:
        """Values at P places, shape (P, M)."""
        kernel = _KERNELS[self.kernel](_squared_distances(at.points, self._stand))
        out = kernel @ self.coefficients + at.trend @ self.slopes.astype(np.float64)
        if len(self.bumps):
            distance = np.sqrt(_squared_distances(at.points, self.points))
            rows, columns = np.nonzero(distance < self.reach)
            weight = _wendland(distance[rows, columns] / self.reach[columns])
            np.add.at(out, rows, weight[:, None] * self.bumps[columns].astype(np.float64))
        return np.asarray(out)


def fit_spline(
    places: Places,
    values: ArrayLike,
    smoothing: float,
    max_centres: int = MAX_CENTRES,
    kernel: Kernel = "matern",
) -> DirectionSpline:
    """Fit a `DirectionSpline` that meets every sample.

    Parameters
    ----------
    places : Places
        Of the N samples, at different points.
    values : array_like, shape (N, M)
    smoothing : float
        Weight of the bending energy; 0 lets the spline alone meet its centres
        (G. Wahba, Spline Models for Observational Data, 1990, chapter 2).
    max_centres : int
        Above this many samples the spline stands on a well-spread subset.
    kernel : {"matern", "thin-plate"}
    """
    y = np.asarray(values, dtype=np.float64)
    n = len(places)
    centres = np.arange(n) if n <= max_centres else spread_subset(places.points, max_centres)
    m = len(centres)
    right = np.zeros((m + places.trend.shape[1], y.shape[1]))
    right[:m] = y[centres]
    from scipy.linalg import solve

    system = _system(places.at(centres), smoothing, kernel)
    solution = solve(system, right, assume_a="sym", overwrite_a=True, overwrite_b=True)
    smooth = DirectionSpline(
        places.points,
        centres,
        solution[:m].astype(np.float32),
        solution[m:].astype(np.float32),
        np.zeros((0, y.shape[1]), dtype=np.float32),
        kernel,
    )
    left_over = y - np.concatenate([smooth(places.at(slice(i, i + 512))) for i in range(0, n, 512)])
    if np.abs(left_over).max() < 1e-3 * np.abs(y).max():
        return smooth
    return replace(smooth, bumps=left_over.astype(np.float32))


def leave_one_out(
    places: Places, values: ArrayLike, smoothing: float, kernel: Kernel = "matern"
) -> NDArray[np.float64]:
    """What a spline without each sample would miss at it.

    S. Rippa, "An algorithm for selecting a good value for the parameter c in radial basis
    function interpolation", 1999; with smoothing, the spline without its bumps.

    Parameters
    ----------
    places : Places
        Of the N samples.
    values : array_like, shape (N, M)
    smoothing : float
    kernel : {"matern", "thin-plate"}

    Returns
    -------
    ndarray, shape (N, M)
    """
    y, n = np.asarray(values, dtype=np.float64), len(places)
    inverse = np.linalg.inv(_system(places, smoothing, kernel))[:n, :n]
    diagonal = np.diag(inverse)
    # A sample that alone spans a dimension cannot be left out.
    diagonal = np.where(np.abs(diagonal) > _RIDGE, diagonal, np.inf)
    return np.asarray((inverse @ y) / diagonal[:, np.newaxis])


def _system(places: Places, smoothing: float, kernel: Kernel) -> NDArray[np.float64]:
    """Matrix of the spline's equations, (N + T) squared."""
    m, t = places.trend.shape
    system = np.zeros((m + t, m + t))
    system[:m, :m] = _KERNELS[kernel](_squared_distances(places.points, places.points))
    system[np.arange(m), np.arange(m)] += smoothing
    system[:m, m:] = places.trend
    system[m:, :m] = places.trend.T
    # Not on the constant, which no samples leave open.
    system[np.arange(m + 1, m + t), np.arange(m + 1, m + t)] = -_RIDGE
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


def _matern(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of smoothness 3/2: Rasmussen and Williams, Gaussian Processes, 2006, equation 4.17."""
    scaled = np.sqrt(3.0 * squared) / LENGTH
    return np.asarray((1.0 + scaled) * np.exp(-scaled))


def _thin_plate(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """r^2 log r of squared distances."""
    return 0.5 * squared * np.log(np.maximum(squared, 1e-30))


_KERNELS = {"matern": _matern, "thin-plate": _thin_plate}


def _wendland(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compact bump of Wendland (1995): (1 - r)^4 (4 r + 1), twice differentiable, 0 from r = 1."""
    return np.maximum(1.0 - r, 0.0) ** 4 * (4.0 * r + 1.0)
