"""The choice of texels: painted regions, a sampling step, or a random choice.

Coordinates are integer rows ``(y, x)``. Regions are given as an (H, W) label image, in which 0
means "not painted" and every other number is a region. Files of coordinates are handled in
`napari_btf.texels.coordinates`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

#: Labels below this number are counted by a table of all of them.
_SMALL_LABEL = 2**16
_PART = 2**18


@dataclass(frozen=True)
class Sampling:
    """The rule by which some of the painted texels are kept.

    Parameters
    ----------
    step : int
        Keep every ``step``-th texel along both axes (see `every_nth`).
    count : int, optional
        Number of texels to choose at random; if given, ``step`` is ignored.
    seed : int
        Seed of the random choice.
    each_region : bool
        Sample each region separately: on its own grid, or with ``count`` texels per region.

    Raises
    ------
    UsageError
        If a number is out of range.
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
    """Return the mask of the painted texels that a sampling keeps.

    If nothing is painted, a random choice is made in the whole image, and a step keeps nothing.

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
    """Sample one mask; gives the same texels as `every_nth` and `random_texels`."""
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
    """Count the texels of each painted region: a dict from label to count, in label order."""
    labels = _painted_part(np.asarray(regions))
    if labels.dtype == np.uint8 or _are_small(labels):
        # bincount is used for small labels because np.unique sorts, which is many times slower.
        counts = _counted(labels.ravel())
        numbers = np.flatnonzero(counts)
        counts = counts[numbers]
    else:
        numbers, counts = np.unique(labels, return_counts=True)
    return {int(i): int(n) for i, n in zip(numbers, counts, strict=True) if i}


def _painted_part(labels: NDArray[Any]) -> NDArray[Any]:
    """Return the rows from the first to the last that is painted, because most images have few."""
    if labels.ndim < 2:
        return labels
    rows = np.flatnonzero(labels.any(axis=tuple(range(1, labels.ndim))))
    return labels[rows[0] : rows[-1] + 1] if len(rows) else labels[:0]


def _are_small(labels: NDArray[Any]) -> bool:
    whole = bool(labels.size) and labels.dtype.kind in "iu"
    return whole and bool(labels.min() >= 0 and labels.max() < _SMALL_LABEL)


def _counted(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Return the number of each label, in parts that stay in a processor's cache."""
    counts = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.intp)
    for start in range(0, labels.size, _PART):
        counts += np.bincount(labels[start : start + _PART], minlength=len(counts))
    return counts


def all_texels(height: int, width: int) -> Coordinates:
    """Return the coordinates of all texels, row by row, shape (H * W, 2)."""
    return np.indices((height, width), dtype=np.intp).reshape(2, -1).T


def masked_texels(mask: ArrayLike) -> Coordinates:
    """Return the coordinates of the non-zero texels of an (H, W) mask or label image."""
    return np.argwhere(np.asarray(mask) != 0).astype(np.intp)


def every_nth(coords: ArrayLike, step: int) -> Coordinates:
    """Keep every ``step``-th texel along both axes.

    The grid starts at the smallest x and y, so that a square of 10 x 10 texels gives 5 x 5 texels
    at step 2, wherever the square lies.

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
    # The step is clamped to avoid integer overflow; no image is as large as this limit.
    return yx[np.all((yx - yx.min(axis=0)) % min(step, 2**31) == 0, axis=1)]


def random_texels(coords: ArrayLike, count: int, seed: int = 0) -> Coordinates:
    """Choose ``count`` texels at random without replacement; the given order is kept.

    If there are at most ``count`` texels, all of them are returned.
    """
    yx = np.asarray(coords, dtype=np.intp).reshape(-1, 2)
    _check_count(count)
    check_seed(seed)
    return yx[_choice(len(yx), count, seed)]


def _choice(total: int, count: int, seed: int) -> NDArray[np.intp]:
    """Choose at most ``count`` of the numbers 0 to ``total - 1`` at random; sorted."""
    if count >= total:
        return np.arange(total, dtype=np.intp)
    chosen = np.random.default_rng(seed).choice(total, count, replace=False)
    return np.sort(chosen).astype(np.intp)


def check_seed(seed: int) -> None:
    """Raise a UsageError unless the seed fits 32 bits, as some random generators require."""
    if not 0 <= seed < 2**32:
        raise UsageError(None, f"the seed is {seed}", "use 0 to 4294967295")


def _check_step(step: int) -> None:
    if step < 1:
        raise UsageError(None, f"the sampling step is {step}", "use a step of 1 or more")


def _check_count(count: int) -> None:
    if count < 1:
        raise UsageError(None, f"{count} texels were asked for", "ask for 1 or more")
