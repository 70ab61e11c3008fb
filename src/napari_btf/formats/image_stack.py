"""Stacks of images in one .tif or .npy file, with a .csv file of their angles beside it.

For example, the lines of ``cloth.csv`` (see `napari_btf.formats.angles_file`) give the angles of
the images in ``cloth.tif``, in the same order. The stack has the axes (..., y, x) or
(..., y, x, channel); the number of lines decides which of the two.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.btf import BTF
from napari_btf.errors import CaptureError
from napari_btf.formats.angles_file import is_angles_file, read_angles_file
from napari_btf.formats.stack_axes import with_channels_last
from napari_btf.formats.stack_files import COPY_AGAIN, StoredValues, open_npy, open_tiff

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.btf.observations import Frames
    from napari_btf.formats.capture_files import ReadOptions

__all__ = ["EXTENSIONS", "image_shape", "read", "recognises"]

EXTENSIONS = frozenset({".tif", ".tiff", ".npy"})


def recognises(path: Path) -> bool:
    """Return whether a path is an image stack with a file of angles, or that file; never raises."""
    try:
        return _stack_and_angles(path) is not None
    except OSError:
        return False


def read(path: Path, options: ReadOptions | None = None) -> BTF:
    """Open a stack of images with a CSV file of angles beside it.

    Raises
    ------
    CaptureError
        If one of the two files is missing or damaged, or they do not match.
    """
    found = _stack_and_angles(path)
    if found is None:
        table = path.with_suffix(".csv")
        there = f'"{table.name}" beside it does not name angles in its first line'
        raise CaptureError(
            path,
            there if table.is_file() else "there is no file of angles for this stack",
            f'add "{path.with_suffix(".csv").name}" with the header theta_l,phi_l,theta_v,phi_v '
            "and a line for each image, or open a folder of images",
        )
    stack, table = found
    angles = read_angles_file(table)
    frames: Frames = (_open_npy if stack.suffix.lower() == ".npy" else _open_tiff)(
        stack, table, len(angles.light)
    )
    if stack.suffix.lower() != ".npy":
        frames = with_channels_last(stack, frames)
    notes = [] if angles.has_view else [f"{table.name} has no views, so they are set to 0, 0"]
    return BTF(
        frames=frames,
        light=angles.light,
        view=angles.view,
        source=str(stack),
        format="image stack",
        notes=tuple(notes),
    )


def image_shape(shape: tuple[int, ...], count: int) -> tuple[int, int, int] | None:
    """Return the shape (H, W, C) of the images if a stack of ``shape`` has ``count``, else None."""
    if len(shape) >= 3 and math.prod(shape[:-2]) == count:
        return shape[-2], shape[-1], 1
    if len(shape) >= 4 and math.prod(shape[:-3]) == count:
        return shape[-3], shape[-2], shape[-1]
    return None


def _stack_and_angles(path: Path) -> tuple[Path, Path] | None:
    if path.suffix.lower() in EXTENSIONS and path.is_file():
        tables = (path.with_suffix(".csv"), path.with_suffix(".CSV"))
        return next(((path, table) for table in tables if is_angles_file(table)), None)
    if path.suffix.lower() == ".csv" and is_angles_file(path):
        for extension in sorted(EXTENSIONS):
            if path.with_suffix(extension).is_file():
                return path.with_suffix(extension), path
    return None


class _StackFrames:
    """The images of a stack as one lazy (N, H, W, C) array."""

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int, int],
        dtype: np.dtype[Any],
        get: Callable[[int], NDArray[Any]],
    ) -> None:
        self.path = path
        self.shape = shape
        # Files of either byte order are converted to the native one.
        self.dtype = dtype.newbyteorder("=")
        self._get = get

    def __getitem__(self, i: int, /) -> NDArray[Any]:
        # Any exception is caught, because decoders of damaged files may raise any kind.
        try:
            pixels = np.asarray(self._get(int(i))).reshape(self.shape[1:])
            pixels = pixels.astype(self.dtype, copy=False)
        except CaptureError:
            raise
        except Exception as error:
            raise CaptureError(self.path, f"its image {i} cannot be read", COPY_AGAIN) from error
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            raise CaptureError(
                self.path, f"its image {i} has values that are not finite", COPY_AGAIN
            )
        return pixels


def _open_npy(path: Path, table: Path, count: int) -> _StackFrames:
    values = open_npy(path)
    whole = (count, *_fitting(path, table, values.shape, count))
    return _StackFrames(path, whole, values.dtype, values.images(whole))


def _open_tiff(path: Path, table: Path, count: int) -> _StackFrames:
    opened = open_tiff(path)
    if isinstance(opened, StoredValues):
        whole = (count, *_fitting(path, table, opened.shape, count))
        return _StackFrames(path, whole, opened.dtype, opened.images(whole))
    pages, file = opened
    series = file.series[0]
    whole = (count, *_fitting(path, table, tuple(map(int, series.shape)), count))
    if len(pages) != count:
        raise CaptureError(
            path,
            f"its {count} images are spread over {len(pages)} pages",
            "save one image per page",
        )
    lock = threading.Lock()

    def page(i: int) -> NDArray[Any]:
        found = pages[i]
        if found is None:
            raise IndexError(i)
        # The lock is needed because all threads share one file position. The file is closed after
        # each page, so that no file stays open.
        with lock:
            file.filehandle.open()
            with file.filehandle:
                return np.asarray(found.asarray())

    return _StackFrames(path, whole, np.dtype(series.dtype), page)


def _fitting(path: Path, table: Path, shape: tuple[int, ...], count: int) -> tuple[int, int, int]:
    found = image_shape(shape, count)
    if found is None:
        raise CaptureError(
            path,
            f"its shape is {_product(shape)}, {table.name} has {count} lines of angles",
            "the file of angles needs one line for each image",
        )
    if 0 in found:
        raise CaptureError(
            path, f"its images are empty: its shape is {_product(shape)}", "save the images again"
        )
    return found


def _product(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "()"
