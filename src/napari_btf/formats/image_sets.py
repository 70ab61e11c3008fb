"""What the names of all images of a capture say together, about angles and twins.

One name alone does not tell whether digits at its end are an index, whether a hyphen is a sign, or
whether angles are in radians.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from posixpath import dirname, splitext
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.errors import CaptureError
from napari_btf.formats.capture_files import quoted
from napari_btf.formats.image_names import Angles, ending_of, in_radians

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["check_radians", "check_sets", "hyphens", "unclear_endings", "without_twins"]

#: Of twins in two formats, the first of these is kept if there are as many of both.
_PREFERRED = (".exr", ".hdr", ".tif", ".tiff", ".png", ".bmp", ".tga", ".jpg", ".jpeg")


def unclear_endings(names: Sequence[str]) -> list[str]:
    """Return the names whose last number is followed by digits that may be its decimals.

    None is returned if the digits are the same in all names, or number the images.
    """
    endings = {name: ending_of(name) for name in names}
    if not any(endings.values()) or len(set(endings.values())) == 1:
        return []
    if all(endings.values()):
        places = {(dirname(name), int(digits)) for name, digits in endings.items()}
        numbers = [number for _, number in places]
        if len(places) == len(names) and max(numbers) - min(numbers) < 2 * len(names):
            return []
    return [name for name, digits in endings.items() if digits]


def hyphens(parsed: Mapping[str, Angles]) -> tuple[dict[str, Angles], list[str]]:
    """Read hyphens as separators if one stands before each number of all names; return notes, too.

    Hyphens before some of the numbers are minus signs, as documented.
    """
    signed = np.signbit(np.array(list(parsed.values()), dtype=np.float64))
    if signed.all():
        note = "the hyphens before all numbers of the names were taken for separators"
        return {name: Angles(*(-v for v in angles)) for name, angles in parsed.items()}, [note]
    always = [key for key, column in zip(Angles._fields, signed.T, strict=True) if column.all()]
    if always and len(parsed) > 1:
        words = " and ".join(key.replace("_", " of the ") for key in always)
        note = f"the hyphens before all numbers of {words} were taken for minus signs"
        return dict(parsed), [note]
    return dict(parsed), []


def check_radians(path: Path, angles: Sequence[Angles]) -> None:
    """Raise a CaptureError if the angles seem to be in radians."""
    if in_radians(np.array(angles, dtype=np.float64)):
        raise CaptureError(
            path,
            "all thetas are below 1.6 and all phis below 6.3, as in radians",
            "give the angles in degrees",
        )


def without_twins(
    path: Path, parsed: Mapping[str, Angles], skip_bad: bool
) -> tuple[dict[str, Angles], list[str]]:
    """Leave out the second of two files that differ only in their extensions, with a note.

    Raises
    ------
    CaptureError
        If there are such files, without ``skip_bad``.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in parsed:
        groups[splitext(name)[0].casefold()].append(name)
    twins = [names for names in groups.values() if len(names) > 1]
    if not twins:
        return dict(parsed), []
    if not skip_bad:
        raise CaptureError(
            path,
            f"{len(twins)} images are there more than once, such as {quoted(twins[0])}",
            "move one kind of files elsewhere, or leave it out with --skip-bad",
        )
    usual = Counter(splitext(name)[1] for name in parsed)

    def rank(name: str) -> tuple[int, int, str]:
        kind = splitext(name)[1]
        order = _PREFERRED.index(kind.lower()) if kind.lower() in _PREFERRED else len(_PREFERRED)
        return -usual[kind], order, name

    left_out = {name for names in twins for name in sorted(names, key=rank)[1:]}
    note = f"{len(left_out)} images were left out, because they are there in another format, too"
    return {name: angles for name, angles in parsed.items() if name not in left_out}, [note]


def check_sets(path: Path, parsed: Mapping[str, Angles]) -> None:
    """Raise a CaptureError if several folders hold images of the same angles.

    Single pairs that two folders share are left alone; they are listed as repeated.
    """
    folders: dict[Angles, set[str]] = defaultdict(set)
    for name, angles in parsed.items():
        folders[angles].add(dirname(name))
    shared = [angles for angles in parsed.values() if len(folders[angles]) > 1]
    if 2 * len(shared) < len(parsed) or not shared:
        return
    places = [folder or "." for folder in sorted(folders[shared[0]])]
    raise CaptureError(
        path,
        f"its folders {quoted(places)} hold images of the same angles, so it seems to be several "
        "captures",
        "open one of them, or move the others elsewhere",
    )
