"""A subset of texels that holds all kinds of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.running.threads import one_library, same_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["spread_subset"]

_KINDS = 128
_SAMPLE = 8_192


def spread_subset(latents: NDArray[np.float64], count: int, seed: int) -> NDArray[np.intp]:
    """Some texels of every kind, more of rare kinds than there are at random.

    Kinds are the clusters of k-means on a sample. Each has a share by the square root of its
    size: a dot of ink of 100 texels is not left to chance, and large kinds still have the most.

    Parameters
    ----------
    latents : ndarray, shape (T, K)
    count : int
        Less than T.
    seed : int

    Returns
    -------
    ndarray of int, shape (count,)
        Indices in order.
    """
    kind = _kinds(latents, seed)
    random = np.random.default_rng(seed)
    # A random order, and in it the place of each texel within its kind.
    order = random.permutation(len(latents))
    by_kind = order[np.argsort(kind[order], kind="stable")]
    sizes = np.bincount(kind)
    begin = np.cumsum(sizes) - sizes
    rank = np.arange(len(latents)) - np.repeat(begin, sizes)
    # Texel number r of a kind of n is worth sqrt(n) / r; the best ``count`` are taken.
    worth = np.sqrt(np.repeat(sizes, sizes)) / (rank + 1.0)
    best = np.argsort(-worth, kind="stable")[:count]
    return np.sort(by_kind[best])


def _kinds(latents: NDArray[np.float64], seed: int) -> NDArray[np.intp]:
    from sklearn.cluster import KMeans

    random = np.random.default_rng(seed)
    some = random.choice(len(latents), min(_SAMPLE, len(latents)), replace=False)
    kinds = KMeans(_KINDS, n_init=1, max_iter=20, random_state=seed)
    # Otherwise the same seed may give other kinds.
    with same_sums():
        kinds.fit(latents[some])
    with one_library():
        return np.asarray(kinds.predict(latents), dtype=np.intp)
