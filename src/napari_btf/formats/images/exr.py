"""OpenEXR images: half or float values; grey, RGB, or one channel per wavelength."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from napari_btf.formats.images.types import ImageFileError, ImageHeader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["MAGIC", "choose_channels", "decode", "header"]

MAGIC = b"v/1\x01"

# "400", "w400", "400.5nm", "S0.400,000000nm" (Fichet et al., "An OpenEXR Layout for Spectral
# Images", 2021), "wavelength430_25".
_WAVELENGTH = re.compile(r"^(?P<prefix>.*?)(?P<nm>\d{3,4}(?:[.,_]\d+)?)\s*(?:nm)?$", re.IGNORECASE)
_SHORTEST, _LONGEST = 200.0, 3000.0


class Channels(NamedTuple):
    """The channels of a file that form the image."""

    names: tuple[str, ...]
    """Channel names in the file, in the order of the image."""
    shown_as: tuple[str, ...]
    """Display names of the channels of a spectral image; empty for grey and RGB."""
    left_out: str
    """Description of the channels that are not used; may be empty."""


def header(file: BinaryIO) -> ImageHeader:
    """Read size and type of an OpenEXR image."""
    return _open(file)[2]


def decode(data: bytes) -> NDArray[Any]:
    """Decode pixels (H, W, C) to float16 or float32, in the order R, G, B or by wavelength."""
    source, channels, found = _open(io.BytesIO(data))
    planes = source.channels(list(channels.names))
    shape = found.height, found.width
    return np.stack([np.frombuffer(p, dtype=found.dtype).reshape(shape) for p in planes], axis=-1)


def choose_channels(names: Sequence[str]) -> Channels:
    """Choose the channels of the image in a file: a spectrum, else RGB, else grey.

    Raises
    ------
    ImageFileError
        If the file has none of these.
    """
    spectra: dict[str, dict[float, str]] = {}
    for name in names:
        match = _WAVELENGTH.match(name)
        if match:
            nanometres = float(re.sub("[,_]", ".", match["nm"]))
            if _SHORTEST <= nanometres <= _LONGEST:
                spectra.setdefault(match["prefix"], {})[nanometres] = name
    # A file may have several spectra, such as Stokes components: prefer the one with the most
    # wavelengths.
    best = max(sorted(spectra.values(), key=lambda s: min(s.values())), key=len, default={})
    if len(best) > 1:
        chosen = tuple(best[nm] for nm in sorted(best))
        return Channels(chosen, tuple(f"{nm:g} nm" for nm in sorted(best)), _others(names, chosen))
    layers = {name.rpartition(".")[0] for name in names}
    for layer in sorted(layers, key=lambda text: (len(text), text)):
        for wanted in (("R", "G", "B"), ("Y",)):
            chosen = tuple(f"{layer}.{key}" if layer else key for key in wanted)
            if set(chosen) <= set(names) and not {"RY", "BY"} & set(names):
                return Channels(chosen, (), _others(names, chosen))
    if len(names) == 1:
        return Channels(tuple(names), (), "")
    listed = ", ".join(sorted(names)[:6]) or "none"
    raise ImageFileError(f"has the channels {listed}, expected R G B, Y or wavelengths")


def _others(names: Sequence[str], chosen: Sequence[str]) -> str:
    others = sorted(set(names) - set(chosen))
    if not others:
        return ""
    if [name.rpartition(".")[2] for name in others] == ["A"]:
        return "alpha channel"
    return f"channels {', '.join(others[:6])}{', ...' if len(others) > 6 else ''}"


def _open(file: BinaryIO) -> tuple[Any, Channels, ImageHeader]:
    try:
        import OpenEXR
    except ImportError as error:
        raise ImageFileError(
            "is OpenEXR, which needs the package OpenEXR", 'pip install "napari-btf[exr]"'
        ) from error
    try:
        source = OpenEXR.InputFile(file)
        described = source.header()
    # Any exception is caught, because the library may raise any kind for a damaged file.
    except Exception as error:
        raise ImageFileError("is damaged or truncated") from error
    channels = choose_channels(list(described["channels"]))
    kinds = {str(described["channels"][name].type) for name in channels.names}
    if not kinds <= {"HALF", "FLOAT"} or len(kinds) != 1:
        raise ImageFileError("has integer or mixed channels, expected all half or all float")
    sampling = {
        (described["channels"][name].xSampling, described["channels"][name].ySampling)
        for name in channels.names
    }
    if sampling != {(1, 1)}:
        raise ImageFileError("has subsampled channels")
    window = described["dataWindow"]
    found = ImageHeader(
        window.max.y - window.min.y + 1,
        window.max.x - window.min.x + 1,
        len(channels.names),
        np.dtype("f2" if kinds == {"HALF"} else "f4"),
        channels.shown_as,
        channels.left_out,
    )
    return source, channels, found
