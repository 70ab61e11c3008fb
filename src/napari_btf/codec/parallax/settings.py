"""The settings of the parallax codec, and how the general settings determine them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.btf import SMALL_BYTES
from napari_btf.codec.fitting.checks import check_capture
from napari_btf.codec.fitting.settings import FREE_BYTES, NetworkSettings, check_network
from napari_btf.codec.parallax.steps import batch_shape
from napari_btf.codec.writing import direction_bytes
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from napari_btf.btf import BTF
    from napari_btf.codec.fitting.settings import Budget, FitSettings

__all__ = ["ParallaxSettings", "check_parallax", "plan_parallax", "seconds_of_parallax"]

#: Approximate bytes of the networks in a file.
_NETWORK_BYTES = 53_500
_FEWEST_LATENTS, _MOST_LATENTS = 8, 32
#: Approximate bytes of one latent of one texel with 64 levels.
_LATENT_BYTES = 0.65
#: Measured seconds on two cores: for each value of a training step by machine code, for each texel
#: that is decoded when the model is scored, and until machine code or torch is loaded.
_STEP_SECONDS, _DECODE_SECONDS, _IMPORT_SECONDS = 1.4e-6, 5e-7, 1.5


@dataclass(frozen=True)
class ParallaxSettings:
    """Size and length of a training, and where it runs.

    Parameters
    ----------
    latents : int
        Latents fetched where the view ray lands.
    depth_latents, light_latents : int
        Latents that the height is read from, and those fetched towards the light. None are used
        where the view, or the light, never varies.
    hidden : int
        Units of each of the three hidden layers of the shading network. One more stands for the
        biases when it is decoded: 55 make a size that processors like.
    steps : int
        Batches of about as many values as there are texels, 4,096 to 32,768; used if ``seconds``
        is None.
    seconds : float, optional
        Train for this long instead.
    periodic : bool, optional
        Whether the surface goes on beyond its borders as at the opposite ones; by default it is
        found out from the images.
    device : str
        ``"auto"``, or a torch device such as ``"cpu"`` or ``"cuda"``.
    seed : int
    pool_bytes : int
        Frames kept in memory, at most. Of a larger capture a random part is, of which one frame is
        replaced at every step.
    most_bytes : int, optional
        Of the file. Latents are quantised more coarsely until it is met.
    target_psnr : float, optional
        dB over the captured directions. Latents are quantised as coarsely as it allows; the
        finest ones are taken if it is not reached.
    """

    latents: int = 16
    depth_latents: int = 6
    light_latents: int = 4
    hidden: int = 55
    steps: int = 30_000
    seconds: float | None = None
    periodic: bool | None = None
    device: str = "auto"
    seed: int = 0
    pool_bytes: int = SMALL_BYTES
    most_bytes: int | None = None
    target_psnr: float | None = None


def check_parallax(btf: BTF, coords: ArrayLike | None, settings: ParallaxSettings) -> None:
    """Raise a UsageError if a capture cannot be trained like this; no image is read.

    Raises
    ------
    UsageError
    """
    for name, least, most in (
        ("latents", 1, 256),
        ("depth_latents", 0, 256),
        ("light_latents", 0, 256),
        ("hidden", 1, 1024),
        ("steps", 1, 2**31),
    ):
        if not least <= getattr(settings, name) <= most:
            raise UsageError(None, f"{name} is {getattr(settings, name)}", f"use {least} to {most}")
    if coords is not None and not len(np.asarray(coords)):
        raise UsageError(None, "no texels are chosen", "choose some, or none to use all")
    check_capture(btf)
    check_network(NetworkSettings(1, settings.seconds, settings.device, settings.seed))


def plan_parallax(btf: BTF, settings: FitSettings) -> ParallaxSettings:
    """Return the settings of the parallax codec that meet a budget.

    Raises
    ------
    UsageError
        If the budget is too small for the networks and the fewest latents.
    """
    budget, network = settings.budget, settings.network
    total, most_bytes = _latents_within(btf, budget)
    texels = btf.height * btf.width
    depth, light = max(1, min(6, total // 4)), max(1, min(6, total // 6))
    steps = ParallaxSettings().steps
    if network.epochs is not None:
        steps = max(1, round(network.epochs * len(btf) * texels / max(1024, min(texels, 32768))))
    return ParallaxSettings(
        latents=total - depth - light,
        depth_latents=depth,
        light_latents=light,
        steps=min(steps, 2**31),
        seconds=network.seconds,
        device=network.device,
        seed=network.seed,
        pool_bytes=network.memory // 4,
        most_bytes=most_bytes,
        target_psnr=budget.target_psnr,
    )


def _latents_within(btf: BTF, budget: Budget) -> tuple[int, int | None]:
    """Return the number of latents, and the largest size of the file, if one is asked for."""
    if budget.latents is not None:
        if budget.latents < 3:
            raise UsageError(
                None,
                f"{budget.latents} latents were asked for",
                "the parallax codec needs 3 or more",
            )
        return budget.latents, None
    if budget.target_psnr is not None:
        # The training finds out how many levels suffice, or takes the finest ones.
        return _MOST_LATENTS, None
    assert budget.bytes_per_texel is not None
    texels = btf.height * btf.width
    fixed = _NETWORK_BYTES + direction_bytes(btf)
    most_bytes = int(budget.bytes_per_texel * texels) + FREE_BYTES
    total = int(np.clip((most_bytes - fixed) // (_LATENT_BYTES * texels), 0, _MOST_LATENTS))
    if total < _FEWEST_LATENTS:
        least = _FEWEST_LATENTS * _LATENT_BYTES - (FREE_BYTES - fixed) / texels
        raise UsageError(
            None,
            f"{budget.bytes_per_texel:g} bytes per texel are too few for the parallax codec",
            f"allow at least {least + 0.1:.1f}, or choose the codec neural-basis",
        )
    return total, most_bytes


def seconds_of_parallax(btf: BTF, settings: ParallaxSettings) -> dict[str, float | None]:
    """Return the expected seconds of the training on two cores, by phase."""
    texels, training = btf.height * btf.width, settings.seconds
    if training is None:
        frames, each = batch_shape(texels)
        training = settings.steps * frames * each * _STEP_SECONDS
    return {
        "train": _IMPORT_SECONDS + training,
        "evaluate": len(btf) * texels * _DECODE_SECONDS,
    }
