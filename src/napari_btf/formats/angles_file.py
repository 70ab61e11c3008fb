"""CSV files of light and view angles, one line per image, in the order of an image stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.directions import angles_to_vectors
from napari_btf.errors import CaptureError
from napari_btf.formats.image_names import (
    KEYS,
    Angles,
    AnglesError,
    check_angles,
    in_radians,
    key_of,
)
from napari_btf.tables import decode_text, header_cells, quoted, read_number, read_text, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["AnglesFile", "is_angles_file", "read_angles_file"]

_EXPECTED = "expected the header theta_l,phi_l,theta_v,phi_v and lines of degrees"
_HEADER_BYTES = 4096


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
        with path.open("rb") as file:
            start = decode_text(file.read(_HEADER_BYTES)).removeprefix("\ufeff")
        return _columns(header_cells(start, _is_header)) is not None
    except OSError:
        return False


def read_angles_file(path: Path) -> AnglesFile:
    """Read the light and view angles of a stack of images.

    Parameters
    ----------
    path : Path
        A CSV file with the header ``theta_l,phi_l,theta_v,phi_v`` (or ``tl,pl,tv,pv``), in
        degrees. Other columns are ignored. Without view columns every view is 0, 0. Semicolons,
        tabs or blanks may separate the columns, too: see `napari_btf.tables`.

    Raises
    ------
    CaptureError
        If the file cannot be read, or a line is wrong (the message names the line).
    """
    text = read_text(path, _EXPECTED.removeprefix("expected "), CaptureError)
    rows = rows_of(path, text, _is_header, CaptureError)
    _, header = next(rows)
    columns = _columns(header)
    if columns is None:
        raise CaptureError(path, f"line 1 is {quoted(header)}", _EXPECTED)
    angles = []
    for number, row in rows:
        try:
            values = {key: read_number(row[column]) for key, column in columns.items()}
            found = Angles(*(values.get(key, 0.0) for key in KEYS))
            check_angles(found)
        except (ValueError, IndexError, AnglesError) as error:
            reason = f" ({error})" if isinstance(error, AnglesError) else ""
            raise CaptureError(
                path,
                f"line {number} is {quoted(row)}, expected angles in degrees{reason}",
                "correct the line",
            ) from error
        angles.append(found)
    if not angles:
        raise CaptureError(path, "it has no angles", _EXPECTED)
    table = np.array(angles)
    if in_radians(table):
        raise CaptureError(
            path,
            "all thetas are below 1.6 and all phis below 6.3, as in radians",
            "give the angles in degrees",
        )
    return AnglesFile(
        angles_to_vectors(table[:, 0], table[:, 1]),
        angles_to_vectors(table[:, 2], table[:, 3]),
        "tv" in columns,
    )


def _is_header(cells: list[str]) -> bool:
    return _columns(cells) is not None


def _columns(header: list[str]) -> dict[str, int] | None:
    """Return the column index of each key; None if a key is missing or appears twice."""
    columns: dict[str, int] = {}
    for i, cell in enumerate(header):
        key = key_of(cell.strip())
        if key is not None and columns.setdefault(key, i) != i:
            return None
    return columns if set(columns) in ({"tl", "pl"}, set(KEYS)) else None
