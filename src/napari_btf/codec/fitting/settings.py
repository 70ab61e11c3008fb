"""What codecs with networks share: how long and where they are trained."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_btf.errors import UsageError
from napari_btf.texels.sampling import check_seed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MEMORY", "NetworkSettings", "check_network", "one_core", "pick_device"]

#: Bytes for data, by default and at least.
MEMORY, _LEAST_MEMORY = 2**31, 2**28


@dataclass(frozen=True)
class NetworkSettings:
    """How long and where to train.

    Parameters
    ----------
    epochs : int, optional
        Passes over the capture; used if ``seconds`` is None.
    seconds : float, optional
        Train for this long instead; the network that imagines pairs at most so long.
    device : str
        ``"auto"``, or a torch device such as ``"cpu"`` or ``"cuda"``.
    seed : int
    memory : int
        Bytes for data at most; the program itself takes about half a gigabyte more. A capture of up
        to a quarter of it is read once and kept.
    """

    epochs: int | None = None
    seconds: float | None = None
    device: str = "auto"
    seed: int = 0
    memory: int = MEMORY


def check_network(settings: NetworkSettings) -> None:
    """Refuse trainings that cannot be.

    Raises
    ------
    UsageError
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
    """A torch device for a name; ``"auto"`` is a CUDA GPU if there is one, else the CPU.

    Raises
    ------
    UsageError
        If torch here does not know the device or cannot use it.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        # Back again, too: the device "meta" keeps no values.
        torch.zeros(1, device=name).item()
    # Torch raises whatever it meets first, down to modules it does not have.
    except Exception as error:
        raise UsageError(None, f"device {name!r} cannot be used here", "use auto or cpu") from error
    return name


@contextmanager
def one_core() -> Iterator[None]:
    """Let torch use one core: for networks so small that sharing them out costs more.

    On a busy machine the cores wait for one another, and that takes many times longer.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
