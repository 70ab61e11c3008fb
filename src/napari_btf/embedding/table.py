"""Files of embeddings: CSV with the columns ``tsne_x,tsne_y,image_x,image_y[,region]``."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.errors import CoordinatesError
from napari_btf.files import write_file
from napari_btf.tables import LARGEST, quoted, read_number, read_text, rows_of
from napari_btf.texels.coordinates import RegionTexels, clean_name, parse_integers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

__all__ = ["EmbeddingTable", "read_embedding", "write_embedding"]

_COLUMNS = ("tsne_x", "tsne_y", "image_x", "image_y")
#: Largest side of an image in texels: a wrong coordinate must not make an image fill the memory.
_LARGEST_SIDE = 1 << 16
#: Size in bytes that the file may have if the size of the surface is not known.
_LARGEST_UNKNOWN = 1 << 30


class EmbeddingTable(NamedTuple):
    """Texels and their points in the plane, as an embedding file lists them."""

    points: NDArray[np.float64]
    """Points in the plane, (T, 2)."""
    coords: NDArray[np.intp]
    """Rows ``(y, x)`` of the texels, (T, 2), each texel once."""
    regions: tuple[str, ...] | None
    """Name of the region of each texel, "" for no region; None if the file has no such column."""

    def region_texels(self) -> RegionTexels | None:
        """Return the texels that belong to a region, or None if no texel does."""
        inside = [i for i, name in enumerate(self.regions or ()) if name]
        if self.regions is None or not inside:
            return None
        names: dict[str, int] = {}
        region_of = [names.setdefault(self.regions[i], len(names)) for i in inside]
        return RegionTexels(self.coords[inside], np.array(region_of, dtype=np.intp), tuple(names))


def write_embedding(
    path: str | Path,
    points: ArrayLike,
    coords: ArrayLike,
    regions: Sequence[str] | None = None,
) -> None:
    """Write a CSV file with the columns ``tsne_x,tsne_y,image_x,image_y[,region]``.

    Parameters
    ----------
    path : str or Path
    points : array_like, shape (T, 2)
        Points in the plane.
    coords : array_like of int, shape (T, 2)
        Rows ``(y, x)`` of their texels.
    regions : sequence of str, length T, optional
        Name of the region of each texel, "" for no region. Without it the file has no column
        ``region``.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    rows = zip(np.asarray(points).tolist(), np.asarray(coords).tolist(), strict=True)
    places = [(f"{px:.6g}", f"{py:.6g}", x, y) for (px, py), (y, x) in rows]
    if regions is None:
        table.writerow(_COLUMNS)
        table.writerows(places)
    else:
        table.writerow((*_COLUMNS, "region"))
        table.writerows(
            (*place, clean_name(name)) for place, name in zip(places, regions, strict=True)
        )
    write_file(path, text.getvalue().encode())


def read_embedding(
    path: str | Path, height: int | None = None, width: int | None = None
) -> EmbeddingTable:
    """Read a file of `write_embedding`, or of another program that writes the same columns.

    Parameters
    ----------
    path : str or Path
        A CSV file; columns of other names are ignored.
    height, width : int, optional
        Size of the surface, to check that it contains all texels.

    Raises
    ------
    CoordinatesError
        If the file cannot be used; the message names the line.
    """
    size = height or _LARGEST_SIDE, width or _LARGEST_SIDE
    expected = f"the header {','.join(_COLUMNS)}"
    largest = LARGEST + (128 * height * width if height and width else _LARGEST_UNKNOWN)
    text = read_text(path, f"a CSV file with {expected}", CoordinatesError, largest)
    rows = rows_of(path, text, _is_header)
    _, header = next(rows)
    if not _is_header(header):
        raise CoordinatesError(
            path, f"line 1 is {quoted(header)}, expected {expected}", "write it with embed"
        )
    header = [cell.lower() for cell in header]
    columns = [header.index(name) for name in _COLUMNS]
    region = header.index("region") if "region" in header else None
    texels: dict[tuple[int, int], tuple[float, float]] = {}
    regions: list[str] = []
    for number, row in rows:
        place = _place(path, number, row, columns[:2])
        x, y = parse_integers(path, number, row, columns[2:])
        if not (0 <= y < size[0] and 0 <= x < size[1]):
            raise CoordinatesError(
                path,
                f"line {number}: x={x}, y={y} lies outside the {size[1]} x {size[0]} image",
                "use the embedding of this surface",
            )
        if (y, x) in texels:
            raise CoordinatesError(
                path,
                f"line {number}: the texel x={x}, y={y} is listed twice",
                "remove one of the lines",
            )
        texels[y, x] = place
        if region is not None:
            regions.append(clean_name(row[region]) if region < len(row) else "")
    if not texels:
        raise CoordinatesError(path, "it has no texels", "write it with embed")
    return EmbeddingTable(
        np.array(list(texels.values()), dtype=np.float64),
        np.array(list(texels), dtype=np.intp),
        None if region is None else tuple(regions),
    )


def _is_header(cells: list[str]) -> bool:
    return set(_COLUMNS) <= {cell.lower() for cell in cells}


def _place(
    path: str | Path, number: int, row: list[str], columns: list[int]
) -> tuple[float, float]:
    """Parse the point of one row; raise a CoordinatesError if it is not two finite numbers."""
    cells = [row[column] if column < len(row) else "" for column in columns]
    try:
        x, y = map(read_number, cells)
    except ValueError:
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        raise CoordinatesError(
            path,
            f"line {number} is {quoted(row)}, expected two numbers in tsne_x and tsne_y",
            "correct the line",
        )
    return x, y
