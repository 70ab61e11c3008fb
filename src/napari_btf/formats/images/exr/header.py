"""Headers of OpenEXR files, read by this package, because OpenEXR itself trusts them.

A header that is damaged by one byte can crash the OpenEXR library, and its Python package decodes
all pixels when it opens a file. So the header and the table of chunks are read and checked here:
https://openexr.com/en/latest/OpenEXRFileLayout.html describes them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from napari_btf.formats.images.types import ImageFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMPRESSIONS", "MAGIC", "Box", "Channel", "Part", "read_parts"]

MAGIC = b"v/1\x01"

#: Name, and lines of one chunk, of each compression.
COMPRESSIONS = (
    ("NONE", 1),
    ("RLE", 1),
    ("ZIPS", 1),
    ("ZIP", 16),
    ("PIZ", 32),
    ("PXR24", 16),
    ("B44", 32),
    ("B44A", 32),
    ("DWAA", 32),
    ("DWAB", 256),
    ("HTJ2K256", 256),
    ("HTJ2K32", 32),
)

_TILED, _DEEP, _MULTIPART = 0x200, 0x800, 0x1000
_KNOWN_FLAGS = _TILED | 0x400 | _DEEP | _MULTIPART
_LARGEST_HEADER = 1 << 24
_MOST_PARTS = 1024
_MOST_CHANNELS = 4096
_FARTHEST = 1 << 24
"""Windows end within this many pixels from the origin."""
_BYTES = (4, 2, 4)
"""Size of a value of the types UINT, HALF, FLOAT."""


class Box(NamedTuple):
    """A rectangle of pixels; both corners belong to it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left + 1

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top + 1


class Channel(NamedTuple):
    """One channel, in the order of the file."""

    name: str
    kind: int
    """0 for UINT, 1 for HALF, 2 for FLOAT."""
    sampling: tuple[int, int]

    @property
    def bytes(self) -> int:
        """Size of a value."""
        return _BYTES[self.kind]


class Part(NamedTuple):
    """One image of a file; most files have one."""

    number: int
    several: bool
    """Whether the file has the layout of several parts."""
    name: str
    channels: tuple[Channel, ...]
    data: Box
    display: Box
    compression: int
    tile: tuple[int, int] | None
    """Width and height of a tile."""
    deep: bool
    offsets: tuple[int, ...]
    """Where in the file the chunks of the full resolution begin."""

    @property
    def size(self) -> int:
        """Bytes of all pixels, uncompressed."""
        return self.data.width * self.data.height * sum(c.bytes for c in self.channels)


class _Reader:
    """Takes pieces of a file one after the other, and says where the file ends too early."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.taken = 0

    def take(self, count: int) -> bytes:
        self.taken += count
        if not 0 <= count <= _LARGEST_HEADER or self.taken > _LARGEST_HEADER:
            raise ImageFileError("is damaged: its OpenEXR header is implausibly long")
        found = self.file.read(count)
        if len(found) != count:
            raise ImageFileError("is incomplete: it ends within its OpenEXR header")
        return found

    def text(self) -> str:
        found = bytearray()
        while (byte := self.take(1)) != b"\0":
            found += byte
            if len(found) > 255:
                raise ImageFileError("is damaged: a name in its OpenEXR header has no end")
        return found.decode("utf-8", "backslashreplace")


def read_parts(file: BinaryIO, size: int) -> list[Part]:
    """Read the headers of all parts, and their tables of chunks.

    Parameters
    ----------
    file : binary file
        Positioned at its start; it is read forward only.
    size : int
        Bytes of the file.

    Raises
    ------
    ImageFileError
        If a header is damaged, or the file ends before the chunks that the tables name.
    """
    reader = _Reader(file)
    magic, version = struct.unpack("<4sI", reader.take(8))
    if magic != MAGIC or version & 0xFF != 2 or version & ~0xFF & ~_KNOWN_FLAGS:
        raise ImageFileError("is of a version of OpenEXR that is not known")
    several = bool(version & _MULTIPART)
    parts: list[tuple[Part, int]] = []
    while True:
        attributes = _attributes(reader)
        if not attributes and parts:
            break
        parts.append(_part(attributes, len(parts), version))
        if not several:
            break
        if len(parts) > _MOST_PARTS:
            raise ImageFileError("is damaged: its OpenEXR header names too many parts")
    return [_with_offsets(part, chunks, reader, size) for part, chunks in parts]


def _attributes(reader: _Reader) -> dict[str, tuple[str, bytes]]:
    found: dict[str, tuple[str, bytes]] = {}
    while name := reader.text():
        kind = reader.text()
        (length,) = struct.unpack("<i", reader.take(4))
        found[name] = kind, reader.take(length)
    return found


def _part(attributes: dict[str, tuple[str, bytes]], number: int, version: int) -> tuple[Part, int]:
    """Return a part without its table, and the number of its chunks."""
    kind = _string(attributes, "type")
    deep = kind.startswith("deep") or (bool(version & _DEEP) and not version & _MULTIPART)
    tiled = "tile" in kind or (bool(version & _TILED) and not version & _MULTIPART)
    (compression,) = struct.unpack("<B", _value(attributes, "compression", "compression", 1))
    data = _box(attributes, "dataWindow")
    part = Part(
        number,
        bool(version & _MULTIPART),
        _string(attributes, "name"),
        _channels(_value(attributes, "channels", "chlist")),
        data,
        _box(attributes, "displayWindow"),
        compression,
        None,
        deep,
        (),
    )
    if deep:
        chunks = 0
    elif compression >= len(COMPRESSIONS):
        raise ImageFileError(
            f"is compressed in a way that is not known (number {compression} of OpenEXR)",
            "save it with ZIP compression",
        )
    elif tiled:
        width, height, mode = struct.unpack("<IIB", _value(attributes, "tiles", "tiledesc", 9))
        if not (0 < width <= 1 << 16 and 0 < height <= 1 << 16 and mode & 0xF <= 2):
            raise ImageFileError("is damaged: its tiles have an implausible size")
        part = part._replace(tile=(width, height))
        chunks = -(-data.width // width) * -(-data.height // height)
    else:
        chunks = -(-data.height // COMPRESSIONS[compression][1])
    if part.several:
        (listed,) = struct.unpack("<i", _value(attributes, "chunkCount", "int", 4))
        if listed < chunks or (not tiled and not deep and listed != chunks):
            raise ImageFileError("is damaged: the number of its chunks is wrong")
        return part, max(listed, 0)
    return part, chunks


def _with_offsets(part: Part, chunks: int, reader: _Reader, size: int) -> Part:
    if 8 * chunks > size:
        raise ImageFileError("is incomplete: its table of chunks is longer than the file")
    if part.deep:
        if part.several:
            reader.take(8 * chunks)
        return part
    offsets = struct.unpack(f"<{chunks}Q", reader.take(8 * chunks))
    if part.tile is not None:
        # Smaller copies of the image (mipmaps) follow the tiles of the full resolution.
        columns, rows = -(-part.data.width // part.tile[0]), -(-part.data.height // part.tile[1])
        offsets = offsets[: columns * rows]
    if any(offset < 8 or offset + 8 > size for offset in offsets):
        raise ImageFileError("is incomplete: some of its pixels are missing in the file")
    return part._replace(offsets=offsets)


def _value(
    attributes: dict[str, tuple[str, bytes]], name: str, kind: str, length: int | None = None
) -> bytes:
    stated, value = attributes.get(name, ("", b""))
    if stated != kind or (length is not None and len(value) != length):
        raise ImageFileError(f"is damaged: its OpenEXR header has no valid {name}")
    return value


def _string(attributes: dict[str, tuple[str, bytes]], name: str) -> str:
    kind, value = attributes.get(name, ("string", b""))
    return value.decode("utf-8", "backslashreplace")[:255] if kind == "string" else ""


def _box(attributes: dict[str, tuple[str, bytes]], name: str) -> Box:
    box = Box(*struct.unpack("<4i", _value(attributes, name, "box2i", 16)))
    if min(box.width, box.height) < 1 or max(abs(corner) for corner in box) > _FARTHEST:
        raise ImageFileError(f"is damaged: the {name} in its OpenEXR header is implausible")
    return box


def _channels(value: bytes) -> tuple[Channel, ...]:
    found: list[Channel] = []
    place = 0
    while value[place : place + 1] != b"\0":
        end = value.find(b"\0", place)
        if not place < end < len(value) - 16 or len(found) >= _MOST_CHANNELS:
            raise ImageFileError("is damaged: the list of channels in its header is broken")
        kind, _, across, down = struct.unpack_from("<iIii", value, end + 1)
        if kind not in (0, 1, 2) or min(across, down) < 1:
            raise ImageFileError("is damaged: a channel in its header is of no known type")
        name = value[place:end].decode("utf-8", "backslashreplace")
        found.append(Channel(name, kind, (across, down)))
        place = end + 17
    _check_names([channel.name for channel in found])
    return tuple(found)


def _check_names(names: Sequence[str]) -> None:
    if not names or len(set(names)) != len(names):
        raise ImageFileError("is damaged: its channels have no names of their own")
