"""The bytes of image stacks: values that stand one after another in a .npy or TIFF file.

Nothing is memory-mapped, because a mapped file that gets shorter, or whose network drive goes away,
ends the whole process. A read of the same bytes only fails, and that can be said.
"""

from __future__ import annotations

import math
import os
import threading
import warnings
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from napari_btf.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["COPY_AGAIN", "StoredValues", "open_npy", "open_tiff"]

COPY_AGAIN = "copy it again from the original"
_LARGEST_BY_COLUMNS = 1 << 30
"""Maximum size in bytes of an array in Fortran order, which is read as a whole."""


class StoredValues:
    """An array in a file, uncompressed; its images are read one at a time.

    Parameters
    ----------
    path : Path
    shape : tuple of int
    dtype : numpy dtype
        As in the file, with its byte order.
    offset : int
        Position of the first value in the file.
    by_columns : bool
        Whether the first axis runs fastest in the file (Fortran order).

    Raises
    ------
    CaptureError
        If the array has no values, no simple type, or more bytes than the file.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        offset: int,
        by_columns: bool = False,
    ) -> None:
        self.path, self.shape, self.dtype, self.offset = path, shape, dtype, offset
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in shape):
            raise CaptureError(path, "the shape in its header is not valid", COPY_AGAIN)
        if dtype.kind not in "biufc" or not dtype.itemsize:
            raise CaptureError(
                path, "it does not contain plain numbers", "save the images as an array of numbers"
            )
        if 0 in shape:
            raise CaptureError(
                path, f"it is empty: its shape is {_product(shape)}", "save the images again"
            )
        size = math.prod(shape) * dtype.itemsize
        there = path.stat().st_size - offset
        if size > there:
            raise CaptureError(
                path, f"it is cut off: it has {max(there, 0)} of {size} bytes", COPY_AGAIN
            )
        if by_columns and size > _LARGEST_BY_COLUMNS:
            raise CaptureError(
                path,
                "its first axis runs fastest (Fortran order), which is read only up to 1 GiB",
                "save it with numpy.ascontiguousarray",
            )
        self._by_columns = by_columns
        self._whole: NDArray[Any] | None = None
        self._lock = threading.Lock()

    def images(self, shape: tuple[int, ...]) -> Callable[[int], NDArray[Any]]:
        """Return a function that reads the i-th image, if the array is given this shape."""
        count = math.prod(shape[1:])

        def image(i: int) -> NDArray[Any]:
            if not 0 <= i < shape[0]:
                raise IndexError(i)
            if self._by_columns:
                return np.asarray(self._all().reshape(shape)[i])
            return self._read(i * count, count).reshape(shape[1:])

        return image

    def _all(self) -> NDArray[Any]:
        with self._lock:
            if self._whole is None:
                flat = self._read(0, math.prod(self.shape))
                self._whole = np.ascontiguousarray(flat.reshape(self.shape[::-1]).T)
            return self._whole

    def _read(self, start: int, count: int) -> NDArray[Any]:
        """Read ``count`` values; the file is open only meanwhile, so that threads do not share."""
        content = np.empty(count * self.dtype.itemsize, dtype=np.uint8)
        place = self.offset + start * self.dtype.itemsize
        try:
            with self.path.open("rb") as file:
                # The size is looked at first, because a file may shrink to nothing.
                whole = os.fstat(file.fileno()).st_size >= place + content.size
                file.seek(place)
                whole = whole and file.readinto(content.data) == content.size
        except OSError as error:
            raise CaptureError(
                self.path, f"it cannot be read ({error.strerror or error})", COPY_AGAIN
            ) from error
        if not whole:
            raise CaptureError(self.path, "it got shorter since it was opened", "open it again")
        return content.view(self.dtype)


def open_npy(path: Path) -> StoredValues:
    """Read the header of a .npy file.

    Raises
    ------
    CaptureError
        If the file is damaged, empty, or does not contain plain numbers. Pickled objects, which
        may run code, are never loaded.
    """
    # Any exception is caught, because numpy evaluates the header as an expression of Python. Its
    # warnings are about that expression, too.
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            shape, by_columns, dtype = _npy_header(file)
            offset = file.tell()
    except Exception as error:
        raise CaptureError(path, "it is damaged or not a .npy array", COPY_AGAIN) from error
    return StoredValues(path, shape, dtype, offset, by_columns)


def _npy_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    # Version 3 differs only in the names of columns, which arrays of numbers do not have.
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(version)


def open_tiff(path: Path) -> StoredValues | tuple[list[Any], Any]:
    """Open a TIFF file.

    Returns
    -------
    StoredValues, or (pages, file)
        If the values are compressed or scattered, the pages of the first series, and the closed
        `tifffile.TiffFile` to open for reading them.

    Raises
    ------
    CaptureError
        If the file is damaged or empty.
    """
    import tifffile

    # Any exception is caught, because decoders of damaged files may raise any kind.
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            shape = tuple(int(length) for length in series.shape)
            dtype, offset = np.dtype(series.dtype), series.dataoffset
            dtype = dtype.newbyteorder(file.byteorder)
            pages = [] if offset is not None else [series[i] for i in range(len(series))]
    except Exception as error:
        raise CaptureError(path, "it is damaged or not a TIFF file", COPY_AGAIN) from error
    if offset is None:
        return pages, file
    return StoredValues(path, shape, dtype, int(offset))


def _product(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "()"
