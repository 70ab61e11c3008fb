"""Tables of numbers in text files, as spreadsheets, scripts and people write them anywhere.

A table has a header that names its columns, in any order, and a line for each row. Columns are
separated by commas, semicolons, tabs, bars or blanks: whichever makes the header understood. So
decimals may follow a comma, where commas do not separate. Files are UTF-8, UTF-16 or Windows-1252,
with any ends of lines.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from napari_btf.errors import BTFError, CoordinatesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "LARGEST",
    "decode_text",
    "header_cells",
    "quoted",
    "read_number",
    "read_text",
    "rows_of",
]

LARGEST = 64 << 20
"""Maximum size of a text file in bytes, unless it may list more."""
_SEPARATORS = (",", ";", "\t", "|", None)
"""In the order in which they are tried; None stands for blanks."""
#: Excel may be told the separator by a first line.
_SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_UNIT = re.compile(r"\s*[(\[]\s*(°|deg|degrees?|grad)\s*[)\]]\s*$", re.IGNORECASE)
_MOST_FOREIGN = 0.3
"""Maximum share of bytes beyond ASCII in a text of one byte per letter."""


def decode_text(data: bytes) -> str:
    """Decode text in UTF-8, UTF-16 or Windows-1252."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    # Without a byte order mark, every second byte of most letters is zero.
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(data) > 1 and 2 * data[first:64:2].count(0) > len(data[first:64:2]):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def read_text(
    path: str | Path,
    expected: str,
    failure: type[BTFError] = CoordinatesError,
    largest: int = LARGEST,
) -> str:
    """Read a text file.

    Parameters
    ----------
    path : str or Path
    expected : str
        What the file should be, for the error messages.
    failure : type of BTFError
        Class of the error that is raised.
    largest : int
        Maximum size in bytes.

    Raises
    ------
    BTFError
        Of the class ``failure``, if the file cannot be read, is too large, or is no text.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(largest + 1)
    except FileNotFoundError as error:
        raise failure(path, "there is no such file", "check the path") from error
    # Python reports paths that no system can have, as with a NUL, as a ValueError.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise failure(path, f"it cannot be read ({reason})", f"expected {expected}") from error
    if len(data) > largest:
        raise failure(path, f"it is larger than {largest >> 20} MiB", f"expected {expected}")
    text = decode_text(data)
    foreign = 0 if _is_unicode(data) else sum(data.translate(_IS_FOREIGN))
    if "\0" in text or foreign > _MOST_FOREIGN * len(data):
        raise failure(path, "it cannot be read as text", f"expected {expected}")
    return text.removeprefix("\ufeff")


_IS_FOREIGN = bytes(byte >= 128 for byte in range(256))


def _is_unicode(data: bytes) -> bool:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def rows_of(
    path: str | Path,
    text: str,
    accepts: Callable[[list[str]], bool],
    failure: type[BTFError] = CoordinatesError,
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of the header, and then of each line that is not empty.

    Parameters
    ----------
    path : str or Path
        Used in messages.
    text : str
    accepts : callable
        Whether the cells of a header name the columns that are needed. If they do not, whatever
        separates them, the header is yielded as if commas did.
    failure : type of BTFError

    Raises
    ------
    BTFError
        Of the class ``failure``, if a line has more cells than the header, or cannot be read.
    """
    lines = io.StringIO(text, newline=None)
    number, header, separator = _header(lines, accepts)
    yield number, header
    cells_of: Iterator[list[str]]
    if separator is None:
        cells_of = (line.split() for line in lines)
        reader = None
    else:
        cells_of = reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    count = 0
    try:
        for count, cells in enumerate(cells_of, start=1):
            if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
                continue
            line = number + (count if reader is None else reader.line_num)
            if any(cell.strip() for cell in cells[len(header) :]):
                raise failure(
                    path,
                    f"line {line} is {quoted(cells)}, it has more columns than the header",
                    "separate columns by semicolons if commas mark decimals",
                )
            yield line, cells
    except csv.Error as error:
        line = number + (reader.line_num if reader else count)
        raise failure(path, f"line {line} cannot be read ({error})", "correct the line") from error


def header_cells(text: str, accepts: Callable[[list[str]], bool]) -> list[str]:
    """Return the cells of the header of a table, whose text may end anywhere behind it."""
    try:
        return _header(io.StringIO(text, newline=None), accepts)[1]
    except csv.Error:
        return []


def _header(
    lines: io.StringIO, accepts: Callable[[list[str]], bool]
) -> tuple[int, list[str], str | None]:
    """Read up to the header; return its line number, its cells, and what separates them."""
    number, line, told = 0, "", None
    for line in lines:
        number += 1
        sep = _SEP.fullmatch(line.strip())
        if sep is not None:
            told = sep[1]
        elif line.strip():
            break
    line = line.strip("\n").lstrip("# ")
    for separator in (told,) if told else _SEPARATORS:
        cells = _cells(line, separator)
        if accepts(cells):
            return number, cells, separator
    return max(number, 1), _cells(line, ","), ","


def _cells(line: str, separator: str | None) -> list[str]:
    try:
        cells = line.split() if separator is None else next(csv.reader([line], delimiter=separator))
    except (csv.Error, StopIteration, TypeError):
        return [line]
    return [_UNIT.sub("", cell).strip() for cell in cells]


def read_number(cell: str) -> float:
    """Return the number in a cell, whose decimals may follow a comma.

    Raises
    ------
    ValueError
        If it is no number in ASCII digits.
    """
    text = cell.strip().replace("\u2212", "-").removesuffix("°").rstrip()
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    return float(text.replace(",", ".", 1) if "." not in text else text)


def quoted(row: list[str]) -> str:
    """Return a line of a table in quotes for a message, truncated to 60 characters."""
    text = ",".join(row)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
