"""The settings that interpolate a basis from the captured directions to all directions.

Coinciding directions are merged, and leave-one-out cross-validation chooses the settings.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.directions import group_directions
from napari_btf.interpolation.basis import TRENDS, Continuation, direction_space
from napari_btf.interpolation.points import distinct_points, spread_subset
from napari_btf.interpolation.spline import leave_one_out
from napari_btf.progress import Progress
from napari_btf.running.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.interpolation.basis import DirectionSpace

__all__ = ["ContinuedBasis", "continue_basis"]

#: The candidates of cross-validation.
SMOOTHINGS = (0.0, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
DOMES = (0.25, 0.5, 1.0, 1.5)
_CROSS_VALIDATION_POINTS = 512
_LEAST_POINTS = 20


class ContinuedBasis(NamedTuple):
    """Samples of the basis at (light, view) pairs, and the settings that interpolate them."""

    pairs: NDArray[np.intp]
    """Index of one observation of each captured pair, shape (P,)."""
    samples: NDArray[np.float64]
    """Basis at the captured pairs, then at the imagined ones, shape (P + M, K + 1, C)."""
    continuation: Continuation
    imagined: tuple[NDArray[np.float64], NDArray[np.float64]] = (np.zeros((0, 3)),) * 2
    """Light and view, (M, 3) each, of pairs that a network predicts (`codec.neural_basis`)."""


def continue_basis(
    btf: BTF, table: NDArray[np.float32], importance: NDArray[np.float64]
) -> Generator[Progress, None, ContinuedBasis]:
    """Choose the settings that best interpolate a basis to all directions.

    Parameters
    ----------
    btf : BTF
    table : ndarray, shape (N, K + 1, C)
        The basis at each observation.
    importance : ndarray, shape ((K + 1) * C,)
        Weight of each column: the standard deviation of its latent over the texels.

    Yields
    ------
    Progress
        Phase "basis".
    """
    pairs, samples, count = _distinct_pairs(btf, table)
    space = direction_space(btf.light[pairs], btf.view[pairs])
    kept, samples = _merge_points(space(btf.light[pairs], btf.view[pairs]), samples, count)
    pairs = pairs[kept]
    continuation = yield from _cross_validate(
        space, btf.light[pairs], btf.view[pairs], samples * importance
    )
    shape = (len(pairs), table.shape[1], btf.channels)
    return ContinuedBasis(pairs, samples.reshape(shape), continuation)


def _distinct_pairs(
    btf: BTF, table: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]:
    """Return one observation of each pair, and mean and number of the pair's observations."""
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
    """Merge coinciding points; return the indices of the kept points, and their mean samples.

    Pairs that differ only along an axis that `direction_space` left out have equal coordinates,
    and no spline can interpolate two different values at one point.
    """
    kept, member_of = distinct_points(points)
    weight = np.zeros((len(kept), 1))
    merged = np.zeros((len(kept), samples.shape[1]))
    np.add.at(weight[:, 0], member_of, count)
    np.add.at(merged, member_of, samples * count[:, np.newaxis])
    return kept, merged / weight


def _cross_validate(
    space: DirectionSpace,
    light: NDArray[np.float64],
    view: NDArray[np.float64],
    values: NDArray[np.float64],
) -> Generator[Progress, None, Continuation]:
    """Return the continuation with the least leave-one-out error."""
    best, least = Continuation(), np.inf
    if len(values) < _LEAST_POINTS:
        return best
    some = spread_subset(space(light, view), _CROSS_VALIDATION_POINTS)
    light, view, values = light[some], view[some], values[some]
    geometries = list(product(DOMES, TRENDS))
    for i, (dome, trend) in enumerate(geometries):
        yield Progress("basis", i, len(geometries))
        places = space.places(light, view, Continuation(0.0, dome, trend))
        for smoothing in SMOOTHINGS:
            with one_thread():
                error = float(np.sum(leave_one_out(places, values, smoothing) ** 2))
            if error < least:
                best, least = Continuation(smoothing, dome, trend), error
    yield Progress("basis", len(geometries), len(geometries))
    return best
