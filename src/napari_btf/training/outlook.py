"""Tell what a training will read, keep in memory and take, before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_btf.codec.choice import plan
from napari_btf.codec.fitting.settings import FREE_BYTES

if TYPE_CHECKING:
    from napari_btf.btf import BTF
    from napari_btf.codec.fitting.settings import Budget, FitSettings

__all__ = ["Outlook", "bytes_a_texel", "duration", "outlook", "size"]

#: Measured on two cores: seconds of the start, and bytes of pixel values that are read in a second.
_START, _BYTES_A_SECOND = 0.5, 60e6
#: Phases in which the images are read again, unless they are kept in memory.
_READING = ("encode", "evaluate")
#: Less memory is not mentioned, because the program itself takes half of it.
_MUCH_MEMORY = 1e9
#: A decoder of fewer bytes a texel is not mentioned.
_SMALL_DECODER = 0.5


@dataclass(frozen=True)
class Outlook:
    """What a training will read, keep in memory and take.

    Parameters
    ----------
    codec : str
    images : int
    nbytes : int
        Pixel values that are read, uncompressed.
    kept : int
        Bytes of pixel values in memory at most.
    phases : dict
        The phases of the training in their order, measuring its quality included, each with about
        its seconds on two cores, or None where these cannot be told.
    memory : int
        About the most bytes of memory that the training takes, or 0 if unknown.
    file : str
        The largest size of the model file, or nothing where it cannot be told.
    """

    codec: str
    images: int
    nbytes: int
    kept: int
    phases: dict[str, float | None]
    memory: int = 0
    file: str = ""

    @property
    def seconds(self) -> float | None:
        """The seconds of all phases, or None where they cannot be told."""
        known = [seconds for seconds in self.phases.values() if seconds is not None]
        return sum(known) if len(known) == len(self.phases) else None

    def __str__(self) -> str:
        if self.kept >= self.nbytes:
            memory = "keeps them in memory"
        else:
            memory = f"keeps {size(self.kept)} of them in memory at a time"
        images = f"{self.images:,} image{'s' if self.images > 1 else ''}"
        time = "" if self.seconds is None else f", about {duration(self.seconds)}"
        if self.memory >= _MUCH_MEMORY:
            time += f", takes up to {size(self.memory)} of memory"
        file = f" File {self.file}." if self.file else ""
        return f"Reads {images} ({size(self.nbytes)}), {memory}; {self.codec}{time}.{file}"


def outlook(btf: BTF, settings: FitSettings) -> Outlook:
    """Return what `napari_btf.training.train` will do with a capture.

    Parameters
    ----------
    btf : BTF
        All that is read, what is held out included.
    settings : FitSettings

    Raises
    ------
    UsageError
        If there is no such codec, or its size cannot be had.
    """
    planned = plan(btf, settings)
    kept = min(btf.nbytes, settings.network.memory // 4)
    reading = btf.nbytes / _BYTES_A_SECOND
    phases: dict[str, float | None] = {"read": _START + reading}
    for name, seconds in planned.seconds(btf).items():
        again = reading if name in _READING and kept < btf.nbytes else 0.0
        phases[name] = None if seconds is None else seconds + again
    return Outlook(
        planned.codec.name,
        len(btf),
        btf.nbytes,
        kept,
        phases,
        memory=planned.memory(btf) + (kept if kept == btf.nbytes else 0),
        file=_file(btf, settings.budget),
    )


def _file(btf: BTF, budget: Budget) -> str:
    if budget.bytes_per_texel is None:
        return ""
    texels = btf.height * btf.width
    latents = budget.bytes_per_texel * texels
    return f"up to {size(latents + FREE_BYTES)} ({bytes_a_texel(latents, FREE_BYTES, texels)})"


def bytes_a_texel(latents: float, decoder: float, texels: int) -> str:
    """Format the size of a model file by texel: "23 bytes a texel, 16 of them decoder".

    Bytes a texel are those of the whole file, here as everywhere.

    Parameters
    ----------
    latents, decoder : float
        Bytes of the two parts of the file.
    texels : int
    """
    total, of_decoder = (latents + decoder) / texels, decoder / texels
    more = f", {of_decoder:.3g} of them decoder" if of_decoder >= _SMALL_DECODER else ""
    return f"{total:.3g} bytes a texel{more}"


def duration(seconds: float) -> str:
    """Format seconds for people: "3 s", "2 min", "1.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def size(nbytes: float) -> str:
    """Format bytes for people: "16 MB"."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB")):
        if nbytes >= factor:
            return f"{nbytes / factor:.3g} {unit}"
    return f"{nbytes / 1e3:.3g} kB"
