"""Materials: clusters of texels whose latents are alike, and selections that grow to such texels.

Latents are compared by their Euclidean distance as they are; see `napari_btf.embedding.methods`.
They tell apart how texels face the light, too. By chromaticity, threads and folds of one colour
are one material.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_btf.codec.model import CompressedBTF
from napari_btf.codec.overview import chromaticity
from napari_btf.errors import UsageError
from napari_btf.progress import Progress
from napari_btf.running.threads import one_library, same_sums
from napari_btf.texels.sampling import check_seed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.progress import Job

__all__ = [
    "FEATURES",
    "SEGMENTATIONS",
    "SegmentBy",
    "Segmentation",
    "SegmentationMethod",
    "connected_to",
    "grow",
    "latent_distances",
    "segment",
]

SegmentationMethod = Literal["kmeans", "gmm", "hdbscan"]
SEGMENTATIONS: tuple[SegmentationMethod, ...] = ("kmeans", "gmm", "hdbscan")

SegmentBy = Literal["latents", "chromaticity"]
FEATURES: tuple[SegmentBy, ...] = ("latents", "chromaticity")

#: What is tried where no number of materials is given.
_TRIED = range(2, 11)
_MOST = 100
#: Texels that are learned from, and those of which all distances are taken.
_LEARNED, _SILHOUETTE, _HDBSCAN = 16_384, 4_096, 8_192
_SELECTED = 1_024
_LEAST_CLUSTER = 0.01
"""Share of the texels that a cluster of HDBSCAN has at least."""
_NEIGHBOURS = 5
_DIMENSIONS = 16
"""Gaussian mixtures see so many principal components."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A surface in materials.

    Parameters
    ----------
    labels : ndarray of uint8, shape (H, W)
        From 1, the largest material first; 0 is none (HDBSCAN's noise).
    method : str
    silhouettes : dict
        Mean silhouette by the number of materials, of those that were tried: -1 to 1, the more
        the better they are apart.
    """

    labels: NDArray[np.uint8]
    method: str
    silhouettes: dict[int, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many materials there are."""
        return int(self.labels.max())


def segment(
    model: CompressedBTF | ArrayLike,
    method: SegmentationMethod = "kmeans",
    k: int | None = None,
    seed: int = 0,
    smoothing: float = 0.0,
    by: SegmentBy = "latents",
) -> Job[Segmentation]:
    """Part a surface into materials by its latents.

    Parameters
    ----------
    model : CompressedBTF or array_like, shape (H, W, K)
        A model or a latent map.
    method : {"kmeans", "gmm", "hdbscan"}
        k-means, a mixture of Gaussians (over 16 principal components), or HDBSCAN, which finds
        the number of materials by itself and leaves out what belongs to none.
    k : int, optional
        How many materials; by default the number from 2 to 10 with the largest silhouette
        (Rousseeuw, 1987) over 4,096 texels. Not for HDBSCAN.
    seed : int
    smoothing : float
        Standard deviation in texels of a Gaussian by which latents are smoothed first: threads of
        a cloth then count as one material with what is printed on them.

    Yields
    ------
    Progress
        Phase "segment".

    Raises
    ------
    UsageError
        If a setting cannot work.
    """
    latents = _features(model, by)
    _check(latents, method, k, seed, smoothing)
    shape = latents.shape[:2]
    flat = _smoothed(latents, smoothing).reshape(-1, latents.shape[2])
    yield Progress("segment", 0, 1)
    if not np.ptp(flat, axis=0).any():
        return Segmentation(np.ones(shape, dtype=np.uint8), method)
    random = np.random.default_rng(seed)
    if method == "hdbscan":
        labels = yield from _hdbscan(flat, random)
        return Segmentation(_by_size(labels, shape), method)
    if method == "gmm":
        flat = _leading(flat, seed)
    learned = flat[random.choice(len(flat), min(_LEARNED, len(flat)), replace=False)]
    most = len(np.unique(learned[:_SILHOUETTE], axis=0))
    tried = [min(k, most)] if k is not None else [n for n in _TRIED if n < most] or [most]
    silhouettes: dict[int, float] = {}
    clusters: dict[int, Any] = {}
    # Mixtures take long to fit: fewer texels are enough to choose how many there are.
    fewer = method == "gmm" and len(tried) > 1
    seen = learned[:_SILHOUETTE] if fewer else learned
    for i, count in enumerate(tried):
        clusters[count] = _clusters(seen, method, count, seed)
        silhouettes[count] = _silhouette(clusters[count], learned[:_SILHOUETTE])
        yield Progress("segment", i + 1, len(tried) + 1)
    best = max(tried, key=silhouettes.__getitem__)
    found = _clusters(learned, method, best, seed) if fewer else clusters[best]
    with one_library():
        labels = found.predict(flat)
    return Segmentation(_by_size(labels, shape), method, silhouettes)


def latent_distances(
    latent_map: ArrayLike, mask: ArrayLike, to: Literal["mean", "nearest"] = "mean"
) -> NDArray[np.float32]:
    """How far the latents of each texel are from those of a selection.

    Parameters
    ----------
    latent_map : array_like, shape (H, W, K)
    mask : array_like of bool, shape (H, W)
        At least one texel.
    to : {"mean", "nearest"}
        From the mean of the selection, or from the nearest of its texels: the second follows a
        selection of several kinds. Of more than 1,024 selected texels, so many are taken.

    Returns
    -------
    ndarray, shape (H, W)
        For 8-bit captures about the root of the summed squared differences of an ABRDF.

    Raises
    ------
    UsageError
        If nothing is selected.
    """
    latents, chosen = np.asarray(latent_map, dtype=np.float32), np.asarray(mask, dtype=bool)
    if not chosen.any():
        raise UsageError(None, "no texel is selected", "select some")
    selected = latents[chosen]
    if to == "mean":
        away = latents - selected.mean(axis=0, dtype=np.float64).astype(np.float32)
        return np.asarray(np.sqrt(np.einsum("hwk,hwk->hw", away, away)))
    from sklearn.metrics import pairwise_distances_argmin_min

    if len(selected) > _SELECTED:
        some = np.random.default_rng(0).choice(len(selected), _SELECTED, replace=False)
        selected = selected[some]
    flat = latents.reshape(-1, latents.shape[2])
    with one_library():
        _, distances = pairwise_distances_argmin_min(flat, selected)
    return np.asarray(distances.reshape(chosen.shape), dtype=np.float32)


def connected_to(grown: ArrayLike, mask: ArrayLike) -> NDArray[np.bool_]:
    """The pieces of a mask, (H, W), that hold a texel of another one; diagonals join, too."""
    from scipy.ndimage import label

    pieces, _ = label(np.asarray(grown, dtype=bool), structure=np.ones((3, 3)))
    kept = np.unique(pieces[np.asarray(mask, dtype=bool)])
    return np.isin(pieces, kept[kept > 0])


def grow(
    latent_map: ArrayLike,
    mask: ArrayLike,
    threshold: float,
    to: Literal["mean", "nearest"] = "mean",
    connected: bool = False,
) -> NDArray[np.bool_]:
    """Grow a selection to all texels with similar latents.

    Parameters
    ----------
    latent_map : array_like, shape (H, W, K)
    mask : array_like of bool, shape (H, W)
    threshold : float
        Largest distance; see `latent_distances`.
    to : {"mean", "nearest"}
    connected : bool
        Whether to take only what is joined to the selection on the surface.

    Returns
    -------
    ndarray of bool, shape (H, W)
        What was selected stays so.
    """
    chosen = np.asarray(mask, dtype=bool)
    grown = (latent_distances(latent_map, chosen, to) <= threshold) | chosen
    return connected_to(grown, chosen) if connected else grown


def _check(latents: NDArray[Any], method: str, k: int | None, seed: int, smoothing: float) -> None:
    if method not in SEGMENTATIONS:
        known = f"{', '.join(SEGMENTATIONS[:-1])} or {SEGMENTATIONS[-1]}"
        raise UsageError(None, f"there is no method {method!r}", f"use {known}")
    if latents.ndim != 3 or not latents.size:
        raise UsageError(None, f"latents of shape {latents.shape}", "give a latent map (H, W, K)")
    if k is not None and method == "hdbscan":
        raise UsageError(None, "HDBSCAN finds the number of materials", "leave k out")
    if k is not None and not 1 <= k <= _MOST:
        raise UsageError(None, f"{k} materials were asked for", f"use 1 to {_MOST}")
    if not 0 <= smoothing < 1e3:
        raise UsageError(None, f"the smoothing is {smoothing} texels", "use 0 or more")
    check_seed(seed)


def _features(model: CompressedBTF | ArrayLike, by: str) -> NDArray[Any]:
    """What texels are compared by, (H, W, F)."""
    if by not in FEATURES:
        raise UsageError(None, f"nothing is segmented by {by!r}", f"use {' or '.join(FEATURES)}")
    if by == "chromaticity":
        if not isinstance(model, CompressedBTF) or model.channels == 1:
            raise UsageError(None, "there is no colour to segment by", "segment by latents")
        return chromaticity(model)
    return model.latent_map if isinstance(model, CompressedBTF) else np.asarray(model)


def _smoothed(latents: NDArray[Any], smoothing: float) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    latents = np.asarray(latents, dtype=np.float32)
    if not smoothing:
        return latents
    return np.asarray(gaussian_filter(latents, (smoothing, smoothing, 0), mode="nearest"))


def _leading(flat: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """The leading principal components: covariances of more need more texels than there are."""
    from sklearn.decomposition import PCA

    count = min(_DIMENSIONS, *flat.shape)
    return np.asarray(PCA(count, random_state=seed).fit_transform(flat), dtype=np.float32)


def _clusters(learned: NDArray[np.float32], method: str, count: int, seed: int) -> Any:
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture

    if method == "kmeans":
        found: Any = KMeans(count, n_init=4, random_state=seed)
    else:
        # Scaled, so that what keeps covariances from vanishing is small next to any of them.
        spread = float(learned.std(axis=0).max())
        found = GaussianMixture(count, reg_covar=1e-6 * spread**2 + 1e-12, random_state=seed)
    # Otherwise the same seed may give other clusters.
    with same_sums():
        return found.fit(learned)


def _silhouette(clusters: Any, some: NDArray[np.float32]) -> float:
    from sklearn.metrics import silhouette_score

    with one_library():
        labels = clusters.predict(some)
    if not 1 < len(np.unique(labels)) < len(some):
        return -1.0
    return float(silhouette_score(some, labels))


def _hdbscan(flat: NDArray[np.float32], random: np.random.Generator) -> Job[NDArray[np.intp]]:
    """Clusters of a sample, then every texel as most of its neighbours there; -1 is noise."""
    from sklearn.cluster import HDBSCAN
    from sklearn.neighbors import KNeighborsClassifier

    some = random.choice(len(flat), min(_HDBSCAN, len(flat)), replace=False)
    least = max(5, int(_LEAST_CLUSTER * len(some)))
    with one_library():
        labels = HDBSCAN(min_cluster_size=min(least, len(some)), copy=True).fit_predict(flat[some])
    yield Progress("segment", 1, 2)
    if len(some) == len(flat):
        found = np.empty(len(flat), dtype=np.intp)
        found[some] = labels
        return found
    nearest = KNeighborsClassifier(_NEIGHBOURS, algorithm="brute").fit(flat[some], labels)
    with one_library():
        return np.asarray(nearest.predict(flat), dtype=np.intp)


def _by_size(labels: NDArray[np.intp], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Labels from 1, the largest material first; -1 becomes 0."""
    names, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    counts[names < 0] = 0
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(names), dtype=np.uint8)
    rank[order] = np.arange(1, len(names) + 1)
    rank[names < 0] = 0
    return rank[which.ravel()].reshape(shape)
