"""Principal components of chosen texels, and the projection of all texels onto them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.decoding.layers import Scratch, in_chunks
from napari_btf.progress import Progress, is_report_due, stop_if_given_up, wait_while_wanted

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_btf.btf import BTF

__all__ = ["encode", "gather_abrdfs", "principal_components"]

#: Number of values of the images that are projected together: 32 MiB.
_TOGETHER = 2**23
#: Largest number of values of an ABRDF for which the covariance matrix is fast.
_FEW_VALUES = 1000
#: Number of texels whose covariance is summed in single precision.
_PIECE = 4096


def gather_abrdfs(btf: BTF, yx: NDArray[np.intp]) -> Generator[Progress, None, NDArray[np.float32]]:
    """Read the ABRDFs of texels, in the fitted domain: an array (T, N * C)."""
    out = np.empty((len(yx), len(btf), btf.channels), dtype=np.float32)
    for done, total in btf.gather(yx, out):
        if is_report_due(done, total):
            yield Progress("read", done, total)
    out = btf.values.encode(out)
    return out.reshape(len(yx), -1)


def principal_components(
    abrdfs: NDArray[np.float32], count: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Return the mean (N * C,), components (K, N * C), and the standard deviations (K,) along them.

    The ABRDFs (T, N * C) are overwritten.
    """
    if abrdfs.shape[1] <= min(_FEW_VALUES, len(abrdfs) // 10):
        mean, components, variance = _by_covariance(abrdfs, count)
    else:
        from sklearn.decomposition import PCA

        def fitted() -> PCA:
            # Without any variance, scikit-learn divides zero by zero in a figure not used here.
            with np.errstate(invalid="ignore"):
                return PCA(count, random_state=seed, copy=False).fit(abrdfs)

        pca = wait_while_wanted(fitted)
        mean, components, variance = pca.mean_, pca.components_, pca.explained_variance_
    # A latent that never varies (in a black capture) still needs a nonzero divisor.
    return mean, components, np.maximum(np.sqrt(variance), 1e-6)


def _by_covariance(
    abrdfs: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Return the same with variances, from the eigenvectors of the covariance matrix.

    scikit-learn does the same for many texels of few values, but importing it takes longer than
    this.
    """
    mean = abrdfs.mean(axis=0, dtype=np.float64).astype(np.float32)
    abrdfs -= mean
    # The pieces are summed in double precision, because small components matter.
    covariance = np.zeros((abrdfs.shape[1],) * 2)
    for start in range(0, len(abrdfs), _PIECE):
        stop_if_given_up()
        piece = abrdfs[start : start + _PIECE]
        covariance += piece.T @ piece
    variance, vectors = np.linalg.eigh(covariance / (len(abrdfs) - 1))
    # The largest comes first; the arbitrary sign is set by the largest entry of each.
    leading = slice(None, -count - 1, -1)
    components = vectors.T[leading]
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, np.newaxis], 1)
    components = (components * np.sign(largest)).astype(np.float32)
    return mean, components, np.maximum(variance[leading], 0.0)


def encode(
    btf: BTF, table: NDArray[np.float32]
) -> Generator[Progress, None, tuple[NDArray[np.float32], float, float]]:
    """Project every texel onto the components, one observation after the other.

    Returns
    -------
    latents : ndarray, shape (H, W, K)
    total : float
        Sum of squares of what is projected.
    peak : float
        The largest value of the capture.
    """
    texels, c = btf.height * btf.width, btf.channels
    latents = np.zeros((texels, table.shape[1] - 1), dtype=np.float32)
    total, peak = 0.0, 0.0
    # Several images at a time, because each product reads and writes all latents.
    together = int(np.clip(_TOGETHER // (texels * c), 1, 64))
    block = np.empty((texels, together, c), dtype=np.float32)
    for i, frame in enumerate(btf.iter_frames()):
        place = i % together
        block[:, place] = btf.values.encode(frame.reshape(texels, c))
        peak = max(peak, float(block[:, place].max()))
        if place == together - 1 or i == len(btf) - 1:
            total += _project(block[:, : place + 1], table[i - place : i + 1], latents)
        if is_report_due(i + 1, len(btf)):
            yield Progress("encode", i + 1, len(btf))
    return latents.reshape(btf.height, btf.width, -1), total, peak


def _project(
    colours: NDArray[np.float32], table: NDArray[np.float32], latents: NDArray[np.float32]
) -> float:
    """Add to the latents the projection of observations (T, F, C) by their table (F, K + 1, C)."""
    mean = table[:, 0].reshape(-1)
    components = table[:, 1:].transpose(0, 2, 1).reshape(len(mean), -1)
    squares: dict[int, float] = {}

    def work(part: slice, scratch: Scratch) -> None:
        values = scratch("values", part.stop - part.start, len(mean))
        np.subtract(colours[part].reshape(len(values), -1), mean, out=values)
        latents[part] += np.matmul(
            values, components, out=scratch("product", len(values), latents.shape[1])
        )
        squares[part.start] = float(np.vdot(values, values))

    in_chunks(len(latents), work)
    # In a fixed order, so that the sum is the same in every run.
    return sum(squares[start] for start in sorted(squares))
