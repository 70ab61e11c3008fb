"""t-SNE by openTSNE: a subset of the texels is fitted, and the others are placed among it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_btf.embedding.subset import representative_texels
from napari_btf.progress import Progress
from napari_btf.running.threads import one_library

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.progress import Job

__all__ = ["tsne"]

_PERPLEXITY = 30.0
#: Number of iterations between two reports.
_STRIDE = 10


class _Phase(NamedTuple):
    """The settings of one phase of the gradient descent."""

    iterations: int
    exaggeration: float
    momentum: float


#: Early exaggeration, then the embedding without it (van der Maaten and Hinton, 2008).
_PHASES = (_Phase(250, 12.0, 0.5), _Phase(500, 1.0, 0.8))
#: Fewer iterations for a subset: more of them no longer change the map of all texels visibly.
_FEWER_PHASES = (_Phase(100, 12.0, 0.5), _Phase(300, 1.0, 0.8))

#: Cell width of the grid on which the repulsive forces are interpolated. With openTSNE's default of
#: 1, an iteration takes three times as long and the quality is the same.
_CELL = 2.0
#: Largest number of texels for an exact search of nearest neighbours: above it, an approximate
#: index is faster.
_EXACT_NEIGHBOURS = 32_768
#: Number of trees of the approximate index (Annoy).
_TREES = 20
#: Largest number of texels for a single thread: below it, several threads mostly wait.
_ONE_THREAD = 4_096
#: Smallest number of texels for which forces on a grid (FFT) are faster than by a tree
#: (Barnes-Hut): on one core, 4,000 texels take 16 s instead of 25 s, 2,000 take 14 s instead of
#: 11 s.
_ON_A_GRID = 3_000

#: Number of nearest neighbours in the subset whose median gives the point of another texel.
_PLACING_NEIGHBOURS = 5
#: Number of texels whose neighbours are searched at once.
_CHUNK = 8_192


def tsne(
    latents: NDArray[np.float64], start: NDArray[np.float64], seed: int, budget: int | None
) -> Job[NDArray[np.float64]]:
    """Compute a t-distributed stochastic neighbour embedding (van der Maaten and Hinton, 2008).

    The same seed gives the same points with any number of threads.

    Parameters
    ----------
    latents : ndarray, shape (T, K)
        Distinct rows.
    start : ndarray, shape (T, 2)
        Initial points, whose global arrangement is kept; see Kobak and Berens, "The art of using
        t-SNE for single-cell transcriptomics", 2019.
    seed : int
    budget : int, optional
        Largest number of texels to fit; None fits all.

    Yields
    ------
    Progress

    Returns
    -------
    ndarray, shape (T, 2)
    """
    if budget is None or len(latents) <= budget:
        return (yield from _fitted(latents, start, seed, None))
    chosen = representative_texels(latents, budget, seed)
    return (yield from _fitted(latents, start, seed, chosen))


def _fitted(
    latents: NDArray[np.float64],
    start: NDArray[np.float64],
    seed: int,
    chosen: NDArray[np.intp] | None,
) -> Job[NDArray[np.float64]]:
    """Fit the chosen texels, all for None, and place the others among them."""
    from openTSNE import TSNEEmbedding, initialization

    some = latents if chosen is None else latents[chosen]
    affinities = _affinities(some, seed)
    others = _Others(latents, chosen)
    yield from others.find(affinities, start)
    first = initialization.rescale(start if chosen is None else start[chosen])
    embedding = TSNEEmbedding(
        first,
        affinities,
        negative_gradient_method="fft" if len(some) >= _ON_A_GRID else "bh",
        n_jobs=_threads(len(some)),
        random_state=seed,
        ints_in_interval=_CELL,
    )
    phases = _PHASES if chosen is None else _FEWER_PHASES
    done, total = 0, sum(phase.iterations for phase in phases)
    for phase in phases:
        # Short runs, because the job can report and be closed only between them.
        for _ in range(0, phase.iterations, _STRIDE):
            yield Progress("embed", done, total, preview=lambda: others.among(embedding))
            embedding.optimize(
                _STRIDE, exaggeration=phase.exaggeration, momentum=phase.momentum, inplace=True
            )
            done += _STRIDE
    yield Progress("embed", done, total, preview=lambda: others.among(embedding))
    return others.among(embedding)


def _affinities(latents: NDArray[np.float64], seed: int) -> Any:
    """Compute openTSNE's affinities between each texel and its nearest neighbours."""
    from openTSNE import affinity

    perplexity = min(_PERPLEXITY, (len(latents) - 1) / 3.0)
    options: dict[str, Any]
    method, options = "annoy", {"n_trees": _TREES}
    if len(latents) <= _EXACT_NEIGHBOURS:
        method, options = "exact", {"algorithm": "brute"}
    with one_library():
        return affinity.PerplexityBasedNN(
            latents,
            perplexity=perplexity,
            method=method,
            knn_kwargs=options,
            n_jobs=_threads(len(latents)),
            random_state=seed,
        )


def _threads(texels: int) -> int:
    """Return the number of threads for a fit; -1 means one per core."""
    return 1 if texels <= _ONE_THREAD else -1


class _Others:
    """The texels that are not fitted, each with its nearest neighbours among the fitted ones.

    Parameters
    ----------
    latents : ndarray, shape (T, K)
    chosen : ndarray of int, shape (F,), optional
        Indices of the fitted texels; None if all are fitted.
    """

    def __init__(self, latents: NDArray[np.float64], chosen: NDArray[np.intp] | None) -> None:
        self._latents = latents
        self._chosen = np.arange(len(latents)) if chosen is None else chosen
        self._rest = np.setdiff1d(np.arange(len(latents)), self._chosen)
        self._neighbours: list[NDArray[np.intp]] = []

    def find(self, affinities: Any, start: NDArray[np.float64]) -> Job[None]:
        """Find the nearest neighbours of these texels; reports have the phase "neighbours"."""
        for begin in range(0, len(self._rest), _CHUNK):
            yield Progress("neighbours", begin, len(self._rest), preview=start.copy)
            some = self._rest[begin : begin + _CHUNK]
            with one_library():
                found, _ = affinities.knn_index.query(self._latents[some], _PLACING_NEIGHBOURS)
            self._neighbours.append(np.asarray(found, dtype=np.intp))

    def among(self, embedding: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points of all texels, (T, 2): the others lie at the median of their neighbours."""
        fitted = np.array(embedding, dtype=np.float64)
        points = np.empty((len(self._latents), 2))
        points[self._chosen] = fitted
        if self._neighbours:
            found = np.concatenate(self._neighbours)
            points[self._rest] = np.median(fitted[found], axis=1)
        return points
