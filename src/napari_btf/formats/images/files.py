"""Headers and pixels of single image files; the content, not the extension, tells the format."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from napari_btf.formats.images import colour_profiles, completeness, gate, looks, orientation
from napari_btf.formats.images import exr as _exr
from napari_btf.formats.images import radiance as _radiance
from napari_btf.formats.images import tiff as _tiff
from napari_btf.formats.images.foreign import foreign
from napari_btf.formats.images.pillow import open_image
from napari_btf.formats.images.types import ImageFileError, ImageHeader

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EXTENSIONS", "decode", "header"]

#: Extensions of files that count as images of a capture.
EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".tga", ".tif", ".tiff", ".exr", ".hdr", ".pic", ".webp"}
)

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"


def header(file: BinaryIO, size: int | None = None) -> ImageHeader:
    """Read size and type of an image without decoding its pixels.

    Parameters
    ----------
    file : binary file
        Seekable file, positioned at its start; only the header is read.
    size : int, optional
        Bytes of the file, if they are known without a look at its end.

    Raises
    ------
    ImageFileError
        If the file is not an image of a known format, or is too small for the pixels that it
        claims, or too large for the memory there is.
    """
    if size is None:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
    return looks.with_sayings(_stored_header(file, size))


def _stored_header(file: BinaryIO, size: int) -> ImageHeader:
    """Read the header of an image as it is stored, which may be turned."""
    start = file.read(32)
    file.seek(0)
    if not start:
        raise ImageFileError("is empty")
    other = foreign(start)
    if other is not None:
        raise other
    if start[:4] in _tiff.MAGIC:
        found = _tiff.header(file, size)
    elif start[:4] == _exr.MAGIC:
        found = _exr.header(file, size)
    elif start.startswith(_radiance.MAGIC):
        found = _radiance.header(file, size)
    else:
        found = _pillow_header(file, start, size)
    gate.check_memory(found)
    return found


def decode(data: bytes, turn: int | None = None) -> NDArray[Any]:
    """Decode the pixels of an image to sRGB, upright and without an alpha channel.

    Parameters
    ----------
    data : bytes
        The whole file.
    turn : int, optional
        An orientation (1 to 8) to use instead of the one that the file states.

    Returns
    -------
    ndarray, shape (H, W, C)
        Integers of 8 or 16 bits, or finite floats of linear radiance. C is 1, 3, or the number of
        channels of a spectral image.

    Raises
    ------
    ImageFileError
        If the file is damaged or of an unknown format, or has values that are not finite.
    """
    try:
        # The header comes first, because decoders allocate whatever it claims.
        found = _stored_header(io.BytesIO(data), len(data))
        completeness.check(data)
        pixels = _decode_jpeg(data)
        if pixels is None:
            pixels = np.atleast_3d(_decode(data, found))[:, :, : found.channels]
        pixels = looks.applied(np.atleast_3d(pixels), found, turn)
    except ImageFileError:
        raise
    except MemoryError as error:
        raise ImageFileError("needs more memory than there is", "close other programs") from error
    # Any exception is caught, because decoders of damaged files may raise any kind.
    except Exception as error:
        raise ImageFileError("is damaged or truncated") from error
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        count = int(np.count_nonzero(~np.isfinite(pixels)))
        raise ImageFileError(f"has {count} values that are infinite or not numbers")
    return pixels


def _decode_jpeg(data: bytes) -> NDArray[Any] | None:
    """Decode an ordinary JPEG image by libjpeg-turbo; return None for all other files.

    None is also returned for a file that seems truncated, because libjpeg-turbo would fill the
    missing pixels with grey, whereas Pillow reports an error.
    """
    import imagecodecs

    if not (data.startswith(_JPEG) and data.endswith(_JPEG_END)):
        return None
    pixels = np.asarray(imagecodecs.jpeg8_decode(data))
    return pixels if pixels.shape[2:] in ((), (3,)) else None


def _decode(data: bytes, found: ImageHeader) -> NDArray[Any]:
    import imagecodecs

    if data[:4] in _tiff.MAGIC:
        return _tiff.decode(data)
    if data[:4] == _exr.MAGIC:
        return _exr.decode(data)
    if data.startswith(_radiance.MAGIC):
        return _radiance.decode(data)
    if data.startswith(_PNG) and found.dtype == np.uint16:
        return np.asarray(imagecodecs.png_decode(data))
    with open_image(io.BytesIO(data), data[:32], len(data)) as image:
        if found.dtype == np.uint16:
            return np.asarray(image).astype(np.uint16)
        return np.asarray(image.convert("L" if found.channels == 1 else "RGB"))


def _pillow_header(file: BinaryIO, start: bytes, size: int) -> ImageHeader:
    with open_image(file, start, size) as image:
        mode, (width, height), info = image.mode, image.size, image.info
        animated = getattr(image, "is_animated", False)
    transparent = "transparency" in info
    if animated and start.startswith(b"RIFF"):
        raise ImageFileError("is a film of several images", "save its images one by one")
    deep_png = start.startswith(_PNG) and start[24] == 16
    bits16 = deep_png or mode.startswith("I;16") or mode == "I"
    if mode == "F":
        raise ImageFileError(
            "has floating point values, which are not supported in this format",
            "convert the images to TIFF or OpenEXR",
        )
    alpha = mode in ("LA", "PA", "RGBA", "La", "RGBa") or (mode == "P" and transparent)
    channels = 1 if mode in ("1", "L", "LA", "La", "I") or mode.startswith("I;16") else 3
    dtype = np.dtype("u2" if bits16 else "u1")
    way = orientation.of_info(info)
    if way == orientation.UPRIGHT and start.startswith(_PNG) and "exif" not in info:
        way = orientation.of_png_end(file)
    profile = info.get("icc_profile") or b""
    said = [colour_profiles.about_png(info)] if start.startswith(_PNG) else []
    if mode == "CMYK":
        # Pillow mixes the inks without a profile, so that the profile does not describe the result.
        profile = b""
        said.append("have four inks (CMYK) and were converted to RGB without a colour profile")
    return ImageHeader(
        height,
        width,
        channels,
        dtype,
        left_out="alpha channel" if alpha else "",
        orientation=way,
        profile=colour_profiles.kept(profile),
        said=tuple(filter(None, said)),
    )
