"""Fitting the neural-basis codec: PCA over texels, then its basis continued over directions.

The codec is linear in the latents. For captured directions the best such codec is PCA, so
the encoder is the PCA projection and the decoder meets PCA's basis there. What training adds
is the basis between the captured directions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.basis import DirectionBasis, direction_space
from napari_btf.codec.model import DTYPES, CompressedBTF, quantise
from napari_btf.codec.network import NetworkSettings, pick_device, train_network
from napari_btf.codec.spline import fit_spline, spread_subset
from napari_btf.errors import UsageError
from napari_btf.progress import Job, Progress, is_report_due
from napari_btf.sampling import all_texels, check_seed, random_texels
from napari_btf.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF

__all__ = ["FitSettings", "check_capture", "check_fit", "fit", "texels_that_fit"]

#: Values gathered for PCA at most: 512 MiB as float32, about four times that at the peak.
GATHER_VALUES = 2**27

#: Candidate weights of the spline's bending energy, chosen by cross-validation.
SMOOTHINGS = (0.0, 1e-3, 1e-2, 3e-2, 1e-1)
_FOLDS = 5
#: Coordinates this close (on the disk, a hundredth of a degree) are one point to the spline.
SAME_POINT = 1e-4
_CROSS_VALIDATION_POINTS = 1024


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit.

    Parameters
    ----------
    latents : int
        Latents per texel, K.
    network : NetworkSettings
        Length, device and seed of the training.
    """

    latents: int = 8
    network: NetworkSettings = field(default_factory=NetworkSettings)


def texels_that_fit(btf: BTF) -> int:
    """How many texels' ABRDFs PCA can hold in memory at once."""
    return max(1, GATHER_VALUES // (len(btf) * btf.channels))


def fit(
    btf: BTF,
    coords: ArrayLike | None = None,
    settings: FitSettings | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Job[CompressedBTF]:
    """Compress a BTF.

    Parameters
    ----------
    btf : BTF
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels to learn from; all by default. The whole image is
        encoded in any case. If there are more than `texels_that_fit`, a random choice.
    settings : FitSettings, optional
    stop : callable, optional
        Asked often; true ends the training early and keeps the best so far.

    Yields
    ------
    Progress
        Phases "read", "basis", "train", "encode".

    Returns
    -------
    CompressedBTF

    Raises
    ------
    UsageError
        If a setting does not fit the capture.
    CaptureError
        If an image cannot be read.
    """
    settings = settings or FitSettings()
    check_fit(btf, coords, settings)
    yx = all_texels(btf.height, btf.width) if coords is None else np.asarray(coords)
    yx = random_texels(yx, texels_that_fit(btf), settings.network.seed)
    abrdfs = yield from _gather(btf, yx)
    yield Progress("basis", 0, 1)
    mean, components, deviation = _principal_components(abrdfs, settings)
    del abrdfs
    yield Progress("basis", 1, 1)

    # (N, K + 1, C): row 0 is the mean, the others the principal components.
    table = np.concatenate([mean[np.newaxis], components]).reshape(
        settings.latents + 1, len(btf), btf.channels
    )
    table = table.transpose(1, 0, 2)
    importance = np.repeat(np.concatenate([[1.0], deviation]), btf.channels)
    basis, pairs = yield from _continue_basis(btf, table, importance, settings, stop)
    latents = yield from _encode(btf, table)
    return CompressedBTF(
        latents=quantise(latents),
        basis=basis,
        light=btf.light[pairs],
        view=btf.view[pairs],
        dtype=np.dtype(btf.frames.dtype),
        source=btf.name,
    )


def check_fit(btf: BTF, coords: ArrayLike | None, settings: FitSettings) -> None:
    """Refuse what `fit` cannot do, before anything is read.

    Raises
    ------
    UsageError
    """
    chosen = btf.height * btf.width if coords is None else len(np.asarray(coords))
    texels = min(chosen, texels_that_fit(btf))
    k, most = settings.latents, min(texels - 1, len(btf) * btf.channels)
    if not 1 <= k <= most:
        raise UsageError(
            None,
            f"{k} latents were asked for, {texels} texels with {len(btf)} observations of "
            f"{btf.channels} channels allow 1 to {most}",
            "change the number of latents, or choose more texels",
        )
    check_capture(btf, settings.network)


def check_capture(btf: BTF, network: NetworkSettings) -> None:
    """Refuse captures no codec can learn, and trainings that cannot be.

    Raises
    ------
    UsageError
    """
    if min(btf.light[:, 2].min(), btf.view[:, 2].min()) < -0.01:
        raise UsageError(
            btf.source or None,
            "it has lights or views below the surface",
            "leave those observations out",
        )
    if btf.values.dtype.name not in DTYPES:
        raise UsageError(
            btf.source or None,
            f"its values are {btf.values.dtype}, models hold {', '.join(DTYPES)}",
            "convert them",
        )
    if network.seconds is not None and not network.seconds > 0:
        raise UsageError(None, f"{network.seconds} seconds of training", "use more than 0")
    if network.epochs < 1:
        raise UsageError(None, f"{network.epochs} epochs of training", "use 1 or more")
    check_seed(network.seed)
    pick_device(network.device)


def _gather(btf: BTF, yx: NDArray[np.intp]) -> Generator[Progress, None, NDArray[np.float32]]:
    """ABRDFs of some texels, (T, N * C) in the fitted domain."""
    out = np.empty((len(yx), len(btf), btf.channels), dtype=np.float32)
    for done, total in btf.gather(yx, out):
        if is_report_due(done, total):
            yield Progress("read", done, total)
    out = btf.values.encode(out)
    return out.reshape(len(yx), -1)


def _principal_components(
    abrdfs: NDArray[np.float32], settings: FitSettings
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Mean (N * C,), components (K, N * C) and standard deviation along each (K,)."""
    from sklearn.decomposition import PCA

    # A capture without any variance divides zero by zero in a figure that is not used here.
    with np.errstate(invalid="ignore"):
        pca = PCA(settings.latents, random_state=settings.network.seed, copy=False).fit(abrdfs)
    # A latent that never varies (a black capture) still needs a weight that can be divided by.
    deviation = np.maximum(np.sqrt(pca.explained_variance_), 1e-6)
    return pca.mean_, pca.components_, deviation


def _continue_basis(
    btf: BTF,
    table: NDArray[np.float32],
    importance: NDArray[np.float64],
    settings: FitSettings,
    stop: Callable[[], bool],
) -> Generator[Progress, None, tuple[DirectionBasis, NDArray[np.intp]]]:
    """The basis for all directions, and one observation of each captured pair."""
    pairs, samples, count = _distinct_pairs(btf, table)
    space = direction_space(btf.light[pairs], btf.view[pairs])
    points = space(btf.light[pairs], btf.view[pairs])
    kept, samples = _merge_points(points, samples, count)
    pairs, points = pairs[kept], points[kept]
    network = yield from train_network(points, samples, importance, settings.network, stop)
    residual = samples - network(points)
    yield Progress("basis", 0, 1)
    smoothing = _cross_validate(points, residual * importance, settings.network.seed)
    basis = DirectionBasis(
        space=space,
        network=network,
        spline=fit_spline(points, residual, smoothing),
        latents=settings.latents,
        channels=btf.channels,
    )
    yield Progress("basis", 1, 1)
    return basis, pairs


def _distinct_pairs(
    btf: BTF, table: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]:
    """One observation of each (light, view) pair, the mean of its repetitions, and their number."""
    from napari_btf.directions import group_directions

    lights, views = group_directions(btf.light), group_directions(btf.view)
    pair = views.member_of * len(lights.vectors) + lights.member_of
    _, first, inverse, count = np.unique(
        pair, return_index=True, return_inverse=True, return_counts=True
    )
    samples = np.zeros((len(first), table[0].size))
    np.add.at(samples, inverse.reshape(-1), table.reshape(len(table), -1))
    return first, samples / count[:, np.newaxis], count


def _merge_points(
    points: NDArray[np.float64], samples: NDArray[np.float64], count: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which points to keep so that no two coincide, and samples averaged over what they stand for.

    Pairs that differ only along an axis that `direction_space` left out have equal coordinates,
    and no spline can meet two different values at one point.
    """
    n, d = points.shape
    near: Any = [range(n)]
    if d:
        from scipy.spatial import cKDTree

        near = cKDTree(points).query_ball_point(points, SAME_POINT)
    stands_for = np.full(n, -1, dtype=np.intp)
    for i, neighbours in enumerate(near):
        if stands_for[i] < 0:
            stands_for[[j for j in neighbours if stands_for[j] < 0]] = i
    kept, member_of = np.unique(stands_for, return_inverse=True)
    weight = np.zeros((len(kept), 1))
    merged = np.zeros((len(kept), samples.shape[1]))
    np.add.at(weight[:, 0], member_of, count)
    np.add.at(merged, member_of, samples * count[:, np.newaxis])
    return kept, merged / weight


def _cross_validate(points: NDArray[np.float64], values: NDArray[np.float64], seed: int) -> float:
    """The smoothing that predicts left-out directions best."""
    if len(points) < 4 * _FOLDS:
        return 0.0
    some = spread_subset(points, _CROSS_VALIDATION_POINTS)
    points, values = points[some], values[some]
    fold = np.random.default_rng(seed).permutation(len(points)) % _FOLDS

    def error(smoothing: float) -> float:
        total = 0.0
        for f in range(_FOLDS):
            spline = fit_spline(points[fold != f], values[fold != f], smoothing)
            total += float(np.sum((spline(points[fold == f]) - values[fold == f]) ** 2))
        return total

    return min(SMOOTHINGS, key=error)


def _encode(btf: BTF, table: NDArray[np.float32]) -> Generator[Progress, None, NDArray[np.float32]]:
    """Project every texel onto the components, one observation after the other: (H, W, K)."""
    latents = np.zeros((btf.height * btf.width, table.shape[1] - 1), dtype=np.float32)
    for i, frame in enumerate(btf.iter_frames()):
        colour = btf.values.encode(frame.reshape(-1, btf.channels))
        with one_thread():
            latents += (colour - table[i, 0]) @ table[i, 1:].T
        if is_report_due(i + 1, len(btf)):
            yield Progress("encode", i + 1, len(btf))
    return latents.reshape(btf.height, btf.width, -1)
