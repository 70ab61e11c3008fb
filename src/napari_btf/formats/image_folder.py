"""Folders (or zip archives) of images whose names contain their angles.

Known forms of names, with angles in degrees:

- ``NNNNN tlTTT plPPP tvTTT pvPPP.jpg`` (Bonn UBO2003), in one folder or one folder per view;
- ``img_tv0_pv0_tl15_pl0.jpg``, ``tl000_pl000_tv000_pv000.png`` (UTIA), and similar names.

tl and pl are theta and phi of the light, tv and pv those of the view; longer keys such as theta_l
or phi_view are also known. The keys may be in any order, with spaces, underscores or hyphens
between them. For other names the user gives a pattern (a regular expression).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.btf import BTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import CaptureError
from napari_btf.formats.capture_files import (
    ReadOptions,
    file_names,
    image_names,
    iter_image_names,
    light_files,
    quoted,
)
from napari_btf.formats.frames import lazy_frames, list_of
from napari_btf.formats.image_names import (
    Angles,
    AnglesError,
    NamePattern,
    check_angles,
    parse_angles,
)
from napari_btf.formats.image_sets import (
    check_radians,
    check_sets,
    hyphens,
    unclear_endings,
    without_twins,
)
from napari_btf.formats.what_is_there import file_instead, folder_instead, names_instead

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["read", "recognises"]

_KNOWN_NAME = '"img_tv0_pv0_tl15_pl0.jpg"'
KNOWN_NAMES = f'images named "00000 tl000 pl000 tv000 pv000.jpg" or {_KNOWN_NAME}'
_UNKNOWN = "it is no capture of a known kind", "expected a folder of images or a zip of one"

_LOOK_AT_MOST = 2000


def recognises(path: Path) -> bool:
    """Return whether some of the first image names in a folder or zip contain angles."""
    try:
        if not (path.is_dir() or path.suffix.lower() == ".zip"):
            return False
        names = itertools.islice(iter_image_names(path), _LOOK_AT_MOST)
        return any(_carries_angles(name) for name in names)
    except Exception:
        # Any exception means "no", because this is asked of every path a user drops on the viewer.
        return False


def read(path: Path, options: ReadOptions | None = None) -> BTF:
    """Open a folder or zip archive of images that are named with their angles.

    Names and image headers are checked now; pixels are read on access.

    Raises
    ------
    CaptureError
        If there are no images, no name contains angles, an angle is out of range, an image is
        unreadable, or images differ in size or type.
    UsageError
        If the pattern is invalid.
    """
    options = options or ReadOptions()
    if path.is_file():
        instead = file_instead(path)
        if instead is not None or path.suffix.lower() != ".zip":
            raise CaptureError(path, *(instead or _UNKNOWN))
    names = image_names(path)
    if not names:
        problem, remedy = _instead(path) or ("there is no image in it", f"expected {KNOWN_NAMES}")
        raise CaptureError(path, problem, remedy)
    pattern = None if options.pattern is None else NamePattern(options.pattern)
    parsed, notes = _parse_all(path, names, pattern or parse_angles, options.skip_bad)
    if not parsed:
        raise _without_angles(path, names, pattern is not None)
    parsed, more = _together(path, parsed, options.skip_bad, spelt=pattern is None)
    notes += more
    for name in light_files(path)[:1]:
        remedy = "; open the .lp file itself to use it" if path.is_dir() else ""
        notes.append(f'"{name}" was not used, because the image names give the angles{remedy}')
    opened = lazy_frames(path, list(parsed), options.skip_bad)
    angles_of = np.array(list(parsed.values()), dtype=np.float64)[opened.kept]
    return BTF(
        frames=opened.frames,
        light=angles_to_vectors(angles_of[:, 0], angles_of[:, 1]),
        view=angles_to_vectors(angles_of[:, 2], angles_of[:, 3]),
        source=str(path),
        format="image folder" if path.is_dir() else "zip of images",
        notes=(*notes, *opened.notes),
        channel_names=opened.channel_names,
    )


def _instead(path: Path) -> tuple[str, str] | None:
    """Say what a folder or zip holds in place of images with angles."""
    if path.is_dir():
        return folder_instead(path)
    return file_instead(path) or names_instead(file_names(path))


def _without_angles(path: Path, names: Sequence[str], by_pattern: bool) -> CaptureError:
    if by_pattern:
        return CaptureError(
            path,
            f"the pattern matches no image name (found {quoted(names)})",
            "correct the pattern, which is searched in the names with their folders",
        )
    instead = _instead(path)
    if instead is not None:
        return CaptureError(path, *instead)
    return CaptureError(
        path,
        f"no image name contains the light and view angles (found {quoted(names)})",
        f"rename the images like {_KNOWN_NAME} (degrees), give a pattern, or add the .lp file of "
        "an RTI capture",
    )


def _together(
    path: Path, parsed: dict[str, Angles], skip_bad: bool, spelt: bool
) -> tuple[dict[str, Angles], list[str]]:
    """Check what all names say together; ``spelt`` means that no pattern told the angles."""
    notes = []
    if spelt:
        unclear = unclear_endings(list(parsed))
        if unclear and (not skip_bad or len(unclear) == len(parsed)):
            raise CaptureError(
                path / unclear[0],
                "the digits at the end of the name may be decimals of the last angle",
                "write decimals with a dot, or give a pattern that says what is an angle",
            )
        if unclear:
            notes.append(f"{len(unclear)} images with unclear digits at the end were left out")
            parsed = {name: parsed[name] for name in parsed if name not in set(unclear)}
        parsed, more = hyphens(parsed)
        notes += more
    check_radians(path, list(parsed.values()))
    parsed, more = without_twins(path, parsed, skip_bad)
    check_sets(path, parsed)
    return parsed, notes + more


def _carries_angles(name: str) -> bool:
    try:
        return parse_angles(name) is not None
    except AnglesError:
        # The name is recognised, so that `read` can report the error in it.
        return True


def _parse_all(
    path: Path,
    names: Sequence[str],
    parse: Callable[[str], Angles | None],
    skip_bad: bool,
) -> tuple[dict[str, Angles], list[str]]:
    """Parse the angles of all images that have them; also return notes on the other images."""
    parsed: dict[str, Angles] = {}
    without: list[str] = []
    wrong: list[str] = []
    for name in names:
        try:
            angles = parse(name)
            if angles is None:
                without.append(name)
                continue
            check_angles(angles)
        except AnglesError as problem:
            if not skip_bad:
                remedy = "correct the name, or leave the image out with --skip-bad"
                raise CaptureError(path / name, str(problem), remedy) from problem
            wrong.append(f'"{name}" ({problem})')
            continue
        parsed[name] = angles
    notes = []
    if without:
        notes.append(
            f"{len(without)} images without angles in their names were left out, "
            f'the first is "{without[0]}"'
        )
    if wrong:
        notes.append(f"{len(wrong)} images with wrong names were left out: {list_of(wrong)}")
    return parsed, notes
