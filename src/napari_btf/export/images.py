"""Writes image files: PNG, JPEG, BMP, TGA, TIFF and OpenEXR."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.btf.physical_size import dots_per_inch
from napari_btf.errors import UsageError
from napari_btf.export.read_back import check_exr, check_image
from napari_btf.files import replacing, write_file
from napari_btf.values import to_display, to_linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_image_name", "resized", "write_image"]

_PILLOW = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tga"})
_TIFF = frozenset({".tif", ".tiff"})
_EXR = ".exr"
_LARGEST_SIDE = 1 << 15
#: JPEG has 16 bits for a resolution.
_MOST_DPI = 1 << 16
#: Bytes of the signature of a PNG file and its first chunk.
_PNG_HEADER = 33


def check_image_name(path: Path) -> str:
    """Return the extension of an image file, in lower case, after checking that it is supported.

    Raises
    ------
    UsageError
        If images cannot be written with this extension.
    """
    extension = path.suffix.lower()
    if extension not in _PILLOW | _TIFF | {_EXR}:
        raise UsageError(
            path,
            f"images are not written as {extension or 'a file without extension'}",
            f"use one of {' '.join(sorted(_PILLOW | _TIFF | {_EXR}))}",
        )
    return extension


def resized(pixels: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Resize an image (H, W, C): by area averages where it shrinks, else by nearest neighbours.

    Raises
    ------
    UsageError
        If the width or height is not between 1 and 32768 pixels.
    """
    from skimage.transform import resize_local_mean

    if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
        raise UsageError(
            None,
            f"{width} x {height} pixels is no size of an image",
            f"give 1 to {_LARGEST_SIDE} pixels for each side",
        )
    size = min(height, pixels.shape[0]), min(width, pixels.shape[1])
    if size != pixels.shape[:2]:
        means = resize_local_mean(
            pixels.astype(np.float32), size, channel_axis=-1, preserve_range=True
        )
        if pixels.dtype.kind != "f":
            means = np.rint(means)
        pixels = means.astype(pixels.dtype)
    rows, columns = ((np.arange(n) * m) // n for n, m in zip((height, width), size, strict=True))
    return np.asarray(pixels[rows[:, np.newaxis], columns])


def write_image(path: str | Path, pixels: NDArray[Any], mm_per_texel: float | None = None) -> None:
    """Write an image in the format of its extension.

    Parameters
    ----------
    path : str or Path
        ``.png .tif .tiff`` store up to 16 bits, ``.jpg .jpeg .bmp .tga`` 8 bits. Floating-point
        radiance is stored unchanged in TIFF and OpenEXR; the other formats store it as 8-bit sRGB
        with 1 as white. ``.exr`` needs the package OpenEXR and stores integers as linear light.
    pixels : ndarray of uint8, uint16 or float, shape (H, W, C)
        One or three channels; TIFF and OpenEXR take any number of channels.
    mm_per_texel : float, optional
        Size of a pixel in millimetres, which PNG, TIFF, JPEG and BMP files state as resolution.

    Raises
    ------
    UsageError
        If the extension is unknown, a package is missing, or the file cannot be written.
    """
    path = Path(path)
    extension = check_image_name(path)
    if extension == _EXR:
        _write_exr(path, pixels)
        return
    if extension not in _TIFF:
        pixels = to_display(pixels)
    channels = pixels.shape[2]
    if channels not in (1, 3) and extension not in _TIFF:
        raise UsageError(path, f"the image has {channels} channels", "write .tif")
    if channels == 1:
        pixels = pixels[:, :, 0]
    if pixels.dtype != np.uint8 and extension in _PILLOW - {".png"}:
        pixels = (pixels >> 8).astype(np.uint8)
    check = check_image(*pixels.shape[:2])
    write_file(path, _encoded(path, extension, pixels, mm_per_texel), check=check)


def _encoded(path: Path, extension: str, pixels: NDArray[Any], mm_per_texel: float | None) -> bytes:
    """Encode an image in memory, because not every encoder reports a full disk."""
    buffer = io.BytesIO()
    if extension in _TIFF:
        import tifffile

        photometric = "rgb" if pixels.shape[2:] == (3,) else "minisblack"
        planes = "contig" if pixels.ndim == 3 else None
        per_cm = 10 / mm_per_texel if mm_per_texel else 1.0
        tifffile.imwrite(
            buffer,
            pixels,
            photometric=photometric,
            planarconfig=planes,
            resolution=(per_cm, per_cm),
            resolutionunit="CENTIMETER" if mm_per_texel else "NONE",
        )
    elif pixels.dtype != np.uint8:
        import imagecodecs

        encoded = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
        return _with_png_size(encoded, mm_per_texel)
    else:
        from PIL import Image

        kind = Image.registered_extensions()[extension]
        try:
            # The quality is for JPEG; the other formats ignore it.
            Image.fromarray(pixels).save(buffer, format=kind, quality=95, **_dpi(mm_per_texel))
        except OSError as error:
            height, width = pixels.shape[:2]
            raise UsageError(
                path, f"{width} x {height} pixels do not fit a {kind} file", "write .png or .tif"
            ) from error
    return buffer.getvalue()


def _dpi(mm_per_texel: float | None) -> dict[str, Any]:
    """Return what Pillow takes as a resolution, if JPEG can hold it, too."""
    dpi = 0.0 if mm_per_texel is None else dots_per_inch(mm_per_texel)
    return {"dpi": (dpi, dpi)} if 1 <= dpi < _MOST_DPI else {}


def _with_png_size(encoded: bytes, mm_per_texel: float | None) -> bytes:
    """Add the chunk pHYs with pixels per metre to a PNG file, behind its header."""
    per_metre = 0 if mm_per_texel is None else round(1000 / mm_per_texel)
    if not 1 <= per_metre < 2**31:
        return encoded
    chunk = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    framed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return encoded[:_PNG_HEADER] + framed + encoded[_PNG_HEADER:]


def _write_exr(path: Path, pixels: NDArray[Any]) -> None:
    """Write an image of any number of channels as OpenEXR, in linear light."""
    try:
        import OpenEXR
    except ImportError as error:
        raise UsageError(
            path, "OpenEXR needs the package OpenEXR", 'pip install "napari-btf[exr]"'
        ) from error
    if pixels.dtype.kind != "f":
        values = pixels.astype(np.float32) * np.float32(1.0 / np.iinfo(pixels.dtype).max)
        pixels = to_linear(values) if pixels.shape[2] in (1, 3) else values
    if pixels.dtype not in (np.float16, np.float32):
        pixels = pixels.astype(np.float32)
    count = pixels.shape[2]
    names = {1: ["Y"], 3: ["R", "G", "B"]}.get(count, [f"channel{i:04d}" for i in range(count)])
    channels = {name: np.ascontiguousarray(pixels[..., i]) for i, name in enumerate(names)}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with replacing(path, check=check_exr(path, pixels.shape)) as temporary:
        try:
            OpenEXR.File(header, channels).write(str(temporary))
        # OpenEXR raises a RuntimeError, not an OSError, if the file cannot be written.
        except RuntimeError as error:
            raise OSError(str(error)) from error
