"""Writing images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.errors import UsageError
from napari_btf.files import write_file
from napari_btf.values import to_display

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["write_image"]

_PILLOW = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tga"})
_TIFF = frozenset({".tif", ".tiff"})


def write_image(path: str | Path, pixels: NDArray[Any]) -> None:
    """Write an image in the format of its extension.

    Parameters
    ----------
    path : str or Path
        ``.png .tif .tiff`` keep 16 bits; ``.jpg .jpeg .bmp .tga`` hold 8. Radiance is kept
        by TIFF, the others get it as 8-bit sRGB with 1 as white.
    pixels : ndarray of uint8, uint16 or float, shape (H, W, C)
        One or three channels; TIFF holds any number.

    Raises
    ------
    UsageError
        For an unknown extension or a place that cannot be written to.
    """
    path = Path(path)
    extension = path.suffix.lower()
    if extension not in _TIFF:
        pixels = to_display(pixels)
    if extension not in _PILLOW | _TIFF:
        raise UsageError(
            path,
            f"images are not written as {extension or 'a file without extension'}",
            f"use one of {' '.join(sorted(_PILLOW | _TIFF))}",
        )
    channels = pixels.shape[2]
    if channels not in (1, 3) and extension not in _TIFF:
        raise UsageError(path, f"the image has {channels} channels", "write .tif")
    if channels == 1:
        pixels = pixels[:, :, 0]
    if pixels.dtype != np.uint8 and extension in _PILLOW - {".png"}:
        pixels = (pixels >> 8).astype(np.uint8)
    write_file(path, _encoded(path, extension, pixels))


def _encoded(path: Path, extension: str, pixels: NDArray[Any]) -> bytes:
    """The content of an image file. In memory: not every encoder tells of a full disk."""
    buffer = io.BytesIO()
    if extension in _TIFF:
        import tifffile

        photometric = "rgb" if pixels.shape[2:] == (3,) else "minisblack"
        planes = "contig" if pixels.ndim == 3 else None
        tifffile.imwrite(buffer, pixels, photometric=photometric, planarconfig=planes)
    elif pixels.dtype != np.uint8:
        import imagecodecs

        return bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
    else:
        from PIL import Image

        kind = Image.registered_extensions()[extension]
        try:
            # PNG and the others pass over what is only for JPEG.
            Image.fromarray(pixels).save(buffer, format=kind, quality=95)
        except OSError as error:
            height, width = pixels.shape[:2]
            raise UsageError(
                path, f"{width} x {height} pixels do not fit a {kind} file", "write .png or .tif"
            ) from error
    return buffer.getvalue()
