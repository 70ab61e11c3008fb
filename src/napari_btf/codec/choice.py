"""Codecs by name: one call to compress a BTF with any of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting.checkpoint import Checkpoint, training_key
from napari_btf.codec.fitting.processes import world
from napari_btf.codec.fitting.settings import NetworkSettings, check_network
from napari_btf.codec.linear_instead import linear_if_better
from napari_btf.codec.neural_basis.budget import FREE_BYTES, Budget, direction_bytes
from napari_btf.codec.neural_basis.fit import check_neural_basis, fit_neural_basis
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.codec.parallax.fit import ParallaxSettings
    from napari_btf.codec.texel_network.fit import TexelNetworkSettings
    from napari_btf.progress import Job

__all__ = ["CODECS", "FitSettings", "check_fit", "fit", "pick_codec"]

#: Names of the codecs.
CODECS = ("neural-basis", "parallax", "abrdf-conv", "mlp")

#: Views and images from which on `auto` takes parallax into account.
_MANY_VIEWS, _MANY_IMAGES = 16, 256
#: Bytes of the networks of the parallax codec in a file, about.
_NETWORK_BYTES = 53_500
_FEWEST_LATENTS, _MOST_LATENTS = 8, 32
#: Bytes of a latent of 64 levels, about.
_LATENT_BYTES = 0.65


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit.

    Parameters
    ----------
    latents : int, optional
        Latents per texel, K.
    network : NetworkSettings
        Length, device and seed of the training.
    bytes_per_texel : float, optional
        Size of the whole file, with 64 KiB on top; by default 8, if nothing else is given.
    target_psnr : float, optional
        dB over the captured directions, reached with the smallest file. Parallax gives its finest
        one if it is not reached.
    codec : str
        One of `CODECS`, or "auto": "parallax" for captures of 16 views and 256 images or
        more, unless its training was too short to be better than "neural-basis", which all others
        get. The other ones are there to compare with; they have as many
        latents as asked for, or as published.
    """

    latents: int | None = None
    network: NetworkSettings = field(default_factory=NetworkSettings)
    bytes_per_texel: float | None = None
    target_psnr: float | None = None
    codec: str = "auto"

    @property
    def budget(self) -> Budget:
        """What the model may cost."""
        budget = Budget(self.latents, self.bytes_per_texel, self.target_psnr)
        return budget if budget.given else Budget(bytes_per_texel=8.0)


def pick_codec(btf: BTF, settings: FitSettings) -> str:
    """The codec that `fit` takes.

    Raises
    ------
    UsageError
        For a name that is none.
    """
    if settings.codec == "auto":
        many = len(btf.grid.views) >= _MANY_VIEWS and len(btf) >= _MANY_IMAGES
        return "parallax" if many else "neural-basis"
    if settings.codec not in CODECS:
        raise UsageError(
            None, f"there is no codec {settings.codec!r}", f"use auto or {' or '.join(CODECS)}"
        )
    return settings.codec


def fit(
    btf: BTF,
    coords: ArrayLike | None = None,
    settings: FitSettings | None = None,
    stop: Callable[[], bool] = lambda: False,
    checkpoint: Checkpoint | None = None,
) -> Job[CompressedBTF]:
    """Compress a BTF.

    Parameters
    ----------
    btf : BTF
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels to learn from; all by default. The whole image is
        encoded in any case.
    settings : FitSettings, optional
    stop : callable, optional
        Asked often; true ends the training early and keeps the best so far.
    checkpoint : Checkpoint, optional
        Where to note how far it is, and what to go on from. The length of the training may be
        another one then.

    Yields
    ------
    Progress
        Phases "read", "basis", "encode", "train", "imagine", "quantise", as the codec has them.

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
    checkpoint = checkpoint or Checkpoint()
    codec = pick_codec(btf, settings)
    here = world()
    _check_processes(btf, codec, here.size)
    # How long it takes and where does not matter.
    network = NetworkSettings(seed=settings.network.seed)
    kept = asdict(replace(settings, codec=codec, network=network))
    checkpoint.open(training_key(btf, coords, kept))
    checkpoint.found = here.first(checkpoint.found)
    budget = settings.budget
    if codec in ("abrdf-conv", "mlp"):
        from napari_btf.codec.texel_network.fit import fit_texel_network

        own = _texel_network_settings(codec, settings)
        return (yield from fit_texel_network(btf, coords, own, stop, checkpoint))
    if codec == "parallax":
        from napari_btf.codec.parallax.fit import fit_parallax

        parallax = _parallax_settings(btf, settings)
        model = yield from fit_parallax(btf, coords, parallax, stop, checkpoint)
        # Several processes are started for trainings that are long enough.
        if settings.codec != "auto" or here.size > 1:
            return model
        return (yield from linear_if_better(btf, coords, budget, settings.network, model))
    network = settings.network
    return (yield from fit_neural_basis(btf, coords, budget, network, stop, checkpoint))


def _check_processes(btf: BTF, codec: str, count: int) -> None:
    """Refuse more processes than can train together."""
    if count > 1 and codec in ("abrdf-conv", "mlp"):
        raise UsageError(
            None, f"the {codec} codec is trained by one process", "start it without torchrun"
        )
    if count > len(btf):
        raise UsageError(
            btf.source or None,
            f"{len(btf)} observations are too few for {count} processes",
            f"start at most {len(btf)}",
        )


def check_fit(btf: BTF, coords: ArrayLike | None, settings: FitSettings) -> None:
    """Refuse what `fit` cannot do, before anything is read.

    Raises
    ------
    UsageError
    """
    codec = pick_codec(btf, settings)
    given = settings.budget.given
    if len(given) > 1:
        raise UsageError(
            None, f"{' and '.join(sorted(given))} exclude each other", "give one of them"
        )
    for name, value in given.items():
        if not (np.isfinite(value) and (value > 0 or name == "latents") and value < 1e6):
            raise UsageError(None, f"{name} is {value:g}", "use a number above 0")
    check_network(settings.network)
    if codec == "neural-basis":
        check_neural_basis(btf, coords, settings.budget, settings.network.memory)
        return
    if codec in ("abrdf-conv", "mlp"):
        from napari_btf.codec.texel_network.fit import check_texel_network

        check_texel_network(btf, coords, _texel_network_settings(codec, settings))
        return
    from napari_btf.codec.parallax.fit import check_parallax

    check_parallax(btf, coords, _parallax_settings(btf, settings))


def _texel_network_settings(codec: str, settings: FitSettings) -> TexelNetworkSettings:
    """Settings of a codec whose size is its latents alone."""
    from napari_btf.codec.texel_network.fit import TexelNetworkSettings

    if settings.bytes_per_texel is not None or settings.target_psnr is not None:
        raise UsageError(
            None,
            f"the {codec} codec is made for a number of latents, not for a size or a quality",
            "give --latents, or --codec neural-basis",
        )
    return TexelNetworkSettings(codec, settings.latents, settings.network)


def _parallax_settings(btf: BTF, settings: FitSettings) -> ParallaxSettings:
    """Settings of the parallax codec that meet a budget."""
    from napari_btf.codec.parallax.fit import ParallaxSettings

    budget, network = settings.budget, settings.network
    total, most_bytes = _parallax_latents(btf, budget)
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


def _parallax_latents(btf: BTF, budget: Budget) -> tuple[int, int | None]:
    """Latents of the parallax codec, of all kinds, and what a file may have in bytes, if given."""
    if budget.latents is not None:
        if budget.latents < 3:
            raise UsageError(
                None,
                f"{budget.latents} latents were asked for",
                "the parallax codec needs 3 or more",
            )
        return budget.latents, None
    if budget.target_psnr is not None:
        # What suffices is found when it is trained: more latents of few levels, or all of them.
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
            f"allow at least {least + 0.1:.1f}, or give --codec neural-basis",
        )
    return total, most_bytes
