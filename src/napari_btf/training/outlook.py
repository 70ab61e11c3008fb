"""What a training will read, keep in memory and take, before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.choice import (
    FitSettings,
    _parallax_settings,
    _texel_network_settings,
    pick_codec,
)
from napari_btf.codec.neural_basis.imagination.imagine import FEWEST_PAIRS, MOST_PAIRS, STEPS

if TYPE_CHECKING:
    from napari_btf.btf import BTF

__all__ = ["Outlook", "duration", "outlook", "size"]

#: Seconds on two cores, by measurements on the wallpaper, loewenkopf and weave: reading, finding
#: the basis and encoding go with the bytes, continuing the basis with the observations.
_START, _BYTES_A_SECOND, _OBSERVATION, _MOST_OBSERVATIONS = 1.0, 12e6, 0.008, 2048
#: The parallax codec: seconds for each value of a step, and for each texel of a decoded image.
_STEP_VALUE, _DECODED_TEXEL = 3.5e-6, 3e-7
#: The neural-basis codec: seconds for a step of the network that imagines pairs.
_IMAGINING_STEP = 0.008
#: What the codec does in a step, see `napari_btf.codec.parallax.steps`.
_FRAMES, _FEWEST_TEXELS, _MOST_TEXELS = 128, 32, 256


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
    codec = pick_codec(btf, settings)
    texels = btf.height * btf.width
    before = _START + btf.nbytes / _BYTES_A_SECOND
    given = settings.network.seconds
    seconds: float | None
    if codec == "parallax":
        seconds = before + _parallax_seconds(btf, settings) + len(btf) * texels * _DECODED_TEXEL
    elif codec == "neural-basis":
        seconds = before + _OBSERVATION * min(len(btf), _MOST_OBSERVATIONS)
        seconds += _imagining_seconds(btf, settings)
    else:
        _texel_network_settings(codec, settings)
        seconds = None if given is None else before + given
    kept = min(btf.nbytes, settings.network.memory // 4)
    return Outlook(codec, len(btf), btf.nbytes, kept, seconds)


def _imagining_seconds(btf: BTF, settings: FitSettings) -> float:
    """At most; a small surface has no room for imagined pairs."""
    if settings.budget.latents is not None or not FEWEST_PAIRS <= len(btf) <= MOST_PAIRS:
        return 0.0
    given = settings.network.seconds
    needed = STEPS * _IMAGINING_STEP
    return needed if given is None else min(needed, given)


def _parallax_seconds(btf: BTF, settings: FitSettings) -> float:
    chosen = _parallax_settings(btf, settings)
    if chosen.seconds is not None:
        return chosen.seconds
    texels = btf.height * btf.width // _FRAMES
    batch = _FRAMES * int(np.clip(texels, _FEWEST_TEXELS, _MOST_TEXELS))
    return chosen.steps * batch * _STEP_VALUE


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
