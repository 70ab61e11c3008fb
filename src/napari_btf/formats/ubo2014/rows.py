"""Rows of the matrices in a BTF file, read as they are needed.

The file is not memory-mapped, because a mapped file that gets shorter, or whose network drive goes
away, ends the whole process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from napari_btf.errors import CaptureError
from napari_btf.formats.ubo2014.cursor import COPY_AGAIN

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.formats.ubo2014.header import Matrix

__all__ = ["Rows"]

_GAP = 16 << 10
"""Unused bytes between two rows that are read together, which is faster than two reads."""


class Rows:
    """An open file of ``size`` bytes, used in a ``with`` block, so that no file stays open."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self._file: BinaryIO | None = None

    def __enter__(self) -> Rows:
        """Open the file; raise a CaptureError if it has another size."""
        try:
            self._file = self.path.open("rb")
        except OSError as error:
            message = error.strerror or error
            raise CaptureError(self.path, f"it cannot be read ({message})", COPY_AGAIN) from error
        if os.fstat(self._file.fileno()).st_size != self.size:
            self._file.close()
            raise self._changed()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def of(self, matrix: Matrix, total: int, which: NDArray[np.intp]) -> NDArray[Any]:
        """Read the rows that belong to some of the ``total`` texels or observations.

        Returns
        -------
        ndarray, shape (len(which), rows of each, columns)
        """
        each = matrix.rows // total * matrix.columns
        if not len(which):
            return np.empty((0, matrix.rows // total, matrix.columns), dtype=matrix.dtype)
        needed, place = np.unique(which, return_inverse=True)
        apart = np.diff(needed) * each * matrix.dtype.itemsize > _GAP
        parts = []
        for run in np.split(needed, np.flatnonzero(apart) + 1):
            first, end = int(run[0]), int(run[-1]) + 1
            found = self._read(matrix, first, end, each)
            parts.append(found if len(run) == end - first else found[run - first])
        rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
        # Rows that are wanted in their order, as all rows of an image are, need no copy.
        rows = rows if np.array_equal(needed, which) else rows[place]
        return rows.reshape(len(which), -1, matrix.columns)

    def _read(self, matrix: Matrix, first: int, end: int, each: int) -> NDArray[Any]:
        assert self._file is not None
        size = each * matrix.dtype.itemsize
        content = np.empty((end - first) * size, dtype=np.uint8)
        try:
            self._file.seek(matrix.offset + first * size)
            whole = self._file.readinto(content.data) == content.size  # type: ignore[attr-defined]
        except OSError as error:
            message = error.strerror or error
            raise CaptureError(self.path, f"it cannot be read ({message})", COPY_AGAIN) from error
        if not whole:
            raise self._changed()
        return content.view(matrix.dtype).reshape(end - first, each)

    def _changed(self) -> CaptureError:
        return CaptureError(self.path, "the file changed since it was opened", "open it again")
