"""Headers and pixels of single image files, whatever their extension."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EXTENSIONS", "ImageFileError", "ImageHeader", "decode", "header"]

#: Extensions of image files that are read.
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tga", ".tif", ".tiff"})

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class ImageFileError(ValueError):
    """An image that cannot be read; the message completes 'FILE: the image ...'."""


class ImageHeader(NamedTuple):
    """Size and type of one image as `decode` returns it."""

    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    has_alpha: bool


def header(start: bytes, whole: bytes | None = None) -> ImageHeader:
    """Size and type of an image, without decoding its pixels.

    Parameters
    ----------
    start : bytes
        The first bytes of the file; 64 KiB are enough but for TIFF.
    whole : bytes, optional
        The whole file, for images whose header does not lie in the first bytes.

    Raises
    ------
    ImageFileError
        If it is not an image of a known kind.
    """
    data = start if whole is None else whole
    if not data:
        raise ImageFileError("is empty")
    if data[:4] in _TIFF_MAGIC:
        return _tiff_header(data)
    try:
        with Image.open(io.BytesIO(data)) as image:
            mode, (width, height) = image.mode, image.size
            transparent = "transparency" in image.info
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise ImageFileError("is not of a kind that can be read") from error
    deep_png = data[:8] == b"\x89PNG\r\n\x1a\n" and data[24] == 16
    bits16 = deep_png or mode.startswith("I;16") or mode == "I"
    if mode == "F":
        raise ImageFileError("has floating point values, only 8 and 16 bit images are read")
    has_alpha = mode in ("LA", "PA", "RGBA", "La", "RGBa") or (mode == "P" and transparent)
    channels = 1 if mode in ("1", "L", "LA", "La", "I") or mode.startswith("I;16") else 3
    return ImageHeader(height, width, channels, np.dtype("u2" if bits16 else "u1"), has_alpha)


def decode(data: bytes) -> NDArray[Any]:
    """Pixels of an image as (H, W, C), 8 or 16 bits, C = 1 or 3; alpha is left out.

    Raises
    ------
    ImageFileError
        If the file is damaged or of an unknown kind.
    """
    found = header(data, data)
    try:
        if data[:4] in _TIFF_MAGIC:
            pixels = _decode_tiff(data)
        elif found.dtype == np.uint16 and data[:4] == b"\x89PNG":
            import imagecodecs

            pixels = np.asarray(imagecodecs.png_decode(data))
        else:
            with Image.open(io.BytesIO(data)) as image:
                grey = found.channels == 1
                if found.dtype == np.uint8:
                    pixels = np.asarray(image.convert("L" if grey else "RGB"))
                else:
                    pixels = np.asarray(image).astype(np.uint16)
    except ImageFileError:
        raise
    # A damaged file makes the decoders raise whatever they meet first.
    except Exception as error:
        raise ImageFileError("is damaged or truncated") from error
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    return pixels[:, :, : found.channels]


def _tiff_header(data: bytes) -> ImageHeader:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            page = tiff.pages[0]
            axes, shape, dtype = page.axes, page.shape, page.dtype
    except Exception as error:
        raise ImageFileError("is damaged or truncated") from error
    if dtype is None or np.dtype(dtype) not in (np.uint8, np.uint16):
        raise ImageFileError(f"has {dtype} values, only 8 and 16 bit images are read")
    if axes not in ("YX", "YXS"):
        raise ImageFileError(f"has axes {axes}, expected one grey or RGB image")
    samples = shape[2] if axes == "YXS" else 1
    channels = 1 if samples <= 2 else 3
    return ImageHeader(shape[0], shape[1], channels, np.dtype(dtype), samples in (2, 4))


def _decode_tiff(data: bytes) -> NDArray[Any]:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        pixels = np.asarray(tiff.pages[0].asarray())
    # Files of either byte order become the machine's own.
    return pixels.astype(pixels.dtype.newbyteorder("="))
