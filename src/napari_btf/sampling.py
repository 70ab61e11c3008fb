"""Which texels: painted masks, sampling step, random choice, coordinate CSV files.

Coordinates are integer rows ``(y, x)`` inside the package and columns ``x,y`` in files.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_btf.errors import CoordinatesError, UsageError
from napari_btf.files import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "all_texels",
    "check_seed",
    "every_nth",
    "masked_texels",
    "random_texels",
    "read_coordinates",
    "write_coordinates",
]

Coordinates = NDArray[np.intp]


def all_texels(height: int, width: int) -> Coordinates:
    """Coordinates of every texel, row by row, shape (H * W, 2)."""
    return np.indices((height, width), dtype=np.intp).reshape(2, -1).T


def masked_texels(mask: ArrayLike) -> Coordinates:
    """Coordinates of the non-zero texels of an (H, W) mask or label image, row by row."""
    return np.argwhere(np.asarray(mask) != 0).astype(np.intp)


def every_nth(coords: ArrayLike, step: int) -> Coordinates:
    """Keep one of every ``step`` texels in both directions.

    The grid starts at the smallest x and y, so that a square of 10 texels at step 2 gives
    5 x 5 wherever it lies.

    Parameters
    ----------
    coords : array_like, shape (T, 2)
    step : int
        At least 1.
    """
    yx = np.asarray(coords, dtype=np.intp).reshape(-1, 2)
    if step < 1:
        raise UsageError(None, f"the sampling step is {step}", "use a step of 1 or more")
    if not len(yx):
        return yx
    # A larger step than any image has texels is as good as any other.
    return yx[np.all((yx - yx.min(axis=0)) % min(step, 2**31) == 0, axis=1)]


def random_texels(coords: ArrayLike, count: int, seed: int = 0) -> Coordinates:
    """Choose ``count`` of the texels at random, without repetition, in their given order.

    All of them if there are not more than ``count``.
    """
    yx = np.asarray(coords, dtype=np.intp).reshape(-1, 2)
    if count < 1:
        raise UsageError(None, f"{count} texels were asked for", "ask for 1 or more")
    check_seed(seed)
    if count >= len(yx):
        return yx
    return yx[np.sort(np.random.default_rng(seed).choice(len(yx), count, replace=False))]


def check_seed(seed: int) -> None:
    """Refuse a seed that not every generator of random numbers takes: it has 32 bits."""
    if not 0 <= seed < 2**32:
        raise UsageError(None, f"the seed is {seed}", "use 0 to 4294967295")


def read_coordinates(path: str | Path, height: int, width: int) -> Coordinates:
    """Read texel coordinates from a CSV file with the header ``x,y``.

    Parameters
    ----------
    path : str or Path
        x is the column, y the row, integers from 0. Further columns are ignored.
    height, width : int
        Size of the image they must lie in.

    Returns
    -------
    ndarray, shape (T, 2)
        Rows ``(y, x)`` in the order of the file, each once.

    Raises
    ------
    CoordinatesError
        Naming the line at fault.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise CoordinatesError(path, "there is no such file", "check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CoordinatesError(
            path, f"it cannot be read as text ({error})", "expected a CSV file with the header x,y"
        ) from error
    rows = _rows(path, text)
    header = [cell.strip() for cell in next(rows, [])]
    if "x" not in header or "y" not in header:
        other = len(header) == 1 and any(mark in header[0] for mark in ";\t |")
        raise CoordinatesError(
            path,
            f"line 1 is {_quoted(header)}, expected the header x,y",
            "separate the columns by commas" if other else "add the header line",
        )
    columns = header.index("x"), header.index("y")
    found: dict[tuple[int, int], None] = {}
    for number, row in enumerate(rows, start=2):
        if any(cell.strip() for cell in row):
            x, y = _integers(path, number, row, columns)
            if not (0 <= x < width and 0 <= y < height):
                raise CoordinatesError(
                    path,
                    f"line {number}: x={x}, y={y} lies outside the {width} x {height} image",
                    "use coordinates of this capture",
                )
            found[y, x] = None
    if not found:
        raise CoordinatesError(path, "it has no coordinates", "add lines of x,y")
    return np.array(list(found), dtype=np.intp)


def _rows(path: str | Path, text: str) -> Iterator[list[str]]:
    rows = csv.reader(text.splitlines())
    try:
        yield from rows
    except csv.Error as error:
        raise CoordinatesError(
            path, f"line {rows.line_num} cannot be read ({error})", "correct the line"
        ) from error


def _quoted(row: list[str]) -> str:
    text = ",".join(row)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _integers(
    path: str | Path, number: int, row: list[str], columns: tuple[int, int]
) -> tuple[int, int]:
    try:
        return int(row[columns[0]]), int(row[columns[1]])
    except (ValueError, IndexError) as error:
        raise CoordinatesError(
            path,
            f"line {number} is {_quoted(row)}, expected two integers",
            "correct the line",
        ) from error


def write_coordinates(path: str | Path, coords: ArrayLike) -> None:
    """Write texel coordinates as a CSV file with the header ``x,y``.

    Parameters
    ----------
    path : str or Path
    coords : array_like, shape (T, 2)
        Rows ``(y, x)``.
    """
    lines = ["x,y", *(f"{x},{y}" for y, x in np.asarray(coords, dtype=np.intp))]
    write_file(path, ("\n".join(lines) + "\n").encode(), CoordinatesError)
