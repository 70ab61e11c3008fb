"""Whether a file holds all of its image: copies break off, and decoders fill the rest with grey.

A copy that broke off is too short, or, where the disk had reserved the space already, ends in
zeros. What is stored without compression cannot be told from black pixels, and is not checked.
"""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

from napari_btf.formats.images.types import ImageFileError

__all__ = ["check"]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_ZEROS = bytes(512)
"""A run of zeros that no compressed pixels have, unless zero bits mean "as before"."""

_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_MARKER_IN_SCAN = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}
_TABLES, _END, _SCAN = 0xC4, 0xD9, 0xDA

_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS")


def check(data: bytes) -> None:
    """Refuse a JPEG, PNG, WebP or packed TGA file that is cut off or filled with zeros.

    Raises
    ------
    ImageFileError
    """
    if data.startswith(_JPEG):
        _check_jpeg(data)
    elif data.startswith(_PNG):
        _check_png(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        # Its length was compared with the file before it was opened.
        if data.endswith(_ZEROS):
            raise _zeros()
    elif data[1:3] in (b"\0\x09", b"\1\x09", b"\0\x0a", b"\0\x0b") and data.find(_ZEROS, 18) >= 0:
        raise _zeros()


class _Scan(NamedTuple):
    start: int
    end: int
    components: int


def _check_jpeg(data: bytes) -> None:
    """Walk through the segments of a JPEG file up to its end marker."""
    place = 2
    baseline = False
    components = 0
    empty_block_is_zero = []
    scans = []
    while True:
        found = _MARKER.search(data, place)
        if found is None:
            raise _cut()
        marker, place = found[1][0], found.end()
        if marker == _END:
            break
        if marker in _ALONE:
            continue
        length = int.from_bytes(data[place : place + 2], "big")
        segment = data[place + 2 : place + length]
        if length < 2:
            raise ImageFileError("is damaged: a segment of it has no length")
        place += length
        if place > len(data):
            raise _cut()
        if marker in _FRAMES and len(segment) > 5:
            baseline, components = marker in (0xC0, 0xC1), segment[5]
        elif marker == _TABLES:
            empty_block_is_zero += _zero_codes(segment)
        elif marker == _SCAN:
            following = _MARKER_IN_SCAN.search(data, place)
            if following is None:
                raise _zeros() if data.endswith(_ZEROS) else _cut()
            scans.append(_Scan(place, following.start(), segment[0] if segment else 0))
            place = following.start()
    if not scans:
        raise _cut()
    # Where the code of an empty block is not all zeros, zeros are not compressed pixels. This is
    # certain for one scan of all components only.
    if baseline and len(scans) == 1 and scans[0].components == components:
        scan = scans[0]
        if not all(empty_block_is_zero) and data.find(_ZEROS, scan.start, scan.end) >= 0:
            raise _zeros()


def _zero_codes(segment: bytes) -> list[bool]:
    """Return for each table of AC codes whether zeros mean that the rest of a block is empty."""
    found = []
    place = 0
    while place + 17 <= len(segment):
        count = sum(segment[place + 1 : place + 17])
        if segment[place] >> 4 and count:
            found.append(segment[place + 17 : place + 18] == b"\0")
        place += 17 + count
    return found


def _check_png(data: bytes) -> None:
    """Walk through the chunks of a PNG file, and compare the checksums of those that matter."""
    view = memoryview(data)
    place = len(_PNG)
    while True:
        if place + 12 > len(data):
            raise _cut()
        length, kind = int.from_bytes(view[place : place + 4], "big"), bytes(view[place + 4 :][:4])
        end = place + 12 + length
        if kind == bytes(4):
            raise _zeros()
        if end > len(data):
            raise _cut()
        if kind in _CRITICAL:
            stated = int.from_bytes(view[end - 4 : end], "big")
            if zlib.crc32(view[place + 4 : end - 4]) != stated:
                raise ImageFileError("is damaged or incomplete: a checksum in it is wrong")
        if kind == b"IEND":
            return
        place = end


def _cut() -> ImageFileError:
    return ImageFileError("is incomplete: the file ends before the image does")


def _zeros() -> ImageFileError:
    return ImageFileError("is incomplete: a part of its pixels is filled with zeros")
