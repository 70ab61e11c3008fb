"""Interpolation of tables over directions: a smoothing spline that still interpolates its samples.

A smoothing spline predicts unseen directions better than an interpolating one, because each
photograph has its own error (registration, exposure, noise). The residual at each sample is
added back by a compactly supported bump around this sample, which is zero at every other
sample. So the result is exact at captured directions and smooth between them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_btf.interpolation.points import nearest_distance, spread_subset

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Kernel = Literal["matern", "thin-plate"]

__all__ = [
    "LENGTH",
    "MAX_CENTRES",
    "RIDGE",
    "DirectionSpline",
    "Places",
    "amplification",
    "fit_spline",
    "leave_one_out",
    "linear_places",
]

#: Maximum size of the spline's dense linear system, whose memory grows with the square.
MAX_CENTRES = 2048

#: Radius of the bumps, relative to the distance of the nearest other sample.
_REACH = 0.75

#: Usual regularisation of the trend. It determines slopes if all samples lie in one hyperplane, and
#: has practically no effect otherwise.
RIDGE = 1e-9

#: Length scale of the Matern kernel; directions lie on spheres of radius 1.
LENGTH = 2.0


@dataclass(frozen=True, eq=False)
class Places:
    """Positions at which a spline has its samples or is evaluated.

    Parameters
    ----------
    points : ndarray, shape (P, D)
        Coordinates between which distances are measured.
    trend : ndarray, shape (P, T)
        Values of the functions that the spline fits without penalty; the first function is 1.
    """

    points: NDArray[np.float64]
    trend: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.points)

    def at(self, rows: NDArray[Any] | slice) -> Places:
        """Return the places with these indices."""
        return Places(self.points[rows], self.trend[rows])


def linear_places(points: ArrayLike) -> Places:
    """Return places at points (P, D) whose trend is the constant and the linear functions."""
    x = np.asarray(points, dtype=np.float64)
    return Places(x, np.concatenate([np.ones((len(x), 1)), x], axis=1))


@dataclass(frozen=True, eq=False)
class DirectionSpline:
    """A table of M values per sample point, interpolated to all points.

    Parameters
    ----------
    points : ndarray, shape (N, D)
        The sample points, all different.
    centres : ndarray of int, shape (n,)
        Indices of the sample points at which the spline has radial basis functions.
    coefficients : ndarray, shape (n, M)
        Coefficients of the radial basis functions.
    slopes : ndarray, shape (T, M)
        Coefficients of the trend.
    bumps : ndarray, shape (N, M) or (0, M)
        Height of the bump at each sample point; empty if the spline alone fits the samples.
    kernel : {"matern", "thin-plate"}
        The Matern kernel of smoothness 3/2, or the thin-plate kernel ``r^2 log r``. The Matern
        kernel predicts left-out directions of real captures better (docs/codec.md).
    """

    points: NDArray[np.float64]
    centres: NDArray[np.intp]
    coefficients: NDArray[np.float32]
    slopes: NDArray[np.float32]
    bumps: NDArray[np.float32]
    kernel: Kernel = "matern"

    @cached_property
    def reach(self) -> NDArray[np.float64]:
        """Radius of each bump, shape (N,)."""
        return _REACH * nearest_distance(self.points)

    @cached_property
    def _stand(self) -> NDArray[np.float64]:
        return self.points[self.centres]

    def __call__(self, at: Places) -> NDArray[np.float64]:
        """Evaluate the spline at P places; returns shape (P, M)."""
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
    ridge: float = RIDGE,
) -> DirectionSpline:
    """Fit a `DirectionSpline` that interpolates every sample.

    Parameters
    ----------
    places : Places
        Places of the N samples, at different points.
    values : array_like, shape (N, M)
        The samples.
    smoothing : float
        Weight of the bending energy; with 0 the spline interpolates its centres without bumps
        (G. Wahba, Spline Models for Observational Data, 1990, chapter 2).
    max_centres : int
        Maximum number of centres; with more samples, the centres are an evenly spread subset.
    kernel : {"matern", "thin-plate"}
    ridge : float
        Weight of the squares of the trend's slopes; the constant has none.
    """
    y = np.asarray(values, dtype=np.float64)
    n = len(places)
    centres = np.arange(n) if n <= max_centres else spread_subset(places.points, max_centres)
    m = len(centres)
    right = np.zeros((m + places.trend.shape[1], y.shape[1]))
    right[:m] = y[centres]
    from scipy.linalg import solve

    system = _system(places.at(centres), smoothing, kernel, ridge)
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
    places: Places,
    values: ArrayLike,
    smoothing: float,
    kernel: Kernel = "matern",
    ridge: float = RIDGE,
) -> NDArray[np.float64]:
    """Return leave-one-out residuals: the error at each sample of a spline fitted to the others.

    The residuals come from one matrix inverse (S. Rippa, "An algorithm for selecting a good value
    for the parameter c in radial basis function interpolation", 1999). Bumps are not included.

    Parameters
    ----------
    places : Places
        Places of the N samples.
    values : array_like, shape (N, M)
        The samples.
    smoothing : float
        Weight of the bending energy.
    kernel : {"matern", "thin-plate"}
    ridge : float
        Weight of the squares of the trend's slopes.

    Returns
    -------
    ndarray, shape (N, M)
        Sample minus prediction; 0 for a sample without which the system would be singular.
    """
    y, n = np.asarray(values, dtype=np.float64), len(places)
    inverse = np.linalg.inv(_system(places, smoothing, kernel, ridge))[:n, :n]
    diagonal = np.diag(inverse)
    # A sample that alone spans a dimension of the trend cannot be left out: its residual becomes 0.
    diagonal = np.where(np.abs(diagonal) > RIDGE, diagonal, np.inf)
    return np.asarray((inverse @ y) / diagonal[:, np.newaxis])


def amplification(places: Places, at: Places, smoothing: float, ridge: float = RIDGE) -> float:
    """Return by how much a spline through samples of at most 1 can exceed 1.

    It is the largest sum of the absolute weights of the samples (the Lebesgue constant), over the
    places ``at``. Bumps are not included.

    Parameters
    ----------
    places, at : Places
        Places of the samples, and places at which the spline is evaluated.
    smoothing, ridge : float
        As for `fit_spline`.
    """
    inverse = np.linalg.inv(_system(places, smoothing, "matern", ridge))[:, : len(places)]
    rows = np.concatenate([_matern(_squared_distances(at.points, places.points)), at.trend], axis=1)
    return float(np.abs(rows @ inverse).sum(axis=1).max())


def _system(places: Places, smoothing: float, kernel: Kernel, ridge: float) -> NDArray[np.float64]:
    """Return the matrix of the spline's linear system, shape (N + T, N + T)."""
    m, t = places.trend.shape
    system = np.zeros((m + t, m + t))
    system[:m, :m] = _KERNELS[kernel](_squared_distances(places.points, places.points))
    system[np.arange(m), np.arange(m)] += smoothing
    system[:m, m:] = places.trend
    system[m:, :m] = places.trend.T
    # The constant needs no regularisation, because any sample determines it.
    system[np.arange(m + 1, m + t), np.arange(m + 1, m + t)] = -ridge
    return system


def _squared_distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(a, b, "sqeuclidean"))


def _matern(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matern 3/2 kernel: Rasmussen and Williams, Gaussian Processes, 2006, equation 4.17."""
    scaled = np.sqrt(3.0 * squared) / LENGTH
    return np.asarray((1.0 + scaled) * np.exp(-scaled))


def _thin_plate(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thin-plate kernel ``r^2 log r`` of squared distances."""
    return 0.5 * squared * np.log(np.maximum(squared, 1e-30))


_KERNELS = {"matern": _matern, "thin-plate": _thin_plate}


def _wendland(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wendland's C2 function (1995): ``(1 - r)^4 (4 r + 1)`` for r < 1, and 0 beyond."""
    return np.maximum(1.0 - r, 0.0) ** 4 * (4.0 * r + 1.0)
