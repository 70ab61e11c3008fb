"""Train the codecs that evaluate a network for every texel: encoder and decoder together.

``abrdf-conv`` is the autoencoder that this project grew from: a convolution along the ABRDF of a
texel, 8 latents, 4 layers of 106 units. As published are its kernel of three with padding, Glorot's
initial values, Adam with a learning rate of 0.005 and epsilon 1e-7, and observations in the order
of their angles. The original took batches of 256 random (texel, light) pairs and encoded the texel
of every pair. The latents of a texel are the same for all its pairs, so here a batch is 16 texels,
each encoded once, with 16 of their observations. The original validated on pairs whose values the
encoder had seen; here whole texels are held out.

``mlp`` is of the kind of Dulecha, Fanni, Ponchio, Pellacini and Giachetti, "Neural reflectance
transformation imaging", 2020: 9 latents, 2 layers of 50 units, with a linear encoder that starts as
principal components, and a cosine schedule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting.checkpoint import Checkpoint
from napari_btf.codec.fitting.checks import texels_that_fit
from napari_btf.codec.fitting.loop import Loop
from napari_btf.codec.fitting.settings import pick_device
from napari_btf.codec.fitting.stage import Stage
from napari_btf.codec.projection import gather_abrdfs
from napari_btf.codec.texel_network.autoencoder import Autoencoder
from napari_btf.codec.texel_network.model import direction_inputs
from napari_btf.codec.texel_network.settings import TexelNetworkSettings, check_texel_network
from napari_btf.codec.texel_network.steps import AutoencoderTask, together
from napari_btf.directions import vectors_to_angles
from napari_btf.progress import Job, Progress
from napari_btf.texels.sampling import all_texels, random_texels

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.texel_network.model import TexelNetworkBTF

__all__ = ["fit_texel_network"]

_EPOCHS = 10
#: Share of a training between two validations.
_VALIDATE_EVERY = 0.02


def fit_texel_network(
    btf: BTF,
    coords: ArrayLike | None,
    settings: TexelNetworkSettings,
    stop: Callable[[], bool] = lambda: False,
    checkpoint: Checkpoint | None = None,
) -> Job[TexelNetworkBTF]:
    """Compress a BTF with the codec abrdf-conv or mlp.

    Parameters
    ----------
    btf : BTF
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels to learn from; all by default. If there are more than
        `texels_that_fit`, a random choice. The encoder then encodes the whole surface, a block at
        a time.
    settings : TexelNetworkSettings
    stop : callable, optional
        Asked often; true ends the training early and keeps the best so far.
    checkpoint : Checkpoint, optional
        The checkpoint, opened; the training continues from the state in it.

    Yields
    ------
    Progress
        Phases "read", "train" (in thousandths, with errors) and "encode".

    Returns
    -------
    AbrdfConvBTF or MlpBTF

    Raises
    ------
    UsageError
        If a setting does not fit the capture.
    CaptureError
        If an image cannot be read.
    """
    check_texel_network(btf, coords, settings)
    yx = all_texels(btf.height, btf.width) if coords is None else np.asarray(coords)
    yx = random_texels(yx, texels_that_fit(btf, settings.network.memory), settings.network.seed)
    order = _order(btf)
    abrdfs = yield from gather_abrdfs(btf, yx)
    abrdfs = abrdfs.reshape(len(yx), len(btf), btf.channels)[:, order]
    fixed_view = np.ptp(btf.view, axis=0).max() < 1e-3
    autoencoder = Autoencoder(
        abrdfs,
        direction_inputs(btf.light[order], btf.view[order], 2 if fixed_view else 4),
        convolution=settings.recipe.convolution,
        latents=settings.latent_count,
        hidden=settings.recipe.hidden,
        device=pick_device(settings.network.device),
        seed=settings.network.seed,
    )
    del abrdfs
    yield from _train(autoencoder, settings, stop, checkpoint or Checkpoint())
    latents = yield from _encode(btf, autoencoder, order, settings.network.memory)
    return _model(btf, settings, autoencoder, latents)


def _model(
    btf: BTF,
    settings: TexelNetworkSettings,
    autoencoder: Autoencoder,
    latents: NDArray[np.float32],
) -> TexelNetworkBTF:
    return settings.recipe.model.trained(
        autoencoder.layers(),
        latents,
        light=btf.light,
        view=btf.view,
        dtype=np.dtype(btf.frames.dtype),
        source=btf.name,
        mm_per_texel=btf.mm_per_texel,
    )


def _order(btf: BTF) -> NDArray[np.intp]:
    """Return the order of the observations: by view, then light, each by theta and phi.

    The convolution runs along this order.
    """
    angles = [*vectors_to_angles(btf.view), *vectors_to_angles(btf.light)]
    return np.lexsort([angle.round(3) for angle in reversed(angles)])


def _train(
    autoencoder: Autoencoder,
    settings: TexelNetworkSettings,
    stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> Generator[Progress, None, None]:
    """Train; the autoencoder ends in the state with the smallest validation error."""
    recipe, network = settings.recipe, settings.network
    task = AutoencoderTask(autoencoder, recipe.texels, recipe.each, network.seed)
    steps = task.steps_of(network.epochs or _EPOCHS)
    steps = max(steps, 1 if network.epochs else recipe.least_steps)
    stage = Stage(
        "train",
        steps if network.seconds is None else None,
        network.seconds,
        decays=recipe.decays,
        interval=_VALIDATE_EVERY,
    )
    yield from Loop(task, stage, checkpoint).run(stop)


def _encode(
    btf: BTF, autoencoder: Autoencoder, order: NDArray[np.intp], memory: int
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Encode the whole surface in blocks of texels; return its latents, (H, W, K)."""
    yx = all_texels(btf.height, btf.width)
    block, few = max(1, texels_that_fit(btf, memory) // 2), together(len(btf))
    parts: list[NDArray[np.float32]] = []
    for start in range(0, len(yx), block):
        some = yx[start : start + block]
        abrdfs = np.empty((len(some), len(btf), btf.channels), dtype=np.float32)
        # Reading counts as half of a block's progress.
        for done, total in btf.gather(some, abrdfs):
            yield Progress("encode", start + len(some) * done // (2 * total), len(yx))
        abrdfs = btf.values.encode(abrdfs)
        for first in range(0, len(some), few):
            parts.append(autoencoder.encode(abrdfs[first : first + few, order]))
            read = start + (len(some) + min(len(some), first + few)) // 2
            yield Progress("encode", read, len(yx))
    return np.concatenate(parts).reshape(btf.height, btf.width, -1)
