"""Opening images by Pillow, after their claims of size were compared with their bytes.

The classes of Pillow's formats are called directly: `PIL.Image.open` warns of large photographs or
refuses them, by a limit that all programs in the process share.
"""

from __future__ import annotations

import struct
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO

from napari_btf.formats.images import gate
from napari_btf.formats.images.types import ImageFileError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["open_image"]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
#: Other formats of Pillow are excluded, because some of them run external programs.
_CLASSES = (
    (_JPEG, "JpegImagePlugin", "JpegImageFile"),
    (_PNG, "PngImagePlugin", "PngImageFile"),
    (b"BM", "BmpImagePlugin", "BmpImageFile"),
    (b"GIF8", "GifImagePlugin", "GifImageFile"),
    (b"RIFF", "WebPImagePlugin", "WebPImageFile"),
    (b"P", "PpmImagePlugin", "PpmImageFile"),
    (b"", "TgaImagePlugin", "TgaImageFile"),
)
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PIXELS_PER_BYTE = 1024.0
"""Of JPEG files: a block of 8 x 8 pixels takes at least one bit; doubled for odd samplings."""
_WEBP = float(1 << 14)
_PACKED = {"tga_rle": 128.0, "bmp_rle": float(gate.ANY), "ppm_plain": 8.0}


def open_image(file: BinaryIO, start: bytes, size: int) -> ImageFile:
    """Open an image of a format that Pillow reads, without decoding it.

    Parameters
    ----------
    file : binary file
        Positioned at its start.
    start : bytes
        The first 32 bytes of it.
    size : int
        Bytes of the file.

    Raises
    ------
    ImageFileError
        If the file is of no such format, or its header claims more than its bytes can mean.
    """
    # Warnings of Pillow (corrupt EXIF) are silenced, because this package reports problems in its
    # own sentences. The filter is set each time, because programs and tests reset all filters; it
    # is not taken back, because that would not be safe in threads.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    _check_webp(start, size)
    module, name = next((m, n) for magic, m, n in _CLASSES if start.startswith(magic))
    plugin = getattr(import_module(f"PIL.{module}"), name)
    try:
        image: ImageFile = plugin(file)
    # Any exception is caught, because the parsers of damaged files may raise any kind.
    except Exception as error:
        raise ImageFileError("is of a format that cannot be read") from error
    try:
        _check(image, start, size)
    except BaseException:
        image.close()
        raise
    return image


def _check(image: ImageFile, start: bytes, size: int) -> None:
    width, height = image.size
    if start.startswith(_PNG):
        depth, kind = start[24], start[25]
        stored = height * ((width * depth * _PNG_SAMPLES.get(kind, 1) + 7) // 8)
        gate.check_bytes(stored, size, gate.DEFLATE)
    elif start.startswith(_JPEG):
        gate.check_bytes(width * height, size, _PIXELS_PER_BYTE)
    elif start.startswith(b"GIF8"):
        gate.check_bytes(width * height, size, gate.LZW)
    elif not start.startswith(b"RIFF"):
        codec = image.tile[0][0] if image.tile else "raw"
        gate.check_bytes(width * height * _bits(image, start) // 8, size, _PACKED.get(codec, 1.0))


def _bits(image: ImageFile, start: bytes) -> int:
    """Return the bits of a pixel of a BMP, TGA or PPM file."""
    if start.startswith(b"BM"):
        return start[28] if image.mode != "1" else 1
    if start.startswith(b"P"):
        return {"1": 1, "RGB": 24}.get(image.mode, 8)
    return start[16]


def _check_webp(start: bytes, size: int) -> None:
    """Check the size of a WebP image before Pillow, which takes memory when it opens one."""
    if not start.startswith(b"RIFF"):
        return
    if start[8:12] != b"WEBP" or len(start) < 30:
        raise ImageFileError("is of a format that cannot be read")
    if int.from_bytes(start[4:8], "little") + 8 > size:
        raise ImageFileError("is incomplete: the file ends before the image does")
    kind = start[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(start[i : i + 3], "little") + 1 for i in (24, 27))
    elif kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", start, 21)
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", start, 26))
    gate.check_bytes(4 * width * height, size, _WEBP)
