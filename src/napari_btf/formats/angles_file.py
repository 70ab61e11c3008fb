"""CSV files of light and view angles, one line per image, in the order of an image stack."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.directions import angles_to_vectors
from napari_btf.errors import CaptureError
from napari_btf.formats.image_names import KEYS, Angles, AnglesError, check_angles, key_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["AnglesFile", "is_angles_file", "read_angles_file"]

_EXPECTED = "expected the header theta_l,phi_l,theta_v,phi_v and lines of degrees"
_HEADER_BYTES = 4096
_LARGEST = 64 << 20


class AnglesFile(NamedTuple):
    """The directions in a file of angles."""

    light: NDArray[np.float64]
    """Unit vectors, shape (N, 3)."""
    view: NDArray[np.float64]
    """Unit vectors, shape (N, 3)."""
    has_view: bool
    """Whether the file gives views; if not, all views are theta 0, phi 0."""


def is_angles_file(path: Path) -> bool:
    """Return whether a file starts with a header that names the angles; never raises."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return _columns(next(csv.reader([file.readline(_HEADER_BYTES)]), [])) is not None
    except (OSError, csv.Error):
        return False


def read_angles_file(path: Path) -> AnglesFile:
    """Read the light and view angles of a stack of images.

    Parameters
    ----------
    path : Path
        A CSV file with the header ``theta_l,phi_l,theta_v,phi_v`` (or ``tl,pl,tv,pv``), in
        degrees. Other columns are ignored. Without view columns every view is 0, 0.

    Raises
    ------
    CaptureError
        If the file cannot be read, or a line is wrong (the message names the line).
    """
    rows = _rows(path)
    columns = _columns(rows[0]) if rows else None
    if columns is None:
        first = ",".join(rows[0]) if rows else ""
        raise CaptureError(path, f"line 1 is {first[:80]!r}", _EXPECTED)
    angles = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            values = {key: float(row[column]) for key, column in columns.items()}
            found = Angles(*(values.get(key, 0.0) for key in KEYS))
            check_angles(found)
        except (ValueError, IndexError, AnglesError) as error:
            reason = f" ({error})" if isinstance(error, AnglesError) else ""
            raise CaptureError(
                path,
                f"line {number} is {','.join(row)[:80]!r}, expected angles in degrees{reason}",
                "correct the line",
            ) from error
        angles.append(found)
    if not angles:
        raise CaptureError(path, "it has no angles", _EXPECTED)
    table = np.array(angles)
    return AnglesFile(
        angles_to_vectors(table[:, 0], table[:, 1]),
        angles_to_vectors(table[:, 2], table[:, 3]),
        "tv" in columns,
    )


def _rows(path: Path) -> list[list[str]]:
    try:
        if path.stat().st_size > _LARGEST:
            raise CaptureError(path, "it is larger than any list of angles", _EXPECTED)
        return list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise CaptureError(path, f"it cannot be read ({reason})", _EXPECTED) from error


def _columns(header: list[str]) -> dict[str, int] | None:
    """Return the column index of each key; None if a key is missing or appears twice."""
    columns: dict[str, int] = {}
    for i, cell in enumerate(header):
        key = key_of(cell.strip())
        if key is not None and columns.setdefault(key, i) != i:
            return None
    return columns if set(columns) in ({"tl", "pl"}, set(KEYS)) else None
