"""UMAP, where umap-learn is installed."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.embedding.subset import spread_subset
from napari_btf.errors import UsageError
from napari_btf.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.progress import Job

__all__ = ["umap"]

_NEIGHBOURS = 15
_CHUNK = 8_192


def umap(
    latents: NDArray[np.float64], start: NDArray[np.float64], seed: int, budget: int | None
) -> Job[NDArray[np.float64]]:
    """Uniform manifold approximation and projection (McInnes, Healy and Melville, 2018).

    Parameters
    ----------
    latents : ndarray, shape (T, K)
        Of texels that differ.
    start : ndarray, shape (T, 2)
    seed : int
    budget : int, optional

    Raises
    ------
    UsageError
        If umap-learn is missing.
    """
    umap_learn = _library()
    fitted = np.arange(len(latents))
    if budget is not None and len(latents) > budget:
        fitted = spread_subset(latents, budget, seed)
    points = start.copy()
    yield Progress("embed", 0, 1, preview=points.copy)
    reducer = umap_learn.UMAP(
        n_neighbors=min(_NEIGHBOURS, len(fitted) - 1),
        init=_within_ten(start[fitted]),
        random_state=seed,
        # With a seed it uses one core, and warns if more are asked for.
        n_jobs=1,
    )
    points[fitted] = reducer.fit_transform(latents[fitted])
    others = np.setdiff1d(np.arange(len(latents)), fitted)
    for begin in range(0, len(others), _CHUNK):
        yield Progress("place", begin, len(others), preview=points.copy)
        some = others[begin : begin + _CHUNK]
        points[some] = reducer.transform(latents[some])
    yield Progress("embed", 1, 1, preview=points.copy)
    return points


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            # It speaks of another library, which only its other half needs.
            warnings.simplefilter("ignore")
            import umap as library
    except ImportError as error:
        raise UsageError(
            None, "UMAP needs umap-learn", 'pip install "napari-btf[umap]", or use tsne'
        ) from error
    return library


def _within_ten(start: NDArray[np.float64]) -> NDArray[np.float32]:
    """Places from 0 to 10 in the longer direction, as UMAP's own start has them."""
    low = start.min(axis=0)
    span = float((start.max(axis=0) - low).max()) or 1.0
    return np.asarray((start - low) * (10.0 / span), dtype=np.float32)
