"""Sequential reading of binary files, with checks against the end of the file."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from napari_btf.errors import CaptureError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["COPY_AGAIN", "Cursor"]

COPY_AGAIN = "copy it again from the original"


class Cursor:
    """A reader of consecutive little-endian values.

    No memory is allocated before the size of the file is checked.

    Parameters
    ----------
    path : Path
        Path of the file, used in error messages.
    file : file object
        The file, positioned at its start.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self.size = os.fstat(file.fileno()).st_size
        #: Name of the part that is being read, used in error messages.
        self.part = "header"

    @property
    def left(self) -> int:
        """Number of bytes up to the end of the file."""
        return self.size - self.file.tell()

    def require(self, count: int) -> None:
        """Raise a CaptureError unless the file has at least ``count`` more bytes."""
        if count > self.left:
            raise self.error(
                f"the file ends within its {self.part} "
                f"({count} more bytes were expected, {self.left} are left)"
            )

    def error(self, problem: str, remedy: str = COPY_AGAIN) -> CaptureError:
        """Return a CaptureError that names this file."""
        return CaptureError(self.path, problem, remedy)

    def take(self, count: int) -> bytes:
        """Read the next ``count`` bytes."""
        self.require(count)
        return self.file.read(count)

    def skip(self, count: int) -> None:
        """Skip ``count`` bytes, which must exist."""
        self.require(count)
        self.file.seek(count, os.SEEK_CUR)

    def integer(self) -> int:
        """Read an unsigned 32-bit integer."""
        return int(struct.unpack("<I", self.take(4))[0])

    def floats(self, count: int) -> NDArray[np.float64]:
        """Read ``count`` float32 numbers, shape (count,)."""
        with np.errstate(invalid="ignore"):
            return np.frombuffer(self.take(4 * count), dtype="<f4").astype(np.float64)
