"""Embeddings of latents in the plane: one function for all methods.

All methods use the Euclidean distance between unscaled latents. The latents of neural-basis are
coefficients of orthonormal components, so that the distance between two texels is the distance
between their ABRDFs, up to the error of the model; scaling each latent to unit variance would
amplify noise. The latents of the other codecs were trained together with a decoder, and therefore
have a common scale.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_btf.embedding.tsne import tsne
from napari_btf.embedding.umap import umap
from napari_btf.errors import UsageError
from napari_btf.progress import Progress
from napari_btf.texels.sampling import all_texels, check_seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec import CompressedBTF
    from napari_btf.progress import Job

__all__ = ["DEFAULT_BUDGET", "METHODS", "Method", "embed"]

Method = Literal["tsne", "pca", "umap"]
METHODS: tuple[Method, ...] = ("tsne", "pca", "umap")

#: Up to this number of texels, all are fitted; of more, a subset is fitted and the others placed.
DEFAULT_BUDGET = 16_384

#: Fewest distinct texels for t-SNE and UMAP: with fewer, neighbourhoods mean nothing.
_FEWEST = 6


def embed(
    model: CompressedBTF,
    method: Method = "tsne",
    coords: ArrayLike | None = None,
    seed: int = 0,
    budget: int | None = DEFAULT_BUDGET,
    initial: ArrayLike | None = None,
) -> Job[NDArray[np.float64]]:
    """Place texels in the plane so that texels with similar latents are close together.

    Texels with equal latents get the same point. The first report comes at once; its preview is
    the projection on the first two principal components.

    Parameters
    ----------
    model : CompressedBTF
    method : {"tsne", "pca", "umap"}
        t-SNE by openTSNE (perplexity 30), the first two principal components, or UMAP (needs
        umap-learn).
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels; all by default.
    seed : int
        Seed of the random choices; the same seed gives the same points.
    budget : int, optional
        Largest number of texels to fit. If more texels have distinct latents, a subset of this
        size that covers all kinds is fitted, and the others are placed among it. None fits all.
    initial : array_like, shape (T, 2), optional
        Initial points; t-SNE and UMAP keep their global arrangement. By default the projection on
        the first two principal components.

    Yields
    ------
    Progress
        Phases "neighbours", "embed" and "place". The ``preview`` of each report returns the
        current points, (T, 2).

    Returns
    -------
    ndarray, shape (T, 2)
        All zero if all latents are equal.

    Raises
    ------
    UsageError
        If an argument is out of range, or if umap-learn is missing.
    """
    yx = all_texels(model.height, model.width) if coords is None else np.asarray(coords)
    start = _checked(method, len(yx), seed, budget, initial)
    latents = model.latent_map[yx[:, 0], yx[:, 1]].astype(np.float64)
    # A model with a single latent gets a second one that is zero.
    latents = np.pad(latents, ((0, 0), (0, max(0, 2 - latents.shape[1]))))
    first, same_as = _distinct(latents)
    latents = latents[first]
    if len(latents) == 1:
        # All latents are equal, as those of a black capture.
        return np.zeros((len(yx), 2))
    plane = _principal_plane(latents)
    yield Progress("neighbours", 0, 1, preview=lambda: plane[same_as])
    if method == "pca" or len(latents) < _FEWEST:
        return plane[same_as]
    place = tsne if method == "tsne" else umap
    job = place(latents, plane if start is None else start[first], seed, budget)
    return (yield from _for_all(job, same_as))


def _for_all(job: Job[NDArray[np.float64]], same_as: NDArray[np.intp]) -> Job[NDArray[np.float64]]:
    """Run a job on distinct texels, and expand its previews and result to all texels."""

    def expanded(preview: Callable[[], NDArray[np.float64]]) -> Callable[[], NDArray[np.float64]]:
        return lambda: preview()[same_as]

    with closing(job):
        while True:
            try:
                progress = next(job)
            except StopIteration as stop:
                points: NDArray[np.float64] = stop.value[same_as]
                return points
            if progress.preview is not None:
                progress = replace(progress, preview=expanded(progress.preview))
            yield progress


def _checked(
    method: str, texels: int, seed: int, budget: int | None, initial: ArrayLike | None
) -> NDArray[np.float64] | None:
    """Raise a UsageError if an argument is out of range; return ``initial`` as an array."""
    if method not in METHODS:
        known = f"{', '.join(METHODS[:-1])} or {METHODS[-1]}"
        raise UsageError(None, f"there is no method {method!r}", f"use {known}")
    check_seed(seed)
    if texels < 3:
        raise UsageError(None, f"{texels} texels are too few for an embedding", "choose 3 or more")
    if budget is not None and budget < 100:
        raise UsageError(None, f"the budget is {budget} texels", "allow 100 or more")
    if initial is None:
        return None
    start = np.asarray(initial, dtype=np.float64)
    if start.shape != (texels, 2) or not np.isfinite(start).all():
        raise UsageError(
            None,
            f"the initial points have the shape {start.shape} or are not all finite",
            f"give {texels} finite points, (T, 2)",
        )
    return start


def _distinct(latents: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the distinct rows of latents (T, K).

    Returns
    -------
    first : ndarray of int, shape (D,)
        Index of the first texel of each distinct row, in increasing order.
    same_as : ndarray of int, shape (T,)
        For each texel the position in ``first`` of its row.
    """
    # Adding zero turns -0 into 0, since rows are compared byte by byte.
    rows = np.ascontiguousarray(latents + 0.0)
    whole = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, same_as = np.unique(whole, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[same_as.ravel()]


def _principal_plane(latents: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project latents (T, K) on their first two principal components, (T, 2).

    In NumPy, because importing scikit-learn takes seconds.
    """
    centred = latents - latents.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, :-3:-1]
    # The sign of an eigenvector is arbitrary: this choice is the same in every run.
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[largest, (0, 1)])
    return np.asarray(centred @ axes)
