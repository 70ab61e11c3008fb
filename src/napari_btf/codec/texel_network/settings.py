"""The settings of the codecs abrdf-conv and mlp: as published, or as asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting.checks import check_capture, texels_that_fit
from napari_btf.codec.fitting.settings import NetworkSettings, check_network
from napari_btf.codec.texel_network.model import AbrdfConvBTF, MlpBTF, TexelNetworkBTF
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from napari_btf.btf import BTF
    from napari_btf.codec.fitting.settings import FitSettings

__all__ = [
    "Recipe",
    "TexelNetworkSettings",
    "check_texel_network",
    "plan_texel_network",
    "seconds_of_texel_network",
]

_MOST_LATENTS = 256
#: Measured seconds on two cores: until torch is imported, and for each texel of each image that is
#: encoded, or decoded when the model is scored.
_IMPORT_SECONDS, _ENCODE_SECONDS, _DECODE_SECONDS = 1.5, 2e-7, 3e-7


@dataclass(frozen=True)
class Recipe:
    """The choices that distinguish the two codecs.

    Parameters
    ----------
    model : type of TexelNetworkBTF
        The class of the models.
    convolution : bool
        Whether the encoder is a convolution along the ABRDF of a texel. Otherwise it is linear and
        starts as principal components.
    latents : int
        Latents per texel, if nothing else is asked for.
    hidden : tuple of int
        Units of the hidden layers of the decoder.
    texels, each : int
        Texels of a batch at most, and observations of each of them.
    least_steps : int
        Steps at least, if no length of the training is given.
    decays : bool
        Whether the steps follow a cosine schedule; otherwise they stay the same.
    """

    model: type[TexelNetworkBTF]
    convolution: bool
    latents: int
    hidden: tuple[int, ...]
    texels: int
    each: int
    least_steps: int
    decays: bool


_RECIPES = {
    recipe.model.architecture: recipe
    for recipe in (
        Recipe(AbrdfConvBTF, True, 8, (106,) * 4, 16, 16, least_steps=1, decays=False),
        Recipe(MlpBTF, False, 9, (50, 50), 512, 8, least_steps=3000, decays=True),
    )
}


@dataclass(frozen=True)
class TexelNetworkSettings:
    """The codec, its number of latents, and the length of its training.

    Parameters
    ----------
    architecture : {"abrdf-conv", "mlp"}
    latents : int, optional
        Latents per texel; as published by default, 8 and 9.
    network : NetworkSettings
        Length, device and seed. An epoch is as many pairs as the chosen texels have; 10 by
        default, and for mlp at least 3,000 steps.
    """

    architecture: str
    latents: int | None = None
    network: NetworkSettings = field(default_factory=NetworkSettings)

    @property
    def latent_count(self) -> int:
        """Latents per texel."""
        return self.recipe.latents if self.latents is None else self.latents

    @property
    def recipe(self) -> Recipe:
        """The choices of the codec's authors."""
        return _RECIPES[self.architecture]


def check_texel_network(btf: BTF, coords: ArrayLike | None, settings: TexelNetworkSettings) -> None:
    """Raise a UsageError if a capture cannot be trained like this; no image is read.

    Raises
    ------
    UsageError
    """
    name, latents = settings.architecture, settings.latent_count
    chosen = btf.height * btf.width if coords is None else len(np.asarray(coords))
    if not chosen:
        raise UsageError(None, "no texels are chosen", "choose some, or none to use all")
    most = _MOST_LATENTS
    if not settings.recipe.convolution:
        # The encoder starts as principal components, and there are no more of them than this.
        most = min(
            most,
            min(chosen, texels_that_fit(btf, settings.network.memory)) - 1,
            len(btf) * btf.channels,
        )
    if not 1 <= latents <= most:
        remedy = f"use 1 to {most}" if most else "choose more texels"
        raise UsageError(None, f"{latents} latents were asked for", remedy)
    if len(btf) < 2:
        raise UsageError(btf.source or None, f"{name} needs 2 observations", "take another codec")
    check_network(settings.network)
    check_capture(btf)


def plan_texel_network(name: str, settings: FitSettings) -> TexelNetworkSettings:
    """Return the settings of a codec whose size is a number of latents.

    Raises
    ------
    UsageError
        If a size or a quality is asked for.
    """
    if settings.bytes_per_texel is not None or settings.target_psnr is not None:
        raise UsageError(
            None,
            f"the {name} codec is made for a number of latents, not for a size or a quality",
            "give a number of latents, or choose the codec neural-basis",
        )
    return TexelNetworkSettings(name, settings.latents, settings.network)


def seconds_of_texel_network(btf: BTF, settings: TexelNetworkSettings) -> dict[str, float | None]:
    """Return the expected seconds by phase, that of the training None if no time was given."""
    seconds = settings.network.seconds
    decoded = btf.height * btf.width * len(btf)
    return {
        "train": None if seconds is None else _IMPORT_SECONDS + seconds,
        "encode": decoded * _ENCODE_SECONDS,
        "evaluate": decoded * _DECODE_SECONDS,
    }
