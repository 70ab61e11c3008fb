"""What is asked of a training: the size or quality of the model, and how and where to train."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.errors import UsageError
from napari_btf.texels.sampling import check_seed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "FREE_BYTES",
    "MEMORY",
    "Budget",
    "FitSettings",
    "NetworkSettings",
    "check_budget",
    "check_network",
    "one_core",
    "pick_device",
]

#: Bytes of memory for data: the default, and the least that is allowed.
MEMORY, _LEAST_MEMORY = 2**31, 2**28
#: Bytes that a file may have on top, because a small surface has a decoder, too.
FREE_BYTES = 1 << 16
_USUAL_BYTES_PER_TEXEL = 8.0


@dataclass(frozen=True)
class Budget:
    """The size or the quality of a model. At most one of the three is given.

    Parameters
    ----------
    latents : int, optional
        Latents per texel, quantised so finely that the loss is hardly visible.
    bytes_per_texel : float, optional
        The whole file takes at most this many bytes for each texel, and 64 KiB.
    target_psnr : float, optional
        PSNR in dB over the captured directions, reached with the smallest file.
    """

    latents: int | None = None
    bytes_per_texel: float | None = None
    target_psnr: float | None = None

    @property
    def given(self) -> dict[str, float]:
        """The values that are set, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class NetworkSettings:
    """How long and where to train.

    Parameters
    ----------
    epochs : int, optional
        Passes over the capture; used if ``seconds`` is None.
    seconds : float, optional
        Length of the training in seconds. The network that imagines pairs trains at most this
        long.
    device : str
        ``"auto"``, or a torch device such as ``"cpu"`` or ``"cuda"``.
    seed : int
        Seed of every random choice.
    memory : int
        Bytes for data at most; the program itself takes about half a gigabyte more. A capture of
        up to a quarter of it is read once and kept in memory.
    """

    epochs: int | None = None
    seconds: float | None = None
    device: str = "auto"
    seed: int = 0
    memory: int = MEMORY


@dataclass(frozen=True)
class FitSettings:
    """Settings of a training, whatever the codec.

    Parameters
    ----------
    latents : int, optional
        Latents per texel, K.
    network : NetworkSettings
        Length, device and seed of the training.
    bytes_per_texel : float, optional
        Size of the whole file in bytes per texel, with 64 KiB on top. The default is 8, if none of
        the three is given.
    target_psnr : float, optional
        PSNR in dB over the captured directions, reached with the smallest file. Parallax gives its
        finest model if it does not reach this quality.
    codec : str
        The name of a codec (`napari_btf.codec.CODECS`), or "auto". "auto" takes "parallax" for
        captures of at least 16 views and 256 images, and "neural-basis" for all others; where the
        training of "parallax" was too short to be better than "neural-basis", it keeps a model of
        the latter. The other codecs are there for comparison.
    """

    latents: int | None = None
    network: NetworkSettings = field(default_factory=NetworkSettings)
    bytes_per_texel: float | None = None
    target_psnr: float | None = None
    codec: str = "auto"

    @property
    def budget(self) -> Budget:
        """The size or quality of the model; 8 bytes per texel if nothing is given."""
        budget = Budget(self.latents, self.bytes_per_texel, self.target_psnr)
        return budget if budget.given else Budget(bytes_per_texel=_USUAL_BYTES_PER_TEXEL)


def check_budget(settings: FitSettings) -> None:
    """Raise a UsageError if size or quality are out of range, or exclude each other.

    Raises
    ------
    UsageError
    """
    given = settings.budget.given
    if len(given) > 1:
        raise UsageError(
            None, f"{' and '.join(sorted(given))} exclude each other", "give one of them"
        )
    for name, value in given.items():
        if not (np.isfinite(value) and (value > 0 or name == "latents") and value < 1e6):
            raise UsageError(None, f"{name} is {value:g}", "use a number above 0")


def check_network(settings: NetworkSettings) -> None:
    """Raise a UsageError if length, memory, seed or device of a training are out of range.

    Raises
    ------
    UsageError
        Also if torch cannot use the device.
    """
    if settings.seconds is not None and not settings.seconds > 0:
        raise UsageError(None, f"{settings.seconds} seconds of training", "use more than 0")
    if settings.epochs is not None and settings.epochs < 1:
        raise UsageError(None, f"{settings.epochs} epochs of training", "use 1 or more")
    if settings.memory < _LEAST_MEMORY:
        asked = f"{settings.memory / 2**30:.2g} GiB of memory are not enough"
        raise UsageError(None, asked, "allow 0.25 or more")
    check_seed(settings.seed)
    # "auto" always works, and a codec without a network has no need to wait for torch.
    if settings.device != "auto":
        pick_device(settings.device)


def pick_device(name: str) -> str:
    """Return the torch device of a name; ``"auto"`` is a CUDA GPU if there is one, else the CPU.

    Raises
    ------
    UsageError
        If torch does not know the device or cannot use it.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        # Reading the value back finds the device "meta", too, which keeps no values.
        torch.zeros(1, device=name).item()
    # Torch raises whatever it meets first, down to modules that are not installed.
    except Exception as error:
        raise UsageError(None, f"device {name!r} cannot be used here", "use auto or cpu") from error
    return name


@contextmanager
def one_core() -> Iterator[None]:
    """Let torch use one core, because sharing very small products among cores costs more.

    On a busy machine the cores wait for one another, and that takes many times longer.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
