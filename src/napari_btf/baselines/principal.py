"""Principal components of the texels, interpolated over the directions by a thin-plate spline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.baselines.baseline import encoded_blocks, pairs_at_once
from napari_btf.interpolation.basis import DirectionSpace, direction_space
from napari_btf.interpolation.points import distinct_points, spread_subset
from napari_btf.interpolation.spline import DirectionSpline, fit_spline, linear_places
from napari_btf.progress import Job, Progress, is_report_due
from napari_btf.running.threads import one_thread
from napari_btf.texels.sampling import all_texels, random_texels

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF

__all__ = ["PrincipalComponents", "fit_pca"]

#: Maximum number of values to gather: 512 MiB in single precision, 128 MiB in 8 bits.
_GATHER_VALUES = 2**27
#: Maximum size of the matrix whose eigenvectors are computed.
_MOST_ROWS = 4096
#: Candidate weights of the spline's bending energy, and the number of folds and of points in the
#: cross-validation that chooses one.
_SMOOTHINGS, _FOLDS, _FOLDED_POINTS = (0.0, 1e-3, 1e-2, 3e-2, 1e-1), 5, 512
#: Bytes of one pair's coordinates, and of one latent's scale and offset, as float32.
_PAIR_BYTES, _SCALE_BYTES = 16, 8


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """Latents of every texel and a basis over directions: a `napari_btf.baselines.Baseline`.

    Parameters
    ----------
    note : str
    codes : ndarray of uint8, shape (H, W, K)
        Quantised latents.
    scale, offset : ndarray of float32, shape (K,)
        ``latent = offset + scale * code``.
    space : DirectionSpace
    spline : DirectionSpline
        Interpolates the mean and the K components: (K + 1) * C values per pair. `nbytes` counts
        only its samples at the captured pairs, because the spline can be recomputed from them.
    """

    note: str
    codes: NDArray[np.uint8]
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]
    space: DirectionSpace
    spline: DirectionSpline
    name: str = "PCA + thin-plate"

    @property
    def latents(self) -> int:
        """Number of latents per texel, K."""
        return len(self.scale)

    @property
    def nbytes(self) -> int:
        """Size in bytes: latents in 8 bits, basis samples in 16 bits, and their directions."""
        pairs, columns = len(self.spline.points), self.spline.coefficients.shape[1]
        decoder = pairs * (2 * int(columns) + _PAIR_BYTES)
        return self.codes.nbytes + _SCALE_BYTES * self.latents + decoder

    def shaded(self, light: ArrayLike, view: ArrayLike) -> Iterator[NDArray[np.float32]]:
        """Decode images (H, W, C) at pairs of unit vectors (P, 3), in the fitted domain."""
        height, width, k = self.codes.shape
        latents: NDArray[np.float32] = self.codes * self.scale + self.offset
        latents = latents.reshape(-1, k)
        points = self.space(light, view)
        # The matrix of distances to all captured pairs limits the number of pairs per block.
        together = min(256, pairs_at_once(len(self.spline.points)))
        for start in range(0, len(points), together):
            table = self.spline(linear_places(points[start : start + together])).astype(np.float32)
            for basis in table.reshape(len(table), k + 1, -1):
                with one_thread():
                    image: NDArray[np.float32] = latents @ basis[1:]
                image += basis[0]
                yield image.reshape(height, width, -1)


def fit_pca(
    btf: BTF, budget: int | None = None, latents: int = 8, smoothing: float | None = None
) -> Job[PrincipalComponents]:
    """Fit principal components of the texels' ABRDFs, and a spline over their basis.

    The spline interpolates the components at the captured pairs (see
    `napari_btf.interpolation.spline`). Directions beyond the captured range are clamped to it.

    Parameters
    ----------
    btf : BTF
        The fit uses a random choice of texels if all texels would take more than 512 MiB in single
        precision, and at most 4,096 texels if an ABRDF has more than 4,096 values.
    budget : int, optional
        Maximum size in bytes, which determines the number of latents (at least one).
    latents : int
        Number of latents if no budget is given.
    smoothing : float, optional
        Weight of the bending energy; by default the one that predicts left-out pairs best.

    Yields
    ------
    Progress
        Phase "baselines".
    """
    space = direction_space(btf.light, btf.view)
    points = space(btf.light, btf.view)
    kept, member_of = distinct_points(points)
    yx = _chosen_texels(btf)
    if budget is not None:
        latents = _affordable(budget, btf, len(kept))
    latents = max(1, min(latents, len(yx) - 1, len(btf) * btf.channels))
    texels = np.empty((len(yx), len(btf), btf.channels), dtype=btf.frames.dtype)
    for done, total in btf.gather(yx, texels):
        if is_report_due(done, total):
            yield Progress("baselines", done, 2 * total)
    table = _components(btf, texels, latents)
    del texels
    # Equal pairs share one row of the basis, the mean of their rows.
    merged = np.zeros((len(kept), table[0].size))
    np.add.at(merged, member_of, table.reshape(len(table), -1))
    merged /= np.bincount(member_of)[:, np.newaxis]
    merged = merged.astype(np.float16).astype(np.float64)
    codes, scale, offset = yield from _encode(btf, table)
    if smoothing is None:
        # The error of a component is weighted by the standard deviation of its latents.
        spread = np.concatenate([[1.0], codes.std(axis=(0, 1)) * scale])
        smoothing = _best_smoothing(points[kept], merged * np.repeat(spread, btf.channels))
    spline = fit_spline(linear_places(points[kept]), merged, smoothing, kernel="thin-plate")
    note = f"K = {latents}, 8 bits"
    if len(yx) < btf.height * btf.width:
        note += f", learned from {len(yx):,} texels chosen at random"
    return PrincipalComponents(note, codes, scale, offset, space, spline)


def _best_smoothing(points: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Choose the smoothing with the least cross-validation error."""
    if len(points) < 4 * _FOLDS:
        return 0.0
    some = spread_subset(points, _FOLDED_POINTS)
    places, values = linear_places(points[some]), values[some]
    fold = np.random.default_rng(0).permutation(len(places)) % _FOLDS

    def error(smoothing: float) -> float:
        total = 0.0
        for f in range(_FOLDS):
            seen, left = fold != f, fold == f
            spline = fit_spline(places.at(seen), values[seen], smoothing, kernel="thin-plate")
            total += float(np.sum((spline(places.at(left)) - values[left]) ** 2))
        return total

    return min(_SMOOTHINGS, key=error)


def _affordable(budget: int, btf: BTF, pairs: int) -> int:
    """Return how many latents fit the budget; the inverse of `PrincipalComponents.nbytes`."""
    mean = pairs * (2 * btf.channels + _PAIR_BYTES)
    each = btf.height * btf.width + _SCALE_BYTES + 2 * btf.channels * pairs
    return (budget - mean) // each


def _chosen_texels(btf: BTF) -> NDArray[np.intp]:
    values = len(btf) * btf.channels
    count = max(2, _GATHER_VALUES // values)
    if values > _MOST_ROWS:
        count = min(count, _MOST_ROWS)
    return random_texels(all_texels(btf.height, btf.width), count, seed=0)


def _components(btf: BTF, texels: NDArray[np.generic], latents: int) -> NDArray[np.float32]:
    """Return mean and principal components of ABRDFs (T, N, C), shape (N, K + 1, C).

    They come from the eigenvectors of the covariance matrix of the values, or of the Gram matrix of
    the texels if it is smaller (I. T. Jolliffe, Principal Component Analysis, 2002, section 3.5).
    """
    flat = texels.reshape(len(texels), -1)
    count, values = flat.shape
    mean = np.zeros(values)
    for block in _blocks(count, values):
        mean += btf.values.encode(flat[block]).sum(axis=0, dtype=np.float64) / count
    if values <= count:
        covariance = np.zeros((values, values))
        for block in _blocks(count, values):
            part = btf.values.encode(flat[block]) - mean.astype(np.float32)
            covariance += part.T @ part
        components = _leading(covariance, latents)[1].T
    else:
        gram = np.zeros((count, count))
        for block in _blocks(values, count):
            part = btf.values.encode(flat[:, block]) - mean[block].astype(np.float32)
            gram += part @ part.T
        squares, vectors = _leading(gram, latents)
        across = vectors / np.sqrt(np.maximum(squares, 1e-12))
        components = np.empty((latents, values))
        for block in _blocks(values, count):
            part = btf.values.encode(flat[:, block]) - mean[block].astype(np.float32)
            components[:, block] = across.T @ part
    table = np.concatenate([mean[np.newaxis], components]).astype(np.float32)
    return table.reshape(latents + 1, len(btf), btf.channels).transpose(1, 0, 2)


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    """Divide the rows of a matrix into blocks of at most 32 MiB of float32."""
    step = max(1, 2**23 // columns)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _leading(matrix: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], ...]:
    """Return the largest eigenvalues (K,) of a symmetric matrix and their eigenvectors (n, K)."""
    from scipy.linalg import eigh
    from scipy.sparse.linalg import eigsh

    n = len(matrix)
    if n <= 512 or 8 * count > n or not matrix.any():
        values, vectors = eigh(matrix, subset_by_index=(n - count, n - 1))
    else:
        # Much faster for a few vectors of a large matrix; a fixed start makes it reproducible.
        start = np.random.default_rng(0).normal(size=n)
        values, vectors = eigsh(matrix, count, v0=start)
    return values[::-1], vectors[:, ::-1]


def _encode(
    btf: BTF, table: NDArray[np.float32]
) -> Generator[Progress, None, tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]]:
    """Project all texels onto the components; return codes (H, W, K), scale and offset (K,)."""
    latents = np.zeros((btf.height * btf.width, table.shape[1] - 1), dtype=np.float32)
    for which, values in encoded_blocks(btf):
        for row, frame in zip(table[which], values, strict=True):
            with one_thread():
                latents += (frame.reshape(-1, btf.channels) - row[0]) @ row[1:].T
        yield Progress("baselines", len(btf) + which.stop, 2 * len(btf))
    offset = latents.min(axis=0)
    scale = (latents.max(axis=0) - offset) / np.float32(255)
    scale[scale <= 0] = 1.0
    codes = np.rint((latents - offset) / scale).astype(np.uint8)
    return codes.reshape(btf.height, btf.width, -1), scale, offset
