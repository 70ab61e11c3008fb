"""Orientation tags of EXIF and TIFF: which way up an image is meant to be seen.

Values 1 to 8 are those of TIFF tag 274. Anything else counts as 1, because viewers do so, too.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["UPRIGHT", "named", "of_exif", "of_info", "of_png_end", "swaps_axes", "turned"]

UPRIGHT = 1
TAG = 274
_SIZES = {1: "B", 3: "H", 4: "I"}
_MOST_TAGS = 512
_END = 1 << 16
"""Bytes at the end of a PNG file that are searched for an EXIF chunk."""


def named(value: object) -> int:
    """Return an orientation as a number from 1 to 8; 1 if it is anything else."""
    return value if isinstance(value, int) and 1 <= value <= 8 else UPRIGHT


def swaps_axes(orientation: int) -> bool:
    """Whether width and height of the upright image are those of the stored one, swapped."""
    return orientation >= 5


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return stored pixels (H, W, C) as the upright image."""
    if orientation == UPRIGHT:
        return pixels
    if swaps_axes(orientation):
        pixels = pixels.swapaxes(0, 1)
    # 2 to 4 mirror the columns, both axes or the rows; 6 to 8 do so after the axes were swapped.
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def of_info(info: Mapping[Any, Any]) -> int:
    """Return the orientation in the metadata that Pillow gives for an image."""
    exif = info.get("exif")
    if exif is None and isinstance(info.get("Raw profile type exif"), str):
        # Older programs write EXIF into PNG as text: a name, a length, and hexadecimal digits.
        try:
            exif = bytes.fromhex("".join(info["Raw profile type exif"].split()[2:]))
        except ValueError:
            return UPRIGHT
    return of_exif(exif) if isinstance(exif, bytes) else UPRIGHT


def of_exif(data: bytes) -> int:
    """Return the orientation in a block of EXIF data; 1 if it has none or is damaged."""
    data = data.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        for place in range(start + 2, start + 2 + 12 * min(count, _MOST_TAGS), 12):
            tag, kind, number = struct.unpack_from(order + "HHI", data, place)
            if tag == TAG:
                if kind not in _SIZES or number != 1:
                    return UPRIGHT
                return named(struct.unpack_from(order + _SIZES[kind], data, place + 8)[0])
    except struct.error:
        pass
    return UPRIGHT


def of_png_end(file: BinaryIO) -> int:
    """Return the orientation in an EXIF chunk behind the pixels of a PNG file.

    Only the last bytes are read, because the chunks of pixels may be many. The checksum of the
    chunk proves that it is one.
    """
    length = file.seek(0, 2)
    file.seek(max(0, length - _END))
    end = file.read(_END)
    place = end.rfind(b"eXIf")
    while place >= 4:
        (size,) = struct.unpack_from(">I", end, place - 4)
        content, checksum = end[place + 4 : place + 4 + size], end[place + 4 + size :][:4]
        if checksum == struct.pack(">I", zlib.crc32(content, zlib.crc32(b"eXIf"))):
            return of_exif(content)
        place = end.rfind(b"eXIf", 0, place)
    return UPRIGHT
