"""Segmentation of a surface into materials, and selections that grow to similar texels.

A material is a cluster of texels with similar latents. Latents are compared without scaling by
their Euclidean distance; see `napari_btf.embedding.methods`. They also differ between texels of one
material with different surface normals. Chromaticity does not, so that it joins threads and folds
of one colour.
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

#: Numbers of materials to try if none is given.
_TRIED = range(2, 11)
#: Largest number of materials.
_MOST = 100
#: Largest numbers of texels to fit clusters, to compute silhouettes, and for HDBSCAN.
_LEARNED, _SILHOUETTE, _HDBSCAN = 16_384, 4_096, 8_192
#: Largest number of selected texels with which others are compared one by one.
_SELECTED = 1_024
#: Smallest cluster of HDBSCAN, as a share of the texels.
_LEAST_CLUSTER = 0.01
#: Number of nearest neighbours that vote on a texel outside the sample of HDBSCAN.
_NEIGHBOURS = 5
#: Largest number of principal components for a Gaussian mixture.
_DIMENSIONS = 16


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A segmentation of the surface into materials.

    Parameters
    ----------
    labels : ndarray of uint8, shape (H, W)
        The material of each texel, numbered from 1 by decreasing size; 0 is no material (noise of
        HDBSCAN).
    method : str
        The clustering method.
    silhouettes : dict
        Mean silhouette for each number of materials that was tried, from -1 to 1; a larger value
        means better separated clusters.
    """

    labels: NDArray[np.uint8]
    method: str
    silhouettes: dict[int, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of materials."""
        return int(self.labels.max())


def segment(
    model: CompressedBTF | ArrayLike,
    method: SegmentationMethod = "kmeans",
    k: int | None = None,
    seed: int = 0,
    smoothing: float = 0.0,
    by: SegmentBy = "latents",
) -> Job[Segmentation]:
    """Segment a surface into materials by clustering its texels.

    Parameters
    ----------
    model : CompressedBTF or array_like, shape (H, W, K)
        A model or a latent map.
    method : {"kmeans", "gmm", "hdbscan"}
        k-means, a Gaussian mixture (over 16 principal components), or HDBSCAN, which finds the
        number of materials itself and labels outliers as noise.
    k : int, optional
        Number of materials; by default the number from 2 to 10 with the largest silhouette
        (Rousseeuw, 1987) over 4,096 texels. HDBSCAN takes no number.
    seed : int
    smoothing : float
        Standard deviation in texels of a Gaussian filter on the latents. With some smoothing, the
        threads of a cloth become one material.
    by : {"latents", "chromaticity"}
        What is compared: the latents, or the colour without its brightness, which only a model of
        several channels has.

    Yields
    ------
    Progress
        Phase "segment".

    Returns
    -------
    Segmentation

    Raises
    ------
    UsageError
        If an argument is out of range, or if the model has no colour to segment by.
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
    # Gaussian mixtures are slow to fit, and fewer texels suffice to choose the number of clusters.
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
    """Compute the distance in latent space of each texel to a selection.

    Parameters
    ----------
    latent_map : array_like, shape (H, W, K)
    mask : array_like of bool, shape (H, W)
        The selection, at least one texel.
    to : {"mean", "nearest"}
        Distance to the mean of the selected latents, or to the nearest one. "nearest" suits a
        selection of several materials; it compares with at most 1,024 selected texels, chosen at
        random.

    Returns
    -------
    ndarray, shape (H, W)
        Euclidean distances. For the codec neural-basis they are about the Euclidean distances
        between ABRDFs.

    Raises
    ------
    UsageError
        If no texel is selected.
    """
    latents, chosen = np.asarray(latent_map, dtype=np.float32), np.asarray(mask, dtype=bool)
    if not chosen.any():
        raise UsageError(None, "no texel is selected", "select at least one")
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
    """Keep the connected components of a mask that contain a texel of another mask.

    Parameters
    ----------
    grown : array_like of bool, shape (H, W)
        The mask whose components are kept or dropped; diagonal neighbours are connected.
    mask : array_like of bool, shape (H, W)
        The other mask.

    Returns
    -------
    ndarray of bool, shape (H, W)
    """
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
        The selection, at least one texel.
    threshold : float
        Largest distance in latent space; see `latent_distances`.
    to : {"mean", "nearest"}
        See `latent_distances`.
    connected : bool
        Whether to add only texels that are connected to the selection on the surface.

    Returns
    -------
    ndarray of bool, shape (H, W)
        The grown selection, which contains the given one.
    """
    chosen = np.asarray(mask, dtype=bool)
    grown = (latent_distances(latent_map, chosen, to) <= threshold) | chosen
    return connected_to(grown, chosen) if connected else grown


def _check(latents: NDArray[Any], method: str, k: int | None, seed: int, smoothing: float) -> None:
    """Raise a UsageError if an argument of `segment` is out of range."""
    if method not in SEGMENTATIONS:
        known = f"{', '.join(SEGMENTATIONS[:-1])} or {SEGMENTATIONS[-1]}"
        raise UsageError(None, f"there is no method {method!r}", f"use {known}")
    if latents.ndim != 3 or not latents.size:
        raise UsageError(None, f"latents of shape {latents.shape}", "give a latent map (H, W, K)")
    if k is not None and method == "hdbscan":
        raise UsageError(None, "HDBSCAN finds the number of materials itself", "leave k out")
    if k is not None and not 1 <= k <= _MOST:
        raise UsageError(None, f"{k} materials were asked for", f"use 1 to {_MOST}")
    if not 0 <= smoothing < 1e3:
        raise UsageError(None, f"the smoothing is {smoothing} texels", "use 0 or more")
    check_seed(seed)


def _features(model: CompressedBTF | ArrayLike, by: str) -> NDArray[Any]:
    """Return the features by which texels are compared, (H, W, F)."""
    if by not in FEATURES:
        raise UsageError(None, f"there is no feature {by!r}", f"use {' or '.join(FEATURES)}")
    if by == "chromaticity":
        if not isinstance(model, CompressedBTF) or model.channels == 1:
            raise UsageError(None, "there is no colour to segment by", "segment by latents")
        return chromaticity(model)
    return model.latent_map if isinstance(model, CompressedBTF) else np.asarray(model)


def _smoothed(latents: NDArray[Any], smoothing: float) -> NDArray[np.float32]:
    """Filter latents (H, W, K) by a Gaussian over the surface."""
    from scipy.ndimage import gaussian_filter

    latents = np.asarray(latents, dtype=np.float32)
    if not smoothing:
        return latents
    return np.asarray(gaussian_filter(latents, (smoothing, smoothing, 0), mode="nearest"))


def _leading(flat: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Project features (T, F) on their leading principal components.

    A covariance matrix of more dimensions would need more texels than the sample has.
    """
    from sklearn.decomposition import PCA

    count = min(_DIMENSIONS, *flat.shape)
    return np.asarray(PCA(count, random_state=seed).fit_transform(flat), dtype=np.float32)


def _clusters(learned: NDArray[np.float32], method: str, count: int, seed: int) -> Any:
    """Fit k-means or a Gaussian mixture to features (T, F); return the estimator."""
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture

    if method == "kmeans":
        found: Any = KMeans(count, n_init=4, random_state=seed)
    else:
        # The regularisation of the covariances is scaled, to be small relative to the data.
        spread = float(learned.std(axis=0).max())
        found = GaussianMixture(count, reg_covar=1e-6 * spread**2 + 1e-12, random_state=seed)
    # Sums in a fixed order, because otherwise the same seed may give other clusters.
    with same_sums():
        return found.fit(learned)


def _silhouette(clusters: Any, some: NDArray[np.float32]) -> float:
    """Return the mean silhouette of a sample (T, F); -1 if it has only one cluster."""
    from sklearn.metrics import silhouette_score

    with one_library():
        labels = clusters.predict(some)
    if not 1 < len(np.unique(labels)) < len(some):
        return -1.0
    return float(silhouette_score(some, labels))


def _hdbscan(flat: NDArray[np.float32], random: np.random.Generator) -> Job[NDArray[np.intp]]:
    """Cluster a sample, then label each texel by a vote of its neighbours there; -1 is noise."""
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
    """Renumber labels (T,) from 1 by decreasing size, -1 to 0, and reshape them to (H, W)."""
    names, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    counts[names < 0] = 0
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(names), dtype=np.uint8)
    rank[order] = np.arange(1, len(names) + 1)
    rank[names < 0] = 0
    return rank[which.ravel()].reshape(shape)
