"""A linear model in place of one with parallax that has not learned enough to be better.

Its networks start from the mean colour, principal components from the best that a linear model can
do. After seconds of training, or with many bytes for few texels, these may still be ahead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting.checks import texels_that_fit
from napari_btf.codec.fitting.settings import FREE_BYTES, Budget
from napari_btf.codec.neural_basis.fit import MOST_FOR_QUALITY, MOST_LATENTS, fit_neural_basis
from napari_btf.codec.projection import gather_abrdfs
from napari_btf.codec.writing import direction_bytes
from napari_btf.errors import UsageError
from napari_btf.texels.sampling import all_texels, random_texels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.fitting.settings import NetworkSettings
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.progress import Job

__all__ = ["linear_if_better"]

#: Both are compared at so many texels under so many of the captured pairs.
_TEXELS, _PAIRS = 512, 48


def linear_if_better(
    btf: BTF,
    coords: ArrayLike | None,
    budget: Budget,
    network: NetworkSettings,
    model: CompressedBTF,
) -> Job[CompressedBTF]:
    """A linear model of the same budget if it is better than a model, else that model.

    It is fitted only where principal components of a sample say that it may be better.

    Parameters
    ----------
    btf : BTF
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels that the model learned from; all by default.
    budget : Budget
    network : NetworkSettings
    model : CompressedBTF
        With parallax.

    Yields
    ------
    Progress
        Phase "read", and those of `fit_neural_basis`.

    Raises
    ------
    CaptureError
        If an image cannot be read.
    """
    yx = all_texels(btf.height, btf.width) if coords is None else np.asarray(coords)
    most = min(_TEXELS, texels_that_fit(btf, network.memory))
    yx = random_texels(yx, most, network.seed)
    values = yield from gather_abrdfs(btf, yx)
    count = min(_PAIRS, len(btf))
    pairs = np.random.default_rng(network.seed).choice(len(btf), count, replace=False)
    captured = values.reshape(len(yx), len(btf), -1)[:, pairs]

    def error_of(some: CompressedBTF) -> float:
        images = some.shaded(btf.light[pairs], btf.view[pairs])
        shown = np.stack([image[yx[:, 0], yx[:, 1]] for image in images], axis=1)
        return float(np.mean((shown - captured) ** 2))

    error = error_of(model)
    if _least_error(values, _linear_latents(btf, budget)) >= error:
        return model
    try:
        # Nothing is imagined: that may take as long as the training did.
        linear = yield from fit_neural_basis(btf, coords, budget, network, stop=lambda: True)
    except UsageError:
        return model
    return linear if error_of(linear) < error else model


def _least_error(values: NDArray[np.float32], latents: int) -> float:
    """Mean squared error of so many principal components of ABRDFs (T, N * C)."""
    centred = values - values.mean(axis=0)
    variance = np.linalg.eigvalsh((centred @ centred.T).astype(np.float64))[::-1]
    return float(variance[latents:].clip(0).sum() / values.size)


def _linear_latents(btf: BTF, budget: Budget) -> int:
    """About how many latents a linear model has at most, whose decoder is a row for each pair."""
    if budget.latents is not None:
        return budget.latents
    if budget.bytes_per_texel is None:
        return MOST_FOR_QUALITY
    room = budget.bytes_per_texel * btf.height * btf.width + FREE_BYTES - direction_bytes(btf)
    return int(np.clip(room // (2 * len(btf) * btf.channels), 1, MOST_LATENTS))
