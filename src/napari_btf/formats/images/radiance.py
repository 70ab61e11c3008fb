"""Radiance HDR images (RGBE), with what their headers say about exposure and orientation.

https://radsite.lbl.gov/radiance/refer/filefmts.pdf describes the format.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from napari_btf.formats.images import gate
from napari_btf.formats.images.types import ImageFileError, ImageHeader

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAGIC", "decode", "header"]

MAGIC = (b"#?RADIANCE", b"#?RGBE")

_RATIO = 64
"""Two bytes mean at most 127 equal ones."""
_ZEROS = bytes(512)
_SRGB = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, 0.3127, 0.3290)
_RADIANCE = (0.640, 0.330, 0.290, 0.600, 0.150, 0.060, 0.333, 0.333)
_NEAR = 0.011
"""Chromaticities that differ less are the same: sRGB and Radiance's own ones are not told apart,
because most programs write sRGB values without saying so."""


class _Stated(NamedTuple):
    """What the text at the start of a file says."""

    scanlines: int
    length: int
    """Pixels of a scanline."""
    columns: bool
    """Whether the scanlines are columns."""
    flip: tuple[bool, bool]
    """Whether rows are stored from the bottom, and columns from the right."""
    factor: tuple[float, float, float]
    """What the values were multiplied with (EXPOSURE, COLORCORR)."""
    said: tuple[str, ...]


def header(file: BinaryIO, size: int) -> ImageHeader:
    """Read size and type of a Radiance image, of a file of ``size`` bytes."""
    stated = _stated(file)
    gate.check_bytes(4 * stated.scanlines * stated.length, size, _RATIO)
    height, width = stated.scanlines, stated.length
    if stated.columns:
        height, width = width, height
    return ImageHeader(height, width, 3, np.dtype("f4"), said=stated.said)


def decode(data: bytes) -> NDArray[Any]:
    """Decode pixels (H, W, 3) to linear radiance: exposure removed, upright."""
    import imagecodecs

    file = io.BytesIO(data)
    stated = _stated(file)
    body = data[file.tell() :]
    size = stated.scanlines, stated.length
    gate.check_bytes(4 * size[0] * size[1], len(data), _RATIO)
    packed = 8 <= size[1] < 1 << 15 and body[:4] == bytes((2, 2, size[1] >> 8, size[1] & 255))
    if packed:
        # No run is that long, so only a copy that broke off has these bytes.
        if body.find(_ZEROS) >= 0:
            raise ImageFileError("is incomplete: a part of its pixels is filled with zeros")
        start = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % size
        try:
            pixels = np.asarray(imagecodecs.rgbe_decode(start + body))
        except Exception as error:
            raise ImageFileError("is damaged or incomplete") from error
        if pixels.shape != (*size, 3):
            raise ImageFileError("is damaged or incomplete")
    else:
        pixels = _flat(body, size)
    if stated.columns:
        pixels = np.moveaxis(pixels, 0, 1)
    pixels = pixels[:: -1 if stated.flip[0] else 1, :: -1 if stated.flip[1] else 1]
    if stated.factor != (1.0, 1.0, 1.0):
        pixels = (pixels / np.array(stated.factor)).astype(np.float32)
    return np.ascontiguousarray(pixels)


def _flat(body: bytes, size: tuple[int, int]) -> NDArray[np.float32]:
    """Decode pixels that are not packed: a byte for red, green, blue, and their exponent."""
    count = 4 * size[0] * size[1]
    if len(body) < count:
        raise ImageFileError(
            "is incomplete, or packed in the way of Radiance before 1991",
            "copy it again from the original, or save it anew",
        )
    rgbe = np.frombuffer(body, np.uint8, count).reshape(*size, 4)
    scale = np.ldexp(np.float32(1), rgbe[..., 3].astype(np.int32) - 136)
    scale = np.where(rgbe[..., 3] > 0, scale, np.float32(0))
    return (rgbe[..., :3] * scale[..., np.newaxis]).astype(np.float32)


def _stated(file: BinaryIO) -> _Stated:
    """Read lines of text, an empty line, and the line of sizes, such as "-Y 480 +X 640"."""
    factor = [1.0, 1.0, 1.0]
    said: dict[str, None] = {}
    for _ in range(100):
        line = file.readline(4096)
        if not line.endswith(b"\n"):
            raise ImageFileError("is incomplete: it ends within its Radiance header")
        line = line.strip()
        if not line:
            return _sizes(file.readline(256).split(), factor, tuple(said))
        name, equals, value = line.decode("latin-1").partition("=")
        if equals and not name.startswith("#"):
            _read_line(name.strip().upper(), value, factor, said)
    raise ImageFileError("is damaged: its Radiance header has no end")


def _read_line(name: str, value: str, factor: list[float], said: dict[str, None]) -> None:
    """Take one line of the header into account."""
    if name in ("EXPOSURE", "COLORCORR"):
        numbers = _numbers(name, value, 1 if name == "EXPOSURE" else 3)
        if min(numbers) <= 0:
            raise ImageFileError(f"states {name}={value.strip()[:40]}, expected positive numbers")
        factor[:] = [a * b for a, b in zip(factor, (numbers * 3)[:3], strict=True)]
        if set(numbers) != {1.0}:
            said[f"state {name}; their values were divided by it"] = None
    elif name == "PRIMARIES":
        numbers = _numbers(name, value, 8)
        if all(_distance(numbers, known) > _NEAR for known in (_SRGB, _RADIANCE)):
            said["state other PRIMARIES than sRGB; their colours are taken as they are"] = None
    elif name == "FORMAT" and value.strip() != "32-bit_rle_rgbe":
        raise ImageFileError(
            f"has pixels of the format {value.strip()[:40]}, expected 32-bit_rle_rgbe",
            "convert it, by ra_xyze -r for example",
        )
    elif name == "PIXASPECT" and _numbers(name, value, 1) != [1.0]:
        said["state pixels that are not square; they are taken as square"] = None


def _numbers(name: str, value: str, count: int) -> list[float]:
    try:
        found = [float(word) for word in value.split()]
    except ValueError:
        found = []
    if len(found) != count or not all(math.isfinite(x) for x in found):
        raise ImageFileError(f"states {name}={value.strip()[:40]!r}, expected {count} numbers")
    return found


def _distance(a: list[float], b: tuple[float, ...]) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def _sizes(words: list[bytes], factor: list[float], said: tuple[str, ...]) -> _Stated:
    axes = (words[0], words[2]) if len(words) == 4 else (b"", b"")
    if {axes[0][1:], axes[1][1:]} != {b"X", b"Y"} or any(a[:1] not in b"+-" for a in axes):
        raise ImageFileError("is damaged: its Radiance header gives no size, such as -Y 480 +X 640")
    if not (words[1].isdigit() and words[3].isdigit()):
        raise ImageFileError("is damaged: its Radiance header gives no size, such as -Y 480 +X 640")
    red, green, blue = factor
    if not all(0 < x < math.inf for x in factor):
        raise ImageFileError("states exposures beyond any number")
    return _Stated(
        int(words[1]),
        int(words[3]),
        axes[0][1:] == b"X",
        # y points up: "+Y" stores the lowest row first.
        (b"+Y" in axes, b"-X" in axes),
        (red, green, blue),
        said,
    )
