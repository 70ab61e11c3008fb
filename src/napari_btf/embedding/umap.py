"""UMAP, if the optional package umap-learn is installed."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.embedding.subset import representative_texels
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
    """Compute a uniform manifold approximation and projection (McInnes et al., 2018).

    Parameters
    ----------
    latents : ndarray, shape (T, K)
        Distinct rows.
    start : ndarray, shape (T, 2)
        Initial points.
    seed : int
    budget : int, optional
        Largest number of texels to fit; the others are placed among them. None fits all.

    Yields
    ------
    Progress

    Returns
    -------
    ndarray, shape (T, 2)

    Raises
    ------
    UsageError
        If umap-learn is missing.
    """
    umap_learn = _library()
    fitted = np.arange(len(latents))
    if budget is not None and len(latents) > budget:
        fitted = representative_texels(latents, budget, seed)
    points = start.copy()
    yield Progress("embed", 0, 1, preview=points.copy)
    reducer = umap_learn.UMAP(
        n_neighbors=min(_NEIGHBOURS, len(fitted) - 1),
        init=_within_ten(start[fitted]),
        random_state=seed,
        # With a seed, umap-learn uses one core anyway and would warn about any other number.
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
    """Import umap-learn, or raise a UsageError that says how to install it."""
    try:
        with warnings.catch_warnings():
            # umap-learn warns that tensorflow is missing, which only parametric UMAP needs.
            warnings.simplefilter("ignore")
            import umap as library
    except ImportError as error:
        raise UsageError(
            None, "UMAP needs umap-learn", 'pip install "napari-btf[umap]", or use tsne'
        ) from error
    return library


def _within_ten(start: NDArray[np.float64]) -> NDArray[np.float32]:
    """Scale points (T, 2) so that their longer side is 0 to 10, as UMAP's own initialisation."""
    low = start.min(axis=0)
    span = float((start.max(axis=0) - low).max()) or 1.0
    return np.asarray((start - low) * (10.0 / span), dtype=np.float32)
