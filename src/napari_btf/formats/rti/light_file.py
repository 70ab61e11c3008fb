"""Parser of .lp files, which give the light direction of each image.

The first line is the number of images, every other line is ``name x y z``, with x right, y up and
z towards the camera, as HP Labs' PTM fitter defined it
(http://www.hpl.hp.com/research/ptm/MakingPTMsViaLP.htm). Many programs write such files, and people
edit them by hand, so the parser accepts unusual but unambiguous forms and notes them.
`napari_btf.formats.rti.reader` finds the files to which the names refer.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.errors import CaptureError
from napari_btf.formats.capture_files import quoted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["LAYOUTS", "Layout", "LightFile", "parse_light_file"]

_COUNT = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:e[+-]?[0-9]+)?|nan|inf(?:inity)?)", re.IGNORECASE
)
_LONGEST_NUMBER = 64
#: A length that differs from 1 by more than this is noted; rounding to four decimals causes less.
_UNIT_TOLERANCE = 1e-3
#: Rounding may put a light on the horizon slightly below it (z = -0.0002 in HP's own example).
_HORIZON = math.sin(math.radians(0.5))


_INDEX = re.compile(r"[0-9]+[\s,;]+(?=\S)")
_OR_SKIP = "or leave it out with --skip-bad"


class Layout(NamedTuple):
    """What stands on each line beside ``name x y z``."""

    indexed: bool = False
    """Whether a number stands before the name."""
    behind: int = 0
    """Number of numbers behind the vector, such as an intensity."""
    counted: bool = False
    """Whether only as many lines count as the first line says."""

    def describe(self) -> str:
        """Return the words for a note; empty for the ordinary layout."""
        found = ["an index before each name"] if self.indexed else []
        return ", ".join(found + [f"{self.behind} numbers behind each vector"] * bool(self.behind))


#: In the order in which they are tried: the first whose images all exist is taken.
LAYOUTS = (
    Layout(),
    Layout(counted=True),
    *(Layout(index, behind) for behind in (0, 1, 2, 3) for index in (True, False)),
)


class LightFile(NamedTuple):
    """The contents of an .lp file."""

    names: list[str]
    """Image names as written in the file, without quotes."""
    lines: list[int]
    """Line number of each name, from 1."""
    light: NDArray[np.float64]
    """Unit vectors, shape (N, 3)."""
    notes: list[str]
    """Sentences about what the parser tolerated."""


class _Entry(NamedTuple):
    name: str
    numbers: list[str]
    line: int


def parse_light_file(
    path: Path, text: str, layout: Layout = LAYOUTS[0], skip_bad: bool = False
) -> LightFile:
    """Parse the text of an .lp file.

    Parameters
    ----------
    path : Path
        Path of the file, used in messages.
    text : str
        Content of the file.
    layout : Layout
        What stands on each line beside name and vector.
    skip_bad : bool
        Leave out wrong lines, with a note, as long as one line is right.

    Raises
    ------
    CaptureError
        If lines are missing, a line is not ``name x y z``, or a vector is not a light direction
        (not finite, zero, or behind the surface).
    """
    oddities: dict[str, None] = dict.fromkeys([layout.describe()] if layout.describe() else [])
    wrong: list[CaptureError] = []
    if text.startswith("\ufeff"):
        text = text[1:]
        oddities["a byte order mark"] = None
    count, entries = _entries(path, text, oddities, layout, wrong)
    if wrong and not skip_bad:
        raise wrong[0]
    entries, notes = _counted(path, count, entries, layout, skip_bad)
    found: list[tuple[_Entry, tuple[float, ...]]] = []
    for entry in entries:
        try:
            found.append((entry, _vector(path, entry, oddities)))
        except CaptureError as error:
            wrong.append(error)
    if wrong and not (skip_bad and found):
        raise wrong[0]
    if not found:
        raise CaptureError(
            path, "it names no image", 'expected the number of images, then "name x y z" lines'
        )
    kept, light, more = _directions(path, found, skip_bad)
    if oddities:
        more.insert(0, f"{path.name} was read in spite of {', '.join(oddities)}")
    if wrong:
        more.append(f"{len(wrong)} lines were left out: {wrong[0].problem}")
    names, lines = [entry.name for entry in kept], [entry.line for entry in kept]
    return LightFile(names, lines, light, more + notes)


def _counted(
    path: Path, count: int | None, entries: list[_Entry], layout: Layout, skip_bad: bool
) -> tuple[list[_Entry], list[str]]:
    """Compare the entries with the number of images that the first line says."""
    says = f"the first line of {path.name} says {count} images"
    if count is None:
        return entries, [f"the first line of {path.name} does not say how many images there are"]
    if not entries or count == len(entries):
        return entries, []
    if len(entries) < count:
        if skip_bad:
            return entries, [f"{says}, but only {len(entries)} lines follow"]
        raise CaptureError(
            path,
            f"the first line says {count} images, but only {len(entries)} lines follow",
            "get the whole file, correct the number if none is missing, or use --skip-bad",
        )
    if layout.counted and count:
        note = "and only the first of them were used, because images of the others are missing"
        return entries[:count], [f"{says}, but it names {len(entries)}, {note}"]
    return entries, [f"{says}, but it names {len(entries)}, and all of them were used"]


def _entries(
    path: Path,
    text: str,
    oddities: dict[str, None],
    layout: Layout,
    wrong: list[CaptureError],
) -> tuple[int | None, list[_Entry]]:
    """Parse all lines; return the stated number of images (None if missing) and the entries.

    An error for each line that cannot be parsed is added to ``wrong``.
    """
    count = None
    entries: list[_Entry] = []
    last = 0
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if not line.strip():
            continue
        if number > last + 1:
            oddities["blank lines"] = None
        first, last = not last, number
        if line[0].isspace():
            oddities["leading blanks"] = None
        if "\t" in line:
            oddities["tabs"] = None
        if first and _COUNT.fullmatch(line.strip()):
            count = int(line.strip())
            continue
        columns = _columns(line, oddities, layout)
        if columns is None:
            expected = "the number of images" if first else "an image name and the numbers x y z"
            problem = f'line {number} is "{_short(line.strip())}", expected {expected}'
            wrong.append(CaptureError(path, problem, f"correct the line, {_OR_SKIP}"))
            continue
        entries.append(_Entry(*columns, number))
    return count, entries


def _columns(line: str, oddities: dict[str, None], layout: Layout) -> tuple[str, list[str]] | None:
    """Split a line into a name and three numbers, from its end, because names may have spaces."""
    bare = line.rstrip(",; \t")
    numbers = 3 + layout.behind
    for separator in (None, ";", ","):
        given = [part.strip() for part in bare.rsplit(separator, numbers)]
        parts = [part.rstrip(",;").rstrip() for part in given]
        if len(parts) == numbers + 1 and all(map(_is_number, parts[1:])):
            break
    else:
        return None
    name = parts[0]
    if layout.indexed:
        index = _INDEX.match(name)
        if index is None:
            return None
        name = name[index.end() :]
    if separator or parts != given or bare != line.rstrip():
        oddities["commas or semicolons between columns"] = None
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1].strip()
        oddities["quotes"] = None
    if "\\" in name:
        oddities["backslashes in names"] = None
    return (name, parts[1:4]) if name else None


def _is_number(text: str) -> bool:
    return len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) is not None


def _vector(path: Path, entry: _Entry, oddities: dict[str, None]) -> tuple[float, ...]:
    if any("," in number for number in entry.numbers):
        oddities["decimal commas"] = None
    vector = tuple(float(number.replace(",", ".")) for number in entry.numbers)
    if not all(map(math.isfinite, vector)):
        raise CaptureError(
            path,
            f"line {entry.line} has the vector {_short(' '.join(entry.numbers))}, "
            "expected three finite numbers",
            f"correct the line, {_OR_SKIP}",
        )
    if not any(vector):
        raise CaptureError(
            path,
            f"line {entry.line} has the vector 0 0 0, which is not a direction",
            f"correct the line, {_OR_SKIP}",
        )
    return vector


def _directions(
    path: Path, found: list[tuple[_Entry, tuple[float, ...]]], skip_bad: bool
) -> tuple[list[_Entry], NDArray[np.float64], list[str]]:
    """Normalise vectors and move lights from just below the horizon onto it.

    Returns
    -------
    list of _Entry
        Those whose lights are used; with ``skip_bad``, not those of lights behind the surface.
    ndarray, shape (N, 3)
    list of str
        Notes.
    """
    entries = [entry for entry, _ in found]
    vectors = np.array([vector for _, vector in found])
    notes = []
    # Divided by the largest component first, because squares could overflow or underflow.
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled = vectors / largest
    norm = np.linalg.norm(scaled, axis=1, keepdims=True)
    light = scaled / norm
    with np.errstate(over="ignore"):
        length = (norm * largest)[:, 0]
    if np.abs(length - 1).max() > _UNIT_TOLERANCE:
        lengths = " to ".join(dict.fromkeys(f"{x:.3g}" for x in (length.min(), length.max())))
        notes.append(f"the vectors in {path.name} are {lengths} long and were normalised")
    behind = light[:, 2] < -_HORIZON
    if behind.any():
        first = entries[int(np.argmax(behind))]
        more = f" (and of {behind.sum() - 1} more)" if behind.sum() > 1 else ""
        problem = (
            f"the light of line {first.line}{more} lies behind the surface "
            f"(z = {_short(first.numbers[2])})"
        )
        if not skip_bad or behind.all():
            raise CaptureError(
                path,
                f"{problem}, z points from the surface to the camera",
                f"correct the sign of z, {_OR_SKIP}",
            )
        notes.append(f"{behind.sum()} images were left out: {problem}")
        entries = [entry for entry, away in zip(entries, behind, strict=True) if not away]
        light = light[~behind]
    below = light[:, 2] < 0
    if below.any():
        light[below, 2] = 0.0
        light[below] /= np.linalg.norm(light[below], axis=1, keepdims=True)
        notes.append(
            "lights less than half a degree below the horizon were moved onto it: "
            + quoted([entry.name for entry, low in zip(entries, below, strict=True) if low])
        )
    return entries, light, notes


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
