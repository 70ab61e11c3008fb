"""Pixels of OpenEXR files that are stored plainly or compressed by zlib.

These are most files, and NumPy decodes them safely. All sizes are those of the checked header; a
chunk that is longer, shorter or elsewhere is an error.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.formats.images.exr.header import COMPRESSIONS
from napari_btf.formats.images.types import ImageFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_btf.formats.images.exr.header import Part

__all__ = ["can_decode", "decode"]

_HERE = ("NONE", "ZIPS", "ZIP")
_KINDS = ("<u4", "<f2", "<f4")


def can_decode(part: Part) -> bool:
    """Return whether this module decodes a part."""
    plain = all(channel.sampling == (1, 1) for channel in part.channels)
    return plain and COMPRESSIONS[part.compression][0] in _HERE


def decode(data: bytes, part: Part, names: Sequence[str]) -> NDArray[Any]:
    """Decode channels of one type to (H, W, C), the pixels of the data window.

    Raises
    ------
    ImageFileError
        If a chunk is missing or damaged.
    """
    places: dict[str, int] = {}
    per_pixel = 0
    for channel in part.channels:
        places[channel.name] = per_pixel
        per_pixel += channel.bytes
    kind = np.dtype(_KINDS[next(c.kind for c in part.channels if c.name == names[0])])
    pixels = np.empty((part.data.height, part.data.width, len(names)), kind)
    for offset, rows, columns in _chunks(part):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        raw = _chunk(data, part, offset, rows.start, columns.start, height * width * per_pixel)
        lines = np.frombuffer(raw, np.uint8).reshape(height, width * per_pixel)
        for i, name in enumerate(names):
            start = places[name] * width
            values = np.ascontiguousarray(lines[:, start : start + width * kind.itemsize])
            pixels[rows, columns, i] = values.view(kind)
    return pixels.astype(kind.newbyteorder("="), copy=False)


def _chunks(part: Part) -> Iterator[tuple[int, slice, slice]]:
    """Iterate over the chunks: offset, rows and columns in the data window."""
    height, width = part.data.height, part.data.width
    across, down = part.tile or (width, COMPRESSIONS[part.compression][1])
    columns = -(-width // across)
    for i, offset in enumerate(part.offsets):
        top, left = i // columns * down, i % columns * across
        yield offset, slice(top, min(top + down, height)), slice(left, min(left + across, width))


def _chunk(data: bytes, part: Part, offset: int, top: int, left: int, size: int) -> bytes:
    """Return the bytes of a chunk, uncompressed, after a check of the chunk's own header."""
    if part.tile is None:
        expected: tuple[int, ...] = (part.data.top + top,)
    else:
        expected = (left // part.tile[0], top // part.tile[1], 0, 0)
    if part.several:
        expected = (part.number, *expected)
    form = f"<{len(expected) + 1}i"
    start = offset + struct.calcsize(form)
    if start > len(data):
        raise ImageFileError("is incomplete: it ends before its last pixels")
    *stated, length = struct.unpack_from(form, data, offset)
    if tuple(stated) != expected or not 0 < length <= size:
        raise ImageFileError("is damaged or incomplete: a chunk of its pixels has a wrong header")
    if start + length > len(data):
        raise ImageFileError("is incomplete: it ends before its last pixels")
    packed = data[start : start + length]
    return packed if length == size else _unpacked(packed, size)


def _unpacked(packed: bytes, size: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(packed, size + 1)
    except zlib.error as error:
        raise ImageFileError("is damaged: some of its pixels cannot be unpacked") from error
    if len(raw) != size or not unpacker.eof:
        raise ImageFileError("is damaged: some of its pixels cannot be unpacked")
    # Each byte is stored as its difference from the one before, plus 128; the bytes at even and at
    # odd places are stored one after the other.
    values = np.cumsum(np.frombuffer(raw, np.uint8), dtype=np.uint8)
    values[1::2] += 128
    whole = np.empty(size, np.uint8)
    half = (size + 1) // 2
    whole[::2], whole[1::2] = values[:half], values[half:]
    return whole.tobytes()
