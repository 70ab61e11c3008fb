"""Binary files that are read value after value, and never past their end."""

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
    """Reads little-endian values one after the other.

    Nothing is allocated before it is known that the file holds as much.

    Parameters
    ----------
    path : Path
        Named in errors.
    file : file object
        The file, open at its start.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self.size = os.fstat(file.fileno()).st_size
        #: What is being read, named in errors.
        self.part = "header"

    @property
    def left(self) -> int:
        """Bytes up to the end of the file."""
        return self.size - self.file.tell()

    def require(self, count: int) -> None:
        """Refuse the file if it does not have ``count`` more bytes."""
        if count > self.left:
            raise self.error(
                f"the file ends within its {self.part} "
                f"({count} more bytes were expected, {self.left} are left)"
            )

    def error(self, problem: str, remedy: str = COPY_AGAIN) -> CaptureError:
        """The error that names this file."""
        return CaptureError(self.path, problem, remedy)

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        self.require(count)
        return self.file.read(count)

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes that have to be there."""
        self.require(count)
        self.file.seek(count, os.SEEK_CUR)

    def integer(self) -> int:
        """The next 32 bits without sign."""
        return int(struct.unpack("<I", self.take(4))[0])

    def floats(self, count: int) -> NDArray[np.float64]:
        """The next ``count`` numbers in single precision."""
        with np.errstate(invalid="ignore"):
            return np.frombuffer(self.take(4 * count), dtype="<f4").astype(np.float64)
