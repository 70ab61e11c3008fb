"""The images of a capture as one lazy array; every format of single image files uses it.

Checks the headers of all images when a capture is opened and names the one that does not fit.
Which images belong to the capture, and their directions, is the formats' own matter.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from napari_btf.errors import CaptureError
from napari_btf.formats._files import read_bytes
from napari_btf.formats._images import ImageFileError, ImageHeader, decode, header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.btf import Frames

__all__ = ["lazy_frames"]

_HEADER_BYTES = 1 << 16


def lazy_frames(root: Path, names: Sequence[str]) -> tuple[Frames, list[str]]:
    """Open the images of a capture without decoding their pixels.

    Parameters
    ----------
    root : Path
        The folder or zip archive.
    names : sequence of str
        Relative names of at least one image, in the order of the observations.

    Returns
    -------
    frames : Frames, shape (N, H, W, C)
        Reading one raises `CaptureError` if the image is damaged, gone or
        changed by then.
    notes : list of str
        What was left out, in sentences.

    Raises
    ------
    CaptureError
        An image that cannot be read, or whose size or type differs from the others'.
    """
    shape, alpha = _common_header(root, names)
    frames = _Frames(root, names, shape)
    return frames, ["the alpha channel of the images was left out"] if alpha else []


def _common_header(root: Path, names: Sequence[str]) -> tuple[ImageHeader, bool]:
    """The header all images share, and whether any has an alpha channel."""
    with ThreadPoolExecutor(4) as pool:
        headers = list(pool.map(lambda name: _header(root, name), names))
    # The odd ones out are named, not the majority.
    shapes: dict[tuple[Any, ...], int] = {}
    for found in headers:
        shapes[found[:4]] = shapes.get(found[:4], 0) + 1
    usual = max(shapes, key=lambda shape: shapes[shape])
    for name, found in zip(names, headers, strict=True):
        if found[:4] != usual:
            raise CaptureError(
                root / name,
                f"the image is {_describe(found[:4])}, the other images are {_describe(usual)}",
                "all images of a capture need one size and type; convert it or move it away",
            )
    return headers[0], any(found.has_alpha for found in headers)


def _describe(shape: tuple[Any, ...]) -> str:
    height, width, channels, dtype = shape
    return f"{width} x {height} {'grey' if channels == 1 else 'RGB'} {dtype.itemsize * 8} bit"


def _header(root: Path, name: str) -> ImageHeader:
    try:
        start = read_bytes(root, name, _HEADER_BYTES)
        try:
            return header(start)
        except ImageFileError:
            if len(start) < _HEADER_BYTES:
                raise
            return header(start, read_bytes(root, name))
    except ImageFileError as problem:
        raise _unreadable(root, name, f"the image {problem}") from problem
    except OSError as error:
        raise _unreadable(root, name, f"it cannot be read ({error.strerror or error})") from error


def _unreadable(root: Path, name: str, problem: str) -> CaptureError:
    return CaptureError(root / name, problem, "copy it again from the original or move it away")


class _Frames:
    """The images as one lazy (N, H, W, C) array; the unit of reading is one image."""

    def __init__(self, root: Path, names: Sequence[str], found: ImageHeader) -> None:
        self.root = root
        self.names = list(names)
        self.dtype = found.dtype
        self.shape = (len(self.names), found.height, found.width, found.channels)

    def __getitem__(self, i: int, /) -> NDArray[Any]:
        name = self.names[i]
        try:
            pixels = decode(read_bytes(self.root, name))
        except ImageFileError as problem:
            raise _unreadable(self.root, name, f"the image {problem}") from problem
        except OSError as error:
            message = f"it cannot be read ({error.strerror or error})"
            raise _unreadable(self.root, name, message) from error
        if pixels.shape != self.shape[1:] or pixels.dtype != self.dtype:
            raise _unreadable(self.root, name, "the image changed since the capture was opened")
        return pixels
