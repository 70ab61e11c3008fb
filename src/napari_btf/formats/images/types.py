"""What a reader of image files says of an image before its pixels are decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ImageFileError", "ImageHeader"]


class ImageFileError(ValueError):
    """An image that cannot be read.

    Parameters
    ----------
    problem : str
        Completes 'FILE: the image ...'.
    remedy : str
        What to do about it.
    """

    def __init__(
        self, problem: str, remedy: str = "copy it again from the original or move it away"
    ) -> None:
        super().__init__(problem)
        self.remedy = remedy


class ImageHeader(NamedTuple):
    """Size and type of one image as `napari_btf.formats.images.files.decode` returns it."""

    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    channel_names: tuple[str, ...] = ()
    """Of images with other channels than grey or RGB, if the file names them ("400 nm")."""
    left_out: str = ""
    """What `decode` leaves out ("alpha channel"), or nothing."""
