"""Latents in two dimensions: one call for all methods.

Latents are compared as they are, by their Euclidean distance. Those of neural-basis are
coefficients of orthonormal components, so that the distance of two texels is that of their ABRDFs,
up to what the model leaves out: to scale each latent to the same spread would blow up noise. Those
of the other codecs were trained together with their decoder, which leaves them on a common scale.
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

#: Texels above which a subset is fitted and the others are placed.
DEFAULT_BUDGET = 16_384

#: With fewer distinct texels there are no neighbours to speak of.
_FEWEST = 6


def embed(
    model: CompressedBTF,
    method: Method = "tsne",
    coords: ArrayLike | None = None,
    seed: int = 0,
    budget: int | None = DEFAULT_BUDGET,
    initial: ArrayLike | None = None,
) -> Job[NDArray[np.float64]]:
    """Place texels in the plane so that texels with alike latents lie together.

    Texels whose latents are the same have one place. The first report comes at once and shows
    the first two principal components.

    Parameters
    ----------
    model : CompressedBTF
    method : {"tsne", "pca", "umap"}
        t-SNE by openTSNE (perplexity 30), the first two principal components, or UMAP (needs
        umap-learn).
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels; all by default.
    seed : int
        The same one gives the same points.
    budget : int, optional
        If more texels differ, so many of them are fitted, spread over all kinds, and the others
        placed among them. None fits all.
    initial : array_like, shape (T, 2), optional
        Places to start from: t-SNE and UMAP keep their arrangement at large.

    Yields
    ------
    Progress
        Phases "neighbours", "embed" and "place". The ``preview`` of each report gives the (T, 2)
        points as they are then.

    Returns
    -------
    ndarray, shape (T, 2)
        All zero if the texels do not differ.

    Raises
    ------
    UsageError
        If a setting cannot work, or umap-learn is missing.
    """
    yx = all_texels(model.height, model.width) if coords is None else np.asarray(coords)
    start = _checked(method, len(yx), seed, budget, initial)
    latents = model.latent_map[yx[:, 0], yx[:, 1]].astype(np.float64)
    # All methods look for two dimensions.
    latents = np.pad(latents, ((0, 0), (0, max(0, 2 - latents.shape[1]))))
    first, same_as = _distinct(latents)
    latents = latents[first]
    if len(latents) == 1:
        # A black capture: all texels are alike, and so are their places.
        return np.zeros((len(yx), 2))
    plane = _principal_plane(latents)
    yield Progress("neighbours", 0, 1, preview=lambda: plane[same_as])
    if method == "pca" or len(latents) < _FEWEST:
        return plane[same_as]
    place = tsne if method == "tsne" else umap
    job = place(latents, plane if start is None else start[first], seed, budget)
    return (yield from _for_all(job, same_as))


def _for_all(job: Job[NDArray[np.float64]], same_as: NDArray[np.intp]) -> Job[NDArray[np.float64]]:
    """A job on distinct texels, as one on all of them."""

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
    """The places to start from, if settings can work."""
    if method not in METHODS:
        known = f"{', '.join(METHODS[:-1])} or {METHODS[-1]}"
        raise UsageError(None, f"there is no method {method!r}", f"use {known}")
    check_seed(seed)
    if texels < 3:
        raise UsageError(None, f"{texels} texels", "choose 3 or more")
    if budget is not None and budget < 100:
        raise UsageError(None, f"the budget is {budget} texels", "allow 100 or more")
    if initial is None:
        return None
    start = np.asarray(initial, dtype=np.float64)
    if start.shape != (texels, 2) or not np.isfinite(start).all():
        raise UsageError(
            None,
            f"the places to start from have the shape {start.shape} or are not finite",
            f"give {texels} of them, (T, 2)",
        )
    return start


def _distinct(latents: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of texels that differ, in order, and which of these each texel is the same as."""
    # Minus zero is zero.
    rows = np.ascontiguousarray(latents + 0.0)
    whole = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, same_as = np.unique(whole, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[same_as.ravel()]


def _principal_plane(latents: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first two principal components, without what takes seconds to import."""
    centred = latents - latents.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, :-3:-1]
    # Either sign is right; the same one in every run.
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[largest, (0, 1)])
    return np.asarray(centred @ axes)
