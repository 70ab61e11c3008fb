"""The settings that interpolate a basis from the captured directions to all directions.

Coinciding directions are merged, and leave-one-out cross-validation chooses the settings.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.directions import group_directions
from napari_btf.interpolation.basis import TRENDS, Continuation, direction_space
from napari_btf.interpolation.points import (
    distinct_points,
    spread_directions,
    spread_subset,
)
from napari_btf.interpolation.spline import amplification, leave_one_out
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
#: With fewer points than the first number, slopes of the trend are shrunk, and with fewer than the
#: second, no point can be left out for cross-validation (benchmarks/few_lights.py).
_LEAST_POINTS, _LEAST_LEFT_OUT = 20, 8
_FOR_FEW = Continuation(smoothing=1e-2, ridge=0.1)
#: Penalties of the slopes for directions that do not determine them.
RIDGES = (1e-4, 1e-2, 1e-1, 1.0)
#: How much the samples may be amplified, and the number of lights and of views at which this is
#: looked at. Captures with lights all over a dome have less than 8.
_MOST_AMPLIFIED, _PROBES = 8.0, 20


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
    """Return the continuation with the least leave-one-out error, bounded everywhere."""
    some = spread_subset(space(light, view), _CROSS_VALIDATION_POINTS)
    light, view, values = light[some], view[some], values[some]
    best = _FOR_FEW if len(values) < _LEAST_POINTS else Continuation()
    if len(values) >= _LEAST_LEFT_OUT:
        best = yield from _least_error(space, light, view, values, best.ridge)
    return _bounded(space, light, view, best)


def _least_error(
    space: DirectionSpace,
    light: NDArray[np.float64],
    view: NDArray[np.float64],
    values: NDArray[np.float64],
    ridge: float,
) -> Generator[Progress, None, Continuation]:
    """Return the continuation of a ridge that has the least leave-one-out error."""
    best, least = Continuation(ridge=ridge), np.inf
    geometries = list(product(DOMES, TRENDS))
    for i, (dome, trend) in enumerate(geometries):
        yield Progress("basis", i, len(geometries))
        places = space.places(light, view, Continuation(0.0, dome, trend))
        for smoothing in SMOOTHINGS:
            with one_thread():
                missed = leave_one_out(places, values, smoothing, ridge=ridge)
            error = float(np.sum(missed**2))
            if error < least:
                best, least = Continuation(smoothing, dome, trend, ridge), error
    yield Progress("basis", len(geometries), len(geometries))
    return best


def _bounded(
    space: DirectionSpace,
    light: NDArray[np.float64],
    view: NDArray[np.float64],
    chosen: Continuation,
) -> Continuation:
    """Return a continuation whose values stay near the samples, everywhere on the hemispheres.

    On a ring of lights, their z is constant but for the accuracy of the rig, so that noise alone
    determines the slope along z. The ridge grows until the slopes no longer amplify the samples,
    or until they amplify them hardly more than the strongest ridge.
    """
    probes = (
        spread_directions(_PROBES, space.light_radius),
        spread_directions(_PROBES, space.view_radius),
    )
    which = np.arange(_PROBES**2)
    anywhere = probes[0][which // _PROBES], probes[1][which % _PROBES]

    # As precise as a model holds them, because rounding alone makes the z of a level ring vary.
    light, view = (v.astype(np.float32).astype(np.float64) for v in (light, view))

    def amplified(how: Continuation) -> float:
        known, at = space.places(light, view, how), space.places(*anywhere, how)
        with one_thread():
            return amplification(known, at, how.smoothing, how.ridge)

    ridges = [chosen.ridge, *(ridge for ridge in RIDGES if ridge > chosen.ridge)]
    most = max(_MOST_AMPLIFIED, 2.0 * amplified(replace(chosen, ridge=ridges[-1])))
    found = (replace(chosen, ridge=ridge) for ridge in ridges)
    return next(how for how in found if how.ridge == ridges[-1] or amplified(how) <= most)
