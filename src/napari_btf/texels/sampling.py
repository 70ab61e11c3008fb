"""Which texels: painted regions, sampling step, random choice.

Coordinates are integer rows ``(y, x)``. Regions are an (H, W) label image: 0 is not painted, every
other number is a region. Files of coordinates are `napari_btf.texels.coordinates`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_btf.errors import UsageError

__all__ = [
    "Sampling",
    "all_texels",
    "check_seed",
    "every_nth",
    "masked_texels",
    "random_texels",
    "region_counts",
    "sampled",
]

Coordinates = NDArray[np.intp]


@dataclass(frozen=True)
class Sampling:
    """How painted texels are thinned out.

    Parameters
    ----------
    step : int
        Keep one of every so many texels in both directions, see `every_nth`.
    count : int, optional
        Keep so many texels chosen at random, instead of by ``step``.
    seed : int
        Of the random choice.
    each_region : bool
        Thin out every region by itself: its own grid, or ``count`` texels of each.

    Raises
    ------
    UsageError
        If a number makes no sense.
    """

    step: int = 1
    count: int | None = None
    seed: int = 0
    each_region: bool = False

    def __post_init__(self) -> None:
        _check_step(self.step)
        if self.count is not None:
            _check_count(self.count)
        check_seed(self.seed)


def sampled(regions: ArrayLike, sampling: Sampling) -> NDArray[np.bool_]:
    """Which texels of painted regions are kept.

    Where nothing is painted, a random choice is one of the whole image, and a step keeps nothing.

    Parameters
    ----------
    regions : array_like of int, shape (H, W)
        Label image.
    sampling : Sampling

    Returns
    -------
    ndarray of bool, shape (H, W)
    """
    labels = np.asarray(regions)
    painted = labels != 0
    if sampling.count is not None and not painted.any():
        return _thinned(np.ones(labels.shape, dtype=bool), sampling)
    if not sampling.each_region:
        return _thinned(painted, sampling)
    kept = np.zeros(labels.shape, dtype=bool)
    for label in region_counts(labels):
        kept |= _thinned(labels == label, sampling)
    return kept


def _thinned(mask: NDArray[np.bool_], sampling: Sampling) -> NDArray[np.bool_]:
    """What is kept of one mask; the same texels as `every_nth` and `random_texels` give."""
    kept = np.zeros(mask.shape, dtype=bool)
    if not mask.any():
        return kept
    if sampling.count is not None:
        texels = np.flatnonzero(mask)
        kept.flat[texels[_choice(len(texels), sampling.count, sampling.seed)]] = True
        return kept
    first = tuple(int(np.argmax(mask.any(axis=axis))) for axis in (1, 0))
    grid = tuple(slice(start, None, sampling.step) for start in first)
    kept[grid] = mask[grid]
    return kept


def region_counts(regions: ArrayLike) -> dict[int, int]:
    """How many texels each painted region of a label image has, by its number, in order."""
    labels = np.asarray(regions)
    if labels.dtype == np.uint8:
        # Counting is many times faster than sorting.
        counts = np.bincount(labels.ravel(), minlength=1)
        numbers = np.flatnonzero(counts)
        counts = counts[numbers]
    else:
        numbers, counts = np.unique(labels, return_counts=True)
    return {int(i): int(n) for i, n in zip(numbers, counts, strict=True) if i}


def all_texels(height: int, width: int) -> Coordinates:
    """Coordinates of every texel, row by row, shape (H * W, 2)."""
    return np.indices((height, width), dtype=np.intp).reshape(2, -1).T


def masked_texels(mask: ArrayLike) -> Coordinates:
    """Coordinates of the non-zero texels of an (H, W) mask or label image, row by row."""
    return np.argwhere(np.asarray(mask) != 0).astype(np.intp)


def every_nth(coords: ArrayLike, step: int) -> Coordinates:
    """Keep one of every ``step`` texels in both directions.

    The grid starts at the smallest x and y, so that a square of 10 texels at step 2 gives
    5 x 5 wherever it lies.

    Parameters
    ----------
    coords : array_like, shape (T, 2)
    step : int
        At least 1.
    """
    yx = np.asarray(coords, dtype=np.intp).reshape(-1, 2)
    _check_step(step)
    if not len(yx):
        return yx
    # A larger step than any image has texels is as good as any other.
    return yx[np.all((yx - yx.min(axis=0)) % min(step, 2**31) == 0, axis=1)]


def random_texels(coords: ArrayLike, count: int, seed: int = 0) -> Coordinates:
    """Choose ``count`` of the texels at random, without repetition, in their given order.

    All of them if there are not more than ``count``.
    """
    yx = np.asarray(coords, dtype=np.intp).reshape(-1, 2)
    _check_count(count)
    check_seed(seed)
    return yx[_choice(len(yx), count, seed)]


def _choice(total: int, count: int, seed: int) -> NDArray[np.intp]:
    """``count`` of the numbers below ``total`` in order, or all of them."""
    if count >= total:
        return np.arange(total, dtype=np.intp)
    chosen = np.random.default_rng(seed).choice(total, count, replace=False)
    return np.sort(chosen).astype(np.intp)


def check_seed(seed: int) -> None:
    """Refuse a seed that not every generator of random numbers takes: it has 32 bits."""
    if not 0 <= seed < 2**32:
        raise UsageError(None, f"the seed is {seed}", "use 0 to 4294967295")


def _check_step(step: int) -> None:
    if step < 1:
        raise UsageError(None, f"the sampling step is {step}", "use a step of 1 or more")


def _check_count(count: int) -> None:
    if count < 1:
        raise UsageError(None, f"{count} texels were asked for", "ask for 1 or more")
