"""OpenEXR files as images: which channels they have, and where the windows place them."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from napari_btf.formats.images import gate
from napari_btf.formats.images.exr import child, chunks
from napari_btf.formats.images.exr.header import COMPRESSIONS, Box, Part, read_parts
from napari_btf.formats.images.types import ImageFileError, ImageHeader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["choose_channels", "decode", "header"]

# "400", "w400", "400.5nm", "S0.400,000000nm" (Fichet et al., "An OpenEXR Layout for Spectral
# Images", 2021), "wavelength430_25".
_WAVELENGTH = re.compile(r"^(?P<prefix>.*?)(?P<nm>\d{3,4}(?:[.,_]\d+)?)\s*(?:nm)?$", re.IGNORECASE)
_SHORTEST, _LONGEST = 200.0, 3000.0
_RATIOS = {"NONE": 1.0, "RLE": 64.0, "ZIPS": 1032.0, "ZIP": 1032.0, "PXR24": 1400.0}
"""Uncompressed bytes that a byte can mean."""
_MOST_EMPTY = 64
_SMALL_DISPLAY = 1 << 22
"""A display window may have this many times the pixels of the data window, or be this small."""

_COLOURS = (
    ("R", "G", "B"),
    ("r", "g", "b"),
    ("red", "green", "blue"),
    ("Red", "Green", "Blue"),
    ("Y",),
    ("y",),
)
"""Names of the channels of an image, without their layer; OpenEXR prescribes the capitals."""


class Channels(NamedTuple):
    """The channels of a file that form the image."""

    names: tuple[str, ...]
    """Channel names in the file, in the order of the image."""
    shown_as: tuple[str, ...]
    """Display names of the channels of a spectral image; empty for grey and RGB."""
    left_out: str
    """Description of the channels that are not used; may be empty."""


def header(file: BinaryIO, size: int) -> ImageHeader:
    """Read size and type of an OpenEXR image, of a file of ``size`` bytes."""
    return _open(file, size)[2]


def decode(data: bytes) -> NDArray[Any]:
    """Decode pixels (H, W, C) to float16 or float32, in the order R, G, B or by wavelength.

    The image is the display window. It is black where the data window leaves it empty.
    """
    part, channels, found = _open(io.BytesIO(data), len(data))
    if chunks.can_decode(part):
        pixels = chunks.decode(data, part, channels.names)
    else:
        shape = part.data.height, part.data.width
        length = shape[0] * shape[1] * found.dtype.itemsize
        planes = child.decode(data, channels.names, [length] * len(channels.names), part.size)
        pixels = np.stack(
            [np.frombuffer(plane, found.dtype).reshape(shape) for plane in planes], axis=-1
        )
    if part.data == part.display:
        return pixels
    placed = np.zeros((found.height, found.width, found.channels), found.dtype)
    both = _common(part.data, part.display)
    placed[_within(both, part.display)] = pixels[_within(both, part.data)]
    return placed


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
        for wanted in _COLOURS:
            chosen = tuple(f"{layer}.{key}" if layer else key for key in wanted)
            if set(chosen) <= set(names) and not _luminance_only(names, chosen):
                return Channels(chosen, (), _others(names, chosen))
    if len(names) == 1:
        return Channels(tuple(names), (), "")
    listed = ", ".join(sorted(names)[:6]) or "none"
    raise ImageFileError(
        f"has the channels {listed}, expected R G B, Y or wavelengths",
        "rename its channels, or save it as RGB",
    )


def _luminance_only(names: Sequence[str], chosen: Sequence[str]) -> bool:
    """Return whether a grey image would be colours without their chroma (RY, BY)."""
    layer = chosen[0].rpartition(".")[0]
    chroma = {f"{layer}.{key}" if layer else key for key in ("RY", "BY")}
    return len(chosen) == 1 and bool(chroma & set(names))


def _others(names: Sequence[str], chosen: Sequence[str]) -> str:
    others = sorted(set(names) - set(chosen))
    if not others:
        return ""
    if [name.rpartition(".")[2].upper() for name in others] == ["A"]:
        return "alpha channel"
    return f"channels {', '.join(others[:6])}{', ...' if len(others) > 6 else ''}"


def _open(file: BinaryIO, size: int) -> tuple[Part, Channels, ImageHeader]:
    parts = read_parts(file, size)
    part, channels = _choose_part(parts)
    gate.check_bytes(part.size, size, _RATIOS.get(COMPRESSIONS[part.compression][0], gate.ANY))
    by_name = {channel.name: channel for channel in part.channels}
    chosen = [by_name[name] for name in channels.names]
    kinds = {channel.kind for channel in chosen}
    if len(kinds) != 1 or 0 in kinds:
        raise ImageFileError(
            "has integer or mixed channels, expected all half or all float", "convert it"
        )
    if {channel.sampling for channel in chosen} != {(1, 1)}:
        raise ImageFileError(
            "has channels of fewer pixels than the image (subsampled), expected R G B",
            "save it as RGB",
        )
    if not chunks.can_decode(part):
        if part.number:
            raise ImageFileError(
                f'has its image "{part.name}" behind others, in a compression that is read only '
                "where the image is the first",
                "save the image alone",
            )
        child.check_installed()
    found = ImageHeader(
        part.display.height,
        part.display.width,
        len(channels.names),
        np.dtype("f2" if kinds == {1} else "f4"),
        channels.shown_as,
        _left_out(channels, parts, part),
    )
    return part, channels, _windowed(found, part)


def _choose_part(parts: Sequence[Part]) -> tuple[Part, Channels]:
    """Return the first part that is an image, and its channels."""
    problem = ImageFileError("is damaged: it holds no image")
    for part in reversed(parts):
        try:
            if part.deep:
                raise ImageFileError(
                    "holds deep data (several values at each pixel), expected an image",
                    "flatten it",
                )
            choose_channels([channel.name for channel in part.channels])
        except ImageFileError as error:
            problem = error
    for part in parts:
        try:
            if not part.deep:
                return part, choose_channels([channel.name for channel in part.channels])
        except ImageFileError:
            continue
    raise problem


def _left_out(channels: Channels, parts: Sequence[Part], part: Part) -> str:
    others = [other.name or f"{other.number + 1}" for other in parts if other is not part]
    listed = f"parts {', '.join(others[:6])}{', ...' if len(others) > 6 else ''}" if others else ""
    return " and the ".join(filter(None, (channels.left_out, listed)))


def _windowed(found: ImageHeader, part: Part) -> ImageHeader:
    """Return the header with a note if the data window is not the display window."""
    if part.data == part.display:
        return found
    both = _common(part.data, part.display)
    if min(both.width, both.height) < 1:
        raise ImageFileError(
            "has its pixels (data window) outside the visible frame (display window)",
            "correct the windows",
        )
    # The display window costs no bytes of the file, so its claim is compared with the pixels.
    data, display = (box.width * box.height for box in (part.data, part.display))
    if display > max(_MOST_EMPTY * data, _SMALL_DISPLAY):
        raise ImageFileError(
            f"fills {part.data.width} x {part.data.height} pixels of a frame (display window) of "
            f"{found.width} x {found.height}",
            "crop the frame",
        )
    said = []
    if both != part.display:
        said.append("cover a part of their frame (display window); the rest is black")
    if both != part.data:
        said.append("were cropped to their frame (display window)")
    return found._replace(said=tuple(said))


def _common(a: Box, b: Box) -> Box:
    return Box(
        max(a.left, b.left), max(a.top, b.top), min(a.right, b.right), min(a.bottom, b.bottom)
    )


def _within(box: Box, frame: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a box in the array of a frame."""
    top, left = box.top - frame.top, box.left - frame.left
    return slice(top, top + box.height), slice(left, left + box.width)
