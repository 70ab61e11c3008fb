"""Regions that follow the structure of the surface: by thresholds, or by superpixels.

Both use statistics (a `Surface`) of at most 64 observations, so that the BTF is never read
completely. Regions are given as an (H, W) label image, in which 0 means "no region" (see
`napari_btf.texels.sampling`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.errors import UsageError
from napari_btf.progress import Progress
from napari_btf.running.threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.progress import Job

__all__ = [
    "Surface",
    "boundaries",
    "inverted",
    "ranked",
    "suggested_share",
    "superpixels",
    "survey",
    "toggled",
]

#: Maximum number of observations to read, and maximum size of their values in memory, in bytes.
_OBSERVATIONS = 64
_BYTES = 256 * 2**20
#: Maximum number of cells in the grid on which superpixels are computed.
_TEXELS = 2**20
#: Approximate maximum number of texels from which the principal axes are computed.
_SAMPLE = 2**14
_COMPONENTS = 4
#: Features are clamped at this many standard deviations of the first component.
_REACH = 3.0


@dataclass(frozen=True, eq=False)
class Surface:
    """Statistics of each texel over some observations.

    Parameters
    ----------
    mean, variance : ndarray of float32, shape (H, W)
        Mean and variance of the grey values over directions, in the fitted domain
        (see `napari_btf.values`).
    features : ndarray of float32, shape (h, w, K)
        The first principal components of the ABRDFs, scaled to 0..1. The ABRDFs are averaged over
        blocks of ``block`` x ``block`` texels.
    block : int
        Side of a block in texels; 1 unless the image is large.
    observations : int
        Number of observations that were read.
    """

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    features: NDArray[np.float32]
    block: int
    observations: int


def survey(btf: BTF, seed: int = 0) -> Job[Surface]:
    """Compute a `Surface` from at most 64 observations that are chosen at random.

    For large images fewer observations are read, so that their values take about 256 MiB at most.

    Parameters
    ----------
    btf : BTF
    seed : int
        Seed of the random choice.

    Yields
    ------
    Progress
        Phase "read".
    """
    block = int(np.ceil(np.sqrt(btf.height * btf.width / _TEXELS)))
    height, width = -(-btf.height // block), -(-btf.width // block)
    bands = min(3, btf.channels)
    fit = _BYTES // (height * width * bands * 4)
    count = int(min(len(btf), np.clip(fit, 4, _OBSERVATIONS)))
    chosen = np.sort(np.random.default_rng(seed).choice(len(btf), count, replace=False))
    mean = np.zeros((btf.height, btf.width), dtype=np.float32)
    squares = np.zeros_like(mean)
    values = np.empty((height * width, count, bands), dtype=np.float32)
    yield Progress("read", 0, count + 1)
    for i, frame in enumerate(btf.select(chosen).iter_frames()):
        encoded = btf.values.encode(frame)
        # Welford's method (Technometrics, 1962), because it avoids the difference of large sums.
        grey = encoded.mean(axis=-1)
        apart = grey - mean
        mean += apart / np.float32(i + 1)
        squares += apart * (grey - mean)
        values[:, i] = _blocks(_bands(encoded, bands), block).reshape(-1, bands)
        yield Progress("read", i + 1, count + 1)
    features = _components(values.reshape(height * width, -1))
    yield Progress("read", count + 1, count + 1)
    return Surface(
        mean, squares / np.float32(count), features.reshape(height, width, -1), block, count
    )


def _bands(values: NDArray[np.float32], bands: int) -> NDArray[np.float32]:
    """Average neighbouring channels of an image (H, W, C), so that ``bands`` channels remain."""
    if values.shape[-1] == bands:
        return values
    parts = np.array_split(values, bands, axis=-1)
    return np.stack([part.mean(axis=-1) for part in parts], axis=-1)


def _blocks(values: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Average an image over square blocks of texels; the last blocks may be smaller."""
    for axis in (0, 1):
        if block > 1:
            size = values.shape[axis]
            starts = np.arange(0, size, block)
            ends = np.diff(np.append(starts, size)).astype(np.float32)
            shape = [1] * values.ndim
            shape[axis] = -1
            sums = np.add.reduceat(values, starts, axis=axis)
            values = np.asarray(sums / ends.reshape(shape), dtype=np.float32)
    return values


def _components(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Project rows (T, D) onto K principal axes, with one common scale, clamped to 0..1."""
    values -= values.mean(axis=0)
    every = max(1, len(values) // _SAMPLE)
    with one_thread():
        some = values[::every]
        _, axes = np.linalg.eigh(some.T @ some)
        found = values @ axes[:, : -_COMPONENTS - 1 : -1].astype(np.float32)
    reach = _REACH * float(found[:, 0].std()) or 1.0
    return np.asarray(np.clip(found / (2 * reach) + 0.5, 0.0, 1.0), dtype=np.float32)


def ranked(statistic: ArrayLike) -> NDArray[np.float32]:
    """Return the percentile rank of each value: 0 for the least, 100 for the greatest.

    Equal values share their mean rank. So ``ranked(mean) >= 90`` selects the brightest tenth of the
    texels, whatever their values are.
    """
    values = np.asarray(statistic)
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        return np.full(values.shape, 50.0, dtype=np.float32)
    before = np.cumsum(counts) - counts
    middle = before + (counts - 1) / 2
    share = 100.0 * middle / (values.size - 1)
    return np.asarray(share[place].reshape(values.shape), dtype=np.float32)


def suggested_share(statistic: ArrayLike) -> float:
    """Return the percentage of values that are not above Otsu's threshold; 50 if all are equal.

    Otsu, "A threshold selection method from gray-level histograms", 1979.
    """
    from skimage.filters import threshold_otsu

    values = np.asarray(statistic)
    if np.ptp(values) == 0:
        return 50.0
    return 100.0 * float(np.mean(values <= threshold_otsu(values)))


def superpixels(surface: Surface, count: int, compactness: float = 0.3) -> NDArray[np.int32]:
    """Divide the surface into superpixels of about equal size by SLIC.

    Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", 2012.

    Parameters
    ----------
    surface : Surface
    count : int
        Approximate number of superpixels.
    compactness : float
        Weight of spatial distance against feature distance: 0.1 follows every detail, 1 gives
        squares.

    Returns
    -------
    ndarray of int32, shape (H, W)
        Label image, numbered from 1.

    Raises
    ------
    UsageError
        If ``count`` is less than 1, or ``compactness`` is not above 0.
    """
    from skimage.segmentation import slic

    if count < 1:
        raise UsageError(None, f"{count} superpixels were asked for", "ask for 1 or more")
    if compactness <= 0:
        raise UsageError(None, f"the compactness is {compactness}", "use a number above 0")
    found = slic(
        surface.features, n_segments=count, compactness=compactness, channel_axis=-1, start_label=1
    )
    height, width = surface.mean.shape
    for axis in (0, 1):
        found = np.repeat(found, surface.block, axis=axis)
    return np.asarray(found[:height, :width], dtype=np.int32)


def boundaries(parts: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the texels (H, W) whose right or lower neighbour has another label."""
    edges = np.zeros(parts.shape, dtype=bool)
    edges[:-1] = parts[:-1] != parts[1:]
    edges[:, :-1] |= parts[:, :-1] != parts[:, 1:]
    return edges


def toggled(
    regions: NDArray[Any], part: NDArray[np.bool_], label: int, *, remove: bool = False
) -> NDArray[Any]:
    """Return a label image in which a part is added to a region, or removed from it.

    The part is removed if more than half of its texels belong to the region already.

    Parameters
    ----------
    regions : ndarray of int, shape (H, W)
        Label image; it is not changed.
    part : ndarray of bool, shape (H, W)
        Mask of the part, such as a superpixel.
    label : int
        Label of the region.
    remove : bool
        Remove the part in any case.
    """
    here = part & (regions == label)
    after = regions.copy()
    if remove or 2 * np.count_nonzero(here) > np.count_nonzero(part):
        after[here] = 0
    else:
        after[part] = label
    return after


def inverted(regions: NDArray[Any], label: int) -> NDArray[Any]:
    """Return a label image in which a region has exchanged its texels for all unlabelled ones."""
    after = regions.copy()
    after[regions == label] = 0
    after[regions == 0] = label
    return after
