"""The header of an image and the error of an unreadable one, shared by all image readers."""

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
        Text that completes the sentence 'FILE: the image ...'.
    remedy : str
        What the user can do.
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
    """Channel names of a spectral image if the file gives them ("400 nm"), else empty."""
    left_out: str = ""
    """Description of the channels that `decode` leaves out ("alpha channel"); may be empty."""
    said: tuple[str, ...] = ()
    """What `decode` changes, and what it leaves as it is: each completes "the images ..."."""
