"""CSV files of texel coordinates, with the columns ``x,y`` and optionally ``region``.

The files list x before y, whereas arrays inside the package have rows ``(y, x)``.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.errors import CoordinatesError
from napari_btf.files import write_file
from napari_btf.tables import LARGEST, quoted, read_text, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "RegionTexels",
    "clean_name",
    "parse_integers",
    "read_coordinates",
    "read_regions",
    "write_coordinates",
]

#: Stricter than `int`, which also accepts forms such as 1_000.
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")


class RegionTexels(NamedTuple):
    """Texels and the regions they belong to."""

    coords: NDArray[np.intp]
    """Rows ``(y, x)``, shape (T, 2), each texel once."""
    region_of: NDArray[np.intp]
    """Index of each texel's region in ``names``, shape (T,); zeros if ``names`` is empty."""
    names: tuple[str, ...]
    """Names of the regions in the order of the file; empty without the column ``region``."""


def clean_name(name: str) -> str:
    """Return a region's name in the form that files keep: one line, no control characters."""
    kept = (c for c in name if c.isspace() or unicodedata.category(c) not in ("Cc", "Cs"))
    return " ".join("".join(kept).split())


def read_coordinates(path: str | Path, height: int, width: int) -> NDArray[np.intp]:
    """Read texel coordinates from a CSV file with the header ``x,y``.

    Parameters
    ----------
    path : str or Path
        In the file, x is the column and y the row of a texel, both integers from 0. Other columns
        are ignored.
    height, width : int
        Size of the image in texels.

    Returns
    -------
    ndarray, shape (T, 2)
        Rows ``(y, x)`` in the order of the file, each texel once.

    Raises
    ------
    CoordinatesError
        If the file cannot be read, or a line is wrong (the message names the line).
    """
    found = {yx: None for _, yx, _ in _texels(path, height, width)}
    if not found:
        raise CoordinatesError(path, "it has no coordinates", "add lines of x,y")
    return np.array(list(found), dtype=np.intp)


def read_regions(path: str | Path, height: int, width: int) -> RegionTexels:
    """Read texel coordinates and, where the file has the column ``region``, their regions.

    Parameters
    ----------
    path : str or Path
        As for `read_coordinates`; the column ``region`` contains names.
    height, width : int
        Size of the image in texels.

    Raises
    ------
    CoordinatesError
        As for `read_coordinates`; also if a texel is in two regions or, where the file has the
        column ``region``, in none.
    """
    texels: dict[tuple[int, int], int] = {}
    names: dict[str, int] = {}
    for number, (y, x), region in _texels(path, height, width):
        if region is None:
            texels[y, x] = 0
            continue
        name = clean_name(region)
        if not name:
            raise CoordinatesError(
                path, f"line {number} has no region", "name the region of every texel"
            )
        label = names.setdefault(name, len(names))
        if texels.setdefault((y, x), label) != label:
            raise CoordinatesError(
                path,
                f"line {number}: x={x}, y={y} already belongs to another region",
                "list every texel in one region only",
            )
    if not texels:
        raise CoordinatesError(path, "it has no coordinates", "add lines of x,y")
    return RegionTexels(
        np.array(list(texels), dtype=np.intp),
        np.array(list(texels.values()), dtype=np.intp),
        tuple(names),
    )


def write_coordinates(
    path: str | Path, coords: ArrayLike, regions: Sequence[str] | None = None
) -> None:
    """Write texel coordinates as a CSV file with the header ``x,y`` or ``x,y,region``.

    Parameters
    ----------
    path : str or Path
    coords : array_like, shape (T, 2)
        Rows ``(y, x)``.
    regions : sequence of str, length T, optional
        The name of the region of each texel.
    """
    yx = np.asarray(coords, dtype=np.intp).reshape(-1, 2)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    if regions is None:
        table.writerow(("x", "y"))
        table.writerows(yx[:, ::-1].tolist())
    else:
        table.writerow(("x", "y", "region"))
        table.writerows(
            (x, y, clean_name(name)) for (y, x), name in zip(yx.tolist(), regions, strict=True)
        )
    write_file(path, text.getvalue().encode(), CoordinatesError)


def _texels(
    path: str | Path, height: int, width: int
) -> Iterator[tuple[int, tuple[int, int], str | None]]:
    """Yield line number, (y, x) and region of each texel; the region is None without a column."""
    # A line of a texel takes some ten bytes; names of regions may be longer.
    largest = LARGEST + 64 * height * width
    text = read_text(path, "a CSV file with the header x,y", CoordinatesError, largest)
    rows = rows_of(path, text, _is_header)
    _, header = next(rows)
    if not _is_header(header):
        raise CoordinatesError(
            path, f"line 1 is {quoted(header)}, expected the header x,y", "add the header line"
        )
    names = [cell.lower() for cell in header]
    columns = names.index("x"), names.index("y")
    region = names.index("region") if "region" in names else None
    for number, row in rows:
        x, y = parse_integers(path, number, row, columns)
        if not (0 <= x < width and 0 <= y < height):
            raise CoordinatesError(
                path,
                f"line {number}: x={x}, y={y} lies outside the {width} x {height} image",
                "use coordinates of this capture",
            )
        if region is None:
            yield number, (y, x), None
        else:
            yield number, (y, x), row[region] if region < len(row) else ""


def _is_header(cells: list[str]) -> bool:
    return {"x", "y"} <= {cell.lower() for cell in cells}


def parse_integers(
    path: str | Path, number: int, row: list[str], columns: Sequence[int]
) -> tuple[int, int]:
    """Parse the integers in two columns of a line; raise a CoordinatesError if it fails."""
    cells = [row[column] if column < len(row) else "" for column in columns]
    if all(_INTEGER.fullmatch(cell) for cell in cells):
        try:
            return int(cells[0]), int(cells[1])
        except ValueError:
            # Python refuses to convert integers of thousands of digits.
            pass
    raise CoordinatesError(
        path, f"line {number} is {quoted(row)}, expected two integers", "correct the line"
    )
