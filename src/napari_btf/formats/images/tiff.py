"""TIFF images: 8 or 16 bits or floats; grey, RGB, palettes, or any number of channels."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from napari_btf.formats.images import tiff_bytes
from napari_btf.formats.images.types import ImageFileError, ImageHeader

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffPage

__all__ = ["MAGIC", "decode", "header"]

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_FLOATS = (np.float16, np.float32, np.float64)

# Warnings of tifffile are silenced, because this package reports problems in its own sentences.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def header(file: BinaryIO, size: int) -> ImageHeader:
    """Read size and type of the first image in a TIFF file of ``size`` bytes."""
    import tifffile

    try:
        with tifffile.TiffFile(file) as tiff:
            page = _first(tiff)
            found = _header(page)
            tiff_bytes.check(page, size)
            return found
    except ImageFileError:
        raise
    except Exception as error:
        raise ImageFileError("is damaged or truncated") from error


def decode(data: bytes) -> NDArray[Any]:
    """Decode the first image to (H, W) or (H, W, C), with palettes expanded and 0 as black."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page = _first(tiff)
        found = _header(page)
        tiff_bytes.check_filled(page, data)
        pixels = np.asarray(page.asarray())
        palette = page.colormap
        photometric = _name(page.photometric)
    if palette is not None and photometric == "PALETTE":
        # Colour maps have 16 bits, but some programs write only 8-bit values into them.
        colours = (palette >> 8 if palette.max() > 255 else palette).astype(np.uint8)
        return np.moveaxis(colours[:, pixels], 0, -1)
    if pixels.dtype.kind == "b":
        pixels = pixels.astype(np.uint8) * 255
    if photometric == "MINISWHITE":
        pixels = np.iinfo(pixels.dtype).max - pixels
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, -1)
    # This converts to the native byte order, and float64 to float32, whose precision suffices.
    return pixels.astype(found.dtype)


def _first(tiff: Any) -> TiffPage:
    page: TiffPage = tiff.pages[0]
    return page


def _name(value: Any) -> str:
    """Return the name of a TIFF tag's value, or the number if tifffile knows no name for it."""
    return str(getattr(value, "name", value))


def _header(page: TiffPage) -> ImageHeader:
    axes, shape, dtype = page.axes, page.shape, np.dtype(page.dtype or "V")
    photometric = _name(page.photometric)
    if axes not in ("YX", "YXS", "SYX"):
        raise ImageFileError(f"has axes {axes}, expected one image per file")
    if photometric in ("SEPARATED", "CIELAB", "ICCLAB", "ITULAB", "CFA", "LOGLUV", "LOGL"):
        raise ImageFileError(f"has {photometric} colours, expected grey or RGB")
    if photometric == "YCBCR" and _name(page.compression) not in ("JPEG", "OJPEG"):
        raise ImageFileError("has YCBCR colours, expected grey or RGB")
    height, width = shape[axes.index("Y")], shape[axes.index("X")]
    samples = shape[axes.index("S")] if "S" in axes else 1
    if photometric == "PALETTE":
        if dtype != np.uint8 or samples != 1 or page.colormap is None:
            raise ImageFileError("has a palette of an unknown kind")
        return ImageHeader(height, width, 3, np.dtype("u1"))
    if dtype.kind == "b":
        dtype = np.dtype("u1")
    if dtype not in (np.uint8, np.uint16, *_FLOATS):
        raise ImageFileError(f"has {dtype} values, expected 8 or 16 bits or floating point")
    if photometric == "MINISWHITE" and dtype.kind == "f":
        raise ImageFileError("has floating point values with 0 as white")
    # Extra samples 1 and 2 mean alpha. 0 means "unspecified", which some programs use for alpha and
    # spectral images use for their channels.
    extra = tuple(int(value) for value in page.extrasamples)
    alpha = sum(value in (1, 2) for value in extra)
    if not alpha and samples in (2, 4):
        alpha = 1
    channels = samples - alpha
    if dtype == np.float64:
        dtype = np.dtype("f4")
    left_out = "alpha channel" if alpha else ""
    return ImageHeader(height, width, channels, dtype.newbyteorder("="), left_out=left_out)
