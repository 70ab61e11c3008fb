"""Keep a linear model instead of a parallax model that has not learned enough to be better.

The networks of parallax start from the mean colour, while principal components are the best linear
model from the start. After a training of seconds, or with many bytes for few texels, the linear
model may still be better.
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

#: Both models are compared at this many texels under this many captured pairs.
_TEXELS, _PAIRS = 512, 48


def linear_if_better(
    btf: BTF,
    coords: ArrayLike | None,
    budget: Budget,
    network: NetworkSettings,
    model: CompressedBTF,
) -> Job[CompressedBTF]:
    """Return a linear model of the same budget if it is better than a given model, else that model.

    The linear model is fitted only if principal components of a sample suggest that it may be
    better.

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
        # Nothing is imagined, because that may take as long as the training did.
        linear = yield from fit_neural_basis(btf, coords, budget, network, stop=lambda: True)
    except UsageError:
        return model
    return linear if error_of(linear) < error else model


def _least_error(values: NDArray[np.float32], latents: int) -> float:
    """Return the mean squared error of the best linear model of ABRDFs (T, N * C).

    It has ``latents`` principal components.
    """
    centred = values - values.mean(axis=0)
    variance = np.linalg.eigvalsh((centred @ centred.T).astype(np.float64))[::-1]
    return float(variance[latents:].clip(0).sum() / values.size)


def _linear_latents(btf: BTF, budget: Budget) -> int:
    """Return about how many latents a linear model can have within a budget.

    Its decoder has one row for each captured pair.
    """
    if budget.latents is not None:
        return budget.latents
    if budget.bytes_per_texel is None:
        return MOST_FOR_QUALITY
    room = budget.bytes_per_texel * btf.height * btf.width + FREE_BYTES - direction_bytes(btf)
    return int(np.clip(room // (2 * len(btf) * btf.channels), 1, MOST_LATENTS))
