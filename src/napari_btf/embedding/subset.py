"""Choice of a subset of texels that represents all kinds of texels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.running.threads import one_library, same_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["representative_texels"]

#: Number of clusters of k-means, and number of texels on which they are fitted.
_KINDS = 128
_SAMPLE = 8_192


def representative_texels(latents: NDArray[np.float64], count: int, seed: int) -> NDArray[np.intp]:
    """Choose texels of every kind, with more of rare kinds than a random choice would take.

    The kinds are clusters found by k-means. Each cluster gives a number of texels about
    proportional to the square root of its size, so that even a spot of 100 texels is represented,
    while large clusters still give the most.

    Parameters
    ----------
    latents : ndarray, shape (T, K)
    count : int
        Number of texels to choose, less than T.
    seed : int

    Returns
    -------
    ndarray of int, shape (count,)
        Indices of the chosen texels, in increasing order.
    """
    kind = _kinds(latents, seed)
    random = np.random.default_rng(seed)
    # Shuffle the texels, then rank each within its kind.
    order = random.permutation(len(latents))
    by_kind = order[np.argsort(kind[order], kind="stable")]
    sizes = np.bincount(kind)
    begin = np.cumsum(sizes) - sizes
    rank = np.arange(len(latents)) - np.repeat(begin, sizes)
    # The texel of rank r in a kind of n texels is worth sqrt(n) / r; the best ``count`` are taken.
    worth = np.sqrt(np.repeat(sizes, sizes)) / (rank + 1.0)
    best = np.argsort(-worth, kind="stable")[:count]
    return np.sort(by_kind[best])


def _kinds(latents: NDArray[np.float64], seed: int) -> NDArray[np.intp]:
    """Return the cluster of each texel, (T,); the clusters are fitted to a random sample."""
    from sklearn.cluster import KMeans

    random = np.random.default_rng(seed)
    some = random.choice(len(latents), min(_SAMPLE, len(latents)), replace=False)
    kinds = KMeans(_KINDS, n_init=1, max_iter=20, random_state=seed)
    # Sums in a fixed order, because otherwise the same seed may give other clusters.
    with same_sums():
        kinds.fit(latents[some])
    with one_library():
        return np.asarray(kinds.predict(latents), dtype=np.intp)
