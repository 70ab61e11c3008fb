"""TIFF images: 8 or 16 bits or floats; grey, RGB, palettes, or any number of channels."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from napari_btf.formats.images import colour_profiles, orientation, tiff_bytes
from napari_btf.formats.images.foreign import RAW, RAW_REMEDY
from napari_btf.formats.images.tiff_pages import Found, find, full_range, pages_of
from napari_btf.formats.images.types import ImageFileError, ImageHeader

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffFile, TiffPage

__all__ = ["MAGIC", "decode", "header"]

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_FLOATS = (np.float16, np.float32, np.float64)
_PROFILE = 34675
_CONVERT = "save the images as RGB or grey with 8 or 16 bits"

# Warnings of tifffile are silenced, because this package reports problems in its own sentences.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def header(file: BinaryIO, size: int) -> ImageHeader:
    """Read size and type of the image in a TIFF file of ``size`` bytes, as it is stored."""
    try:
        with _open(file) as tiff:
            image = find(tiff)
            found = _header(image)
            for page in pages_of(image):
                tiff_bytes.check(page, size)
            return found
    except ImageFileError:
        raise
    except Exception as error:
        raise ImageFileError("is damaged or truncated") from error


def decode(data: bytes) -> NDArray[Any]:
    """Decode the image to (H, W) or (H, W, C), with palettes expanded and 0 as black."""
    with _open(io.BytesIO(data)) as tiff:
        image = find(tiff)
        found = _header(image)
        page = image.page
        for part in pages_of(image):
            tiff_bytes.check_filled(part, data)
        whole = page if image.channels is None else image.channels
        pixels = np.asarray(whole.asarray())
        palette = page.colormap
        photometric = _name(page.photometric)
        axes = page.axes if image.channels is None else "SYX"
        bits, alpha = _bits(page), _alpha(page)
    if palette is not None and photometric == "PALETTE":
        # Colour maps have 16 bits, but some programs write only 8-bit values into them.
        colours = (palette >> 8 if palette.max() > 255 else palette).astype(np.uint8)
        return np.moveaxis(colours[:, pixels], 0, -1)
    if pixels.dtype.kind == "b":
        pixels = pixels.astype(np.uint8) * 255
    pixels = full_range(pixels, bits)
    if axes == "SYX":
        pixels = np.moveaxis(pixels.reshape(-1, found.height, found.width), 0, -1)
    if alpha:
        pixels = np.delete(pixels, alpha, axis=-1)
    if photometric == "MINISWHITE":
        pixels = np.iinfo(pixels.dtype).max - pixels
    # This converts to the native byte order, and float64 to float32, whose precision suffices.
    return pixels.astype(found.dtype)


def _open(file: BinaryIO) -> TiffFile:
    import tifffile

    # Files that this one names are not opened, because it may be a stranger's.
    return tifffile.TiffFile(file, _multifile=False)


def _name(value: Any) -> str:
    """Return the name of a TIFF tag's value, or the number if tifffile knows no name for it."""
    return str(getattr(value, "name", value))


def _header(image: Found) -> ImageHeader:
    page = image.page
    axes, shape, photometric = page.axes, page.shape, _name(page.photometric)
    if axes not in ("YX", "YXS", "SYX"):
        raise ImageFileError(f"has axes {axes}, expected one image per file", _CONVERT)
    height, width = shape[axes.index("Y")], shape[axes.index("X")]
    samples = shape[axes.index("S")] if "S" in axes else 1
    dtype = _type(page, photometric, samples)
    said, left_out = [], ""
    if photometric == "PALETTE":
        channels = 3
    else:
        alpha = len(_alpha(page))
        channels, left_out = samples - alpha, "alpha channel" if alpha else ""
        if photometric == "RGB" and channels > 3:
            said.append("have channels beside RGB whose meaning the files do not state; all count")
        bits = _bits(page)
        if dtype.kind == "u" and 1 < bits < 8 * dtype.itemsize:
            said.append(f"have {bits} bits and were scaled to {8 * dtype.itemsize}")
    if image.channels is not None:
        channels = int(np.prod(image.channels.shape[:-2]))
    tags = page.tags
    way = tags.get(orientation.TAG)
    profile = tags.get(_PROFILE)
    content = profile.value if profile is not None else b""
    return ImageHeader(
        height,
        width,
        channels,
        dtype,
        left_out=left_out,
        orientation=orientation.UPRIGHT if way is None else orientation.named(way.value),
        profile=colour_profiles.kept(content if isinstance(content, bytes) else b"?"),
        said=tuple(said),
    )


def _type(page: TiffPage, photometric: str, samples: int) -> np.dtype[Any]:
    """Return the type of the decoded values.

    Raises
    ------
    ImageFileError
        If colours or values are of a kind that is not read.
    """
    dtype = np.dtype(page.dtype or "V")
    if photometric in ("CFA", "LINEAR_RAW"):
        raise ImageFileError(RAW, RAW_REMEDY)
    if photometric in ("SEPARATED", "CIELAB", "ICCLAB", "ITULAB", "LOGLUV", "LOGL"):
        raise ImageFileError(f"has {photometric} colours, expected grey or RGB", _CONVERT)
    if photometric == "YCBCR" and _name(page.compression) not in ("JPEG", "OJPEG"):
        raise ImageFileError("has YCBCR colours, expected grey or RGB", _CONVERT)
    if photometric == "PALETTE":
        if dtype != np.uint8 or samples != 1 or page.colormap is None:
            raise ImageFileError("has a palette of an unknown kind", _CONVERT)
        return np.dtype("u1")
    if dtype.kind == "b":
        return np.dtype("u1")
    if dtype not in (np.uint8, np.uint16, *_FLOATS):
        raise ImageFileError(
            f"has {dtype} values, expected 8 or 16 bits or floating point",
            "convert the images to unsigned integers of 16 bits, or to floating point",
        )
    if photometric == "MINISWHITE" and dtype.kind == "f":
        raise ImageFileError("has floating point values with 0 as white", "turn the values over")
    return np.dtype("f4") if dtype == np.float64 else dtype.newbyteorder("=")


def _bits(page: TiffPage) -> int:
    """Return the bits of each value, as the file states them."""
    bits = page.bitspersample
    return int(bits) if isinstance(bits, int) else 0


def _alpha(page: TiffPage) -> list[int]:
    """Return the indices of samples that the file states to be alpha.

    Samples without a stated meaning (0) are channels, because spectral images have them.
    """
    extra = tuple(int(value) for value in page.extrasamples)
    samples = page.shape[page.axes.index("S")] if "S" in page.axes else 1
    return [samples - len(extra) + i for i, value in enumerate(extra) if value in (1, 2)]
