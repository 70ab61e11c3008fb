"""The relit image as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_btf.export.images import write_image
from napari_btf.relighting.shots import finished

if TYPE_CHECKING:
    from napari_btf.relighting.shots import Frame

__all__ = ["IMAGE_FILES", "save_image"]

IMAGE_FILES = "Images (*.png *.tif *.tiff *.jpg *.bmp *.tga)"


def save_image(frame: Frame, path: str) -> None:
    """Write an image as it is shown, with all its texels; TIFF keeps radiance.

    Raises
    ------
    UsageError
        If it cannot be written.
    """
    target = Path(path)
    if not target.suffix:
        target = target.with_suffix(".png")
    frame = finished(frame)
    is_tiff = target.suffix.lower() in (".tif", ".tiff")
    write_image(target, frame.stored if is_tiff else frame.pixels)
