"""What a training will read, keep in memory and take, before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_btf.codec.choice import plan

if TYPE_CHECKING:
    from napari_btf.btf import BTF
    from napari_btf.codec.fitting.settings import FitSettings

__all__ = ["Outlook", "duration", "outlook", "size"]

#: Measured on two cores: seconds of the start, and bytes of pixel values that are read, from which
#: the basis is found, and which are encoded, in a second.
_START, _BYTES_A_SECOND = 1.0, 12e6


@dataclass(frozen=True)
class Outlook:
    """What a training is going to do.

    Parameters
    ----------
    codec : str
    images : int
    nbytes : int
        Pixel values that are read, uncompressed.
    kept : int
        Bytes of pixel values in memory at most.
    seconds : float or None
        About, on two cores; None where it cannot be told.
    """

    codec: str
    images: int
    nbytes: int
    kept: int
    seconds: float | None

    def __str__(self) -> str:
        if self.kept >= self.nbytes:
            memory = "keeps them in memory"
        else:
            memory = f"keeps {size(self.kept)} of them in memory at a time"
        images = f"{self.images:,} image{'s' if self.images > 1 else ''}"
        time = "" if self.seconds is None else f", about {duration(self.seconds)}"
        return f"Reads {images} ({size(self.nbytes)}), {memory}; {self.codec}{time}."


def outlook(btf: BTF, settings: FitSettings) -> Outlook:
    """What `napari_btf.training.train` will do with a capture.

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
    own = planned.seconds(btf)
    seconds = None if own is None else _START + btf.nbytes / _BYTES_A_SECOND + own
    kept = min(btf.nbytes, settings.network.memory // 4)
    return Outlook(planned.codec.name, len(btf), btf.nbytes, kept, seconds)


def duration(seconds: float) -> str:
    """Seconds for people: "3 s", "2 min", "1.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def size(nbytes: float) -> str:
    """Bytes for people: "16 MB"."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB")):
        if nbytes >= factor:
            return f"{nbytes / factor:.3g} {unit}"
    return f"{nbytes / 1e3:.3g} kB"
