"""A basis known at the captured directions, continued to all of them.

Directions that count as one are merged, the network is trained, and cross-validation says whether
it helps and how much the spline is smoothed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_btf.codec.basis import SmoothNetwork, direction_space
from napari_btf.codec.network import NetworkSettings, train_network
from napari_btf.codec.spline import fit_spline, leave_one_out, spread_subset
from napari_btf.directions import group_directions
from napari_btf.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from napari_btf.btf import BTF

__all__ = ["ContinuedBasis", "continue_basis"]

#: Candidate weights of the spline's bending energy, chosen by cross-validation.
SMOOTHINGS = (0.0, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
#: Coordinates this close (on the disk, a hundredth of a degree) are one point to the spline.
SAME_POINT = 1e-4
_CROSS_VALIDATION_POINTS = 1024
_LEAST_POINTS = 20
#: A network has to lower the error of generation to this share to be worth its bytes.
_WORTHWHILE = 0.98


class ContinuedBasis(NamedTuple):
    """The basis at the captured pairs, and what continues it to all directions."""

    pairs: NDArray[np.intp]
    """One observation of each captured pair."""
    samples: NDArray[np.float64]
    """(P, K + 1, C)"""
    network: SmoothNetwork
    smoothing: float


def continue_basis(
    btf: BTF,
    table: NDArray[np.float32],
    importance: NDArray[np.float64],
    training: NetworkSettings,
    stop: Callable[[], bool],
) -> Generator[Progress, None, ContinuedBasis]:
    """What continues a basis to all directions: a spline, over a network if that helps.

    Parameters
    ----------
    btf : BTF
    table : ndarray, shape (N, K + 1, C)
        The basis at each observation.
    importance : ndarray, shape ((K + 1) * C,)
        Weight of each column: the spread of its latent over the texels.
    training : NetworkSettings
    stop : callable
        Asked often; true ends the training of the network with the best so far.

    Yields
    ------
    Progress
        Phases "train", "basis".
    """
    pairs, samples, count = _distinct_pairs(btf, table)
    space = direction_space(btf.light[pairs], btf.view[pairs])
    points = space(btf.light[pairs], btf.view[pairs])
    kept, samples = _merge_points(points, samples, count)
    pairs, points = pairs[kept], points[kept]
    network, held = yield from train_network(points, samples, importance, training, stop)
    yield Progress("basis", 0, 1)
    if not _network_helps(points, samples * importance, network(points) * importance, held):
        network = SmoothNetwork((), ())
    residual = samples - network(points)
    smoothing = _cross_validate(points, residual * importance)
    yield Progress("basis", 1, 1)
    shape = (len(pairs), table.shape[1], btf.channels)
    return ContinuedBasis(pairs, samples.reshape(shape), network, smoothing)


def _network_helps(
    points: NDArray[np.float64],
    values: NDArray[np.float64],
    trend: NDArray[np.float64] | float,
    held: NDArray[np.intp],
) -> bool:
    """Whether the spline predicts directions the network never saw better over the network."""
    if not len(held):
        return False
    used = np.setdiff1d(np.arange(len(points)), held)

    def error(residual: NDArray[np.float64]) -> float:
        smoothing = _cross_validate(points[used], residual[used])
        spline = fit_spline(points[used], residual[used], smoothing)
        return float(np.sum((spline(points[held]) - residual[held]) ** 2))

    return error(values - trend) < _WORTHWHILE * error(values)


def _distinct_pairs(
    btf: BTF, table: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]:
    """One observation of each (light, view) pair, the mean of its repetitions, and their number."""
    lights, views = group_directions(btf.light), group_directions(btf.view)
    pair = views.member_of * len(lights.vectors) + lights.member_of
    _, first, inverse, count = np.unique(
        pair, return_index=True, return_inverse=True, return_counts=True
    )
    samples = np.zeros((len(first), table[0].size))
    np.add.at(samples, inverse.reshape(-1), table.reshape(len(table), -1))
    return first, samples / count[:, np.newaxis], count


def _merge_points(
    points: NDArray[np.float64], samples: NDArray[np.float64], count: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which points to keep so that no two coincide, and samples averaged over what they stand for.

    Pairs that differ only along an axis that `direction_space` left out have equal coordinates,
    and no spline can meet two different values at one point.
    """
    n, d = points.shape
    near: Any = [range(n)]
    if d:
        from scipy.spatial import cKDTree

        near = cKDTree(points).query_ball_point(points, SAME_POINT)
    stands_for = np.full(n, -1, dtype=np.intp)
    for i, neighbours in enumerate(near):
        if stands_for[i] < 0:
            stands_for[[j for j in neighbours if stands_for[j] < 0]] = i
    kept, member_of = np.unique(stands_for, return_inverse=True)
    weight = np.zeros((len(kept), 1))
    merged = np.zeros((len(kept), samples.shape[1]))
    np.add.at(weight[:, 0], member_of, count)
    np.add.at(merged, member_of, samples * count[:, np.newaxis])
    return kept, merged / weight


def _cross_validate(points: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """The smoothing that predicts left-out directions best."""
    if len(points) < _LEAST_POINTS:
        return 0.0
    some = spread_subset(points, _CROSS_VALIDATION_POINTS)
    points, values = points[some], values[some]

    def error(smoothing: float) -> float:
        return float(np.sum(leave_one_out(points, values, smoothing) ** 2))

    return min(SMOOTHINGS, key=error)
