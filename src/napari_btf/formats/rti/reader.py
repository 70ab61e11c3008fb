r"""Reader of RTI captures: images of a fixed camera and an .lp file of light directions.

A capture is a folder (or a zip archive of one) with the .lp file at its top or one level below, or
the path of the .lp file itself. The file often contains paths of another machine
(``C:\Leaves\91-001.jpg``), so the reader searches for the full path, then without its first
folders, down to the bare file name. Every observation has the view (0, 0, 1).
"""

from __future__ import annotations

import unicodedata
from functools import cached_property
from itertools import product
from pathlib import PurePosixPath
from posixpath import splitext
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.btf import BTF
from napari_btf.errors import CaptureError
from napari_btf.formats.capture_files import (
    ReadOptions,
    image_names,
    iter_light_files,
    light_files,
    quoted,
    read_bytes,
)
from napari_btf.formats.frames import lazy_frames
from napari_btf.formats.rti.light_file import LAYOUTS, LightFile, parse_light_file
from napari_btf.formats.what_is_there import folder_instead
from napari_btf.tables import decode_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read", "recognises"]

_LARGEST = 4 << 20
"""Maximum size of an .lp file in bytes, enough for some 60,000 images."""
_AT_MOST = 100
"""Maximum number of .lp files in a folder that are examined."""


class _Series(NamedTuple):
    """An .lp file and the images to which it refers."""

    name: str
    lights: LightFile
    images: list[str]
    light: NDArray[np.float64]
    """Unit vectors of ``images``, shape (N, 3)."""
    notes: list[str]


def recognises(path: Path) -> bool:
    """Return whether a path is an .lp file, or a folder or zip with one near its top."""
    try:
        if path.is_dir() or path.suffix.lower() == ".zip":
            return any(True for _ in iter_light_files(path))
        return path.suffix.lower() == ".lp" and path.is_file()
    except Exception:
        # Any exception means "no", because this is asked of every path a user drops on the viewer.
        return False


def read(path: Path, options: ReadOptions | None = None) -> BTF:
    """Open an RTI capture.

    The .lp file and the image headers are checked now; pixels are read on access. Among several
    .lp files, only those whose images all exist qualify; of these, the one nearest to the top is
    used, and of several on one level the one with the most images.

    Parameters
    ----------
    path : Path
        A folder, a zip archive, or an .lp file whose images lie beside it or below.

    Raises
    ------
    CaptureError
        If there is no usable .lp file, images are missing or named twice, one folder contains
        several captures, or an image is unreadable or differs from the others.
    """
    options = options or ReadOptions()
    chosen = not path.is_dir() and path.suffix.lower() == ".lp"
    root = path.parent if chosen else path
    candidates = [path.name] if chosen else light_files(path)
    if not candidates:
        raise CaptureError(
            path,
            "there is no .lp file in it",
            'expected a file with the number of images, then "name x y z" lines',
        )
    names = image_names(root)
    series, notes = _choose(root, candidates, _Images(names), options.skip_bad)
    used = set(series.images)
    unused = [name for name in names if name not in used]
    if unused:
        notes.append(f"images that {series.name} does not name were left out: {quoted(unused)}")
    opened = lazy_frames(root, series.images, options.skip_bad)
    return BTF(
        frames=opened.frames,
        light=series.light[opened.kept],
        view=np.tile([0.0, 0.0, 1.0], (len(opened.kept), 1)),
        source=str(root),
        format="RTI folder" if root.is_dir() else "RTI zip",
        notes=(*notes, *series.lights.notes, *series.notes, *opened.notes),
        channel_names=opened.channel_names,
    )


# --------------------------------------------------------------------------- which .lp file


def _choose(
    root: Path, candidates: Sequence[str], images: _Images, skip_bad: bool
) -> tuple[_Series, list[str]]:
    """Choose the .lp file to use; also return notes that say why."""
    usable: list[_Series] = []
    refused: list[CaptureError] = []
    for name in candidates[:_AT_MOST]:
        try:
            usable.append(_open(root, name, images, skip_bad))
        except CaptureError as error:
            refused.append(error)
    if not usable:
        raise refused[0]
    usable.sort(key=lambda s: (s.name.count("/"), -len(s.images), s.name))
    best = usable[0]
    if len(candidates) == 1:
        return best, []
    folders = _captures(usable)
    if len(folders) > 1:
        raise CaptureError(
            root,
            f"it contains {len(folders)} RTI captures, in its folders {quoted(folders)}",
            "open one of these" if root.is_dir() else "unpack it and open one of these",
        )
    reason = (
        "it is the only one whose images all exist"
        if len(usable) == 1
        else "its images all exist, it lies nearest to the top and names the most images"
    )
    others = [name for name in candidates if name != best.name]
    return best, [f'"{best.name}" was used, not {quoted(others)}: {reason}']


def _captures(usable: Sequence[_Series]) -> list[str]:
    """List the folders of .lp files that share no images; empty if one file lies at the top."""
    seen: set[str] = set()
    folders: dict[str, None] = {}
    for series in usable:
        if seen.isdisjoint(series.images):
            folders[str(PurePosixPath(series.name).parent)] = None
        seen.update(series.images)
    return [] if "." in folders else list(folders)


def _open(root: Path, name: str, images: _Images, skip_bad: bool) -> _Series:
    place = root / name
    try:
        data = read_bytes(root, name, _LARGEST + 1)
    except OSError as error:
        raise CaptureError(
            place, f"it cannot be read ({error.strerror or error})", "copy it again"
        ) from error
    if len(data) > _LARGEST:
        raise CaptureError(
            place,
            f"it is larger than {_LARGEST >> 20} MB, too large for a file of light directions",
            'expected a text with the number of images, then "name x y z" lines',
        )
    starts = [str(folder) for folder in PurePosixPath(name).parents]
    lights, located = _understood(place, decode_text(data), starts, images, skip_bad)
    found, notes = _all_there(place, lights, located, skip_bad)
    there = {line: image for line, image in enumerate(found) if image is not None}
    notes += _spelling_notes(name, starts, [(lights.names[i], there[i]) for i in there])
    return _Series(name, lights, list(there.values()), lights.light[list(there)], notes)


def _understood(
    place: Path, text: str, starts: Sequence[str], images: _Images, skip_bad: bool
) -> tuple[LightFile, list[str | None]]:
    """Parse an .lp file by the first layout whose images are all there, else by the ordinary one.

    Returns
    -------
    LightFile
    list of (str or None)
        The image of each of its names.
    """
    ordinary: tuple[LightFile, list[str | None]] | None = None
    refused: CaptureError | None = None
    # Wrong lines are left out only if no layout makes sense of all.
    for skipping in (False, True) if skip_bad else (False,):
        for layout in LAYOUTS:
            try:
                lights = parse_light_file(place, text, layout, skipping)
            except CaptureError as error:
                refused = refused or error
                continue
            located = _locate(starts, lights, images)
            if None not in located:
                return lights, located
            if layout == LAYOUTS[0]:
                ordinary = ordinary or (lights, located)
    if ordinary is not None:
        return ordinary
    assert refused is not None
    raise refused


# --------------------------------------------------------------------------- which images


class _Images:
    """The images of a capture, which can be found by names that are spelt differently."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.exact = set(names)
        self.alike: dict[str, list[str]] = {}
        self.by_file: dict[str, list[str]] = {}
        for name in names:
            self.alike.setdefault(_folded(name), []).append(name)
            self.by_file.setdefault(_folded(PurePosixPath(name).name), []).append(name)

    def below(self, folder: str, parts: Sequence[str]) -> str | None:
        """Find the image in a folder at the longest possible tail of a path, given as parts."""
        for start in range(len(parts)):
            name = str(PurePosixPath(folder, *parts[start:]))
            if name in self.exact:
                return name
            alike = self.alike.get(_folded(name), [])
            if len(alike) == 1:
                return alike[0]
        return None

    def anywhere(self, folder: str, parts: Sequence[str]) -> str | None:
        """Find the image anywhere below a folder that shares the longest tail with a path.

        The result is None unless exactly one image has the longest tail.
        """
        within = "" if folder == "." else f"{folder}/"
        found = self.by_file.get(_folded(parts[-1]), []) if parts else []
        found = [name for name in found if name.startswith(within)]
        for length in range(2, len(parts) + 1):
            tail = _folded("/" + "/".join(parts[-length:]))
            closer = [name for name in found if self._tail(name).endswith(tail)]
            if not closer:
                break
            found = closer
        return found[0] if len(found) == 1 else None

    def _tail(self, name: str) -> str:
        return _folded(f"/{name}")

    @cached_property
    def stems(self) -> _Stems:
        """The same images, found by names without extensions."""
        return _Stems(self.names)


class _Stems(_Images):
    """The images, found by names with another extension, or with none.

    An .lp file often names the raw files of the camera, from which the images were developed.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__([])
        for name in names:
            stem = splitext(name)[0]
            self.alike.setdefault(_folded(stem), []).append(name)
            self.by_file.setdefault(_folded(PurePosixPath(stem).name), []).append(name)

    def below(self, folder: str, parts: Sequence[str]) -> str | None:
        """Find the image as `_Images` does."""
        return self._either(super().below, folder, parts)

    def anywhere(self, folder: str, parts: Sequence[str]) -> str | None:
        """Find the image as `_Images` does."""
        return self._either(super().anywhere, folder, parts)

    def _either(
        self,
        find: Callable[[str, Sequence[str]], str | None],
        folder: str,
        parts: Sequence[str],
    ) -> str | None:
        if not parts:
            return None
        # The whole name is tried first: in "scan.001" without an extension, 001 is none.
        whole = find(folder, parts)
        return whole or find(folder, [*parts[:-1], splitext(parts[-1])[0]])

    def _tail(self, name: str) -> str:
        return _folded(f"/{splitext(name)[0]}")


def _locate(starts: Sequence[str], lights: LightFile, images: _Images) -> list[str | None]:
    """Find the images to which the names in an .lp file refer.

    The same search is used for all names: the first that finds a different image for each name,
    else the one that finds the most. The searches start at the folder of the .lp file and then at
    its parents, first for exact tails of the paths, then anywhere below the folder, and then so
    without regard to extensions.
    """
    paths = [_parts(name) for name in lights.names]
    best: list[str | None] = []
    most = -1
    looks = (images.below, images.anywhere, images.stems.below, images.stems.anywhere)
    for look, start in product(looks, starts):
        found = [look(start, parts) for parts in paths]
        different = len(set(found) - {None})
        if different > most:
            best, most = found, different
        if most == len(paths):
            break
    return best


def _all_there(
    place: Path, lights: LightFile, found: list[str | None], skip_bad: bool
) -> tuple[list[str | None], list[str]]:
    """Check that all images were found and none is named twice; return images and notes.

    With ``skip_bad``, an image that is missing or was named before becomes None, with a note.
    """
    missing = [name for name, image in zip(lights.names, found, strict=True) if image is None]
    if len(missing) == len(found):
        instead = folder_instead(place.parent) if place.parent.is_dir() else None
        if instead is not None:
            raise CaptureError(place.parent, *instead)
        raise CaptureError(
            place,
            f"none of the {len(found)} images it names can be found ({quoted(missing)})",
            "put the images (JPEG, PNG, TIFF, EXR...) beside the .lp file or into a folder "
            "beside it, or open the folder that contains both",
        )
    problems: list[tuple[str, str]] = []
    if missing:
        problem = (
            f"of the {len(found)} images it names, {len(missing)} cannot be found "
            f"({quoted(missing)})"
        )
        problems.append(
            (problem, "put them back, remove their lines, or leave them out with --skip-bad")
        )
    first: dict[str, int] = {}
    kept: list[str | None] = []
    for image, line in zip(found, lights.lines, strict=True):
        again = image is not None and first.setdefault(image, line) != line
        kept.append(None if again else image)
        if again:
            assert image is not None
            problem = f'lines {first[image]} and {line} both name the image "{image}"'
            problems.append((problem, "keep one of them, or use --skip-bad"))
    if problems and not skip_bad:
        raise CaptureError(place, *problems[0])
    return kept, [problem for problem, _ in problems]


def _spelling_notes(
    name: str, starts: Sequence[str], found: Sequence[tuple[str, str]]
) -> list[str]:
    """Write notes on images whose folder or spelling differs from that in the .lp file."""
    moved: list[str] = []
    respelt: list[str] = []
    other: list[str] = []
    for given, image in found:
        places = {str(PurePosixPath(start, *_parts(given))) for start in starts}
        if image in places:
            continue
        if _folded(PurePosixPath(image).name) != _folded(_parts(given)[-1]):
            kind = other
        else:
            kind = respelt if _folded(image) in map(_folded, places) else moved
        kind.append(f'"{given}" is "{image}"')
    notes = []
    for changed, how in (
        (moved, "were found by the last parts of"),
        (respelt, "differ from"),
        (other, "have other extensions than"),
    ):
        if changed:
            more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
            notes.append(f"image files {how} their names in {name}: {changed[0]}{more}")
    return notes


def _parts(name: str) -> list[str]:
    """Split a Windows or POSIX path into parts, without drives and folders above the capture."""
    parts: list[str] = []
    for part in name.replace("\\", "/").split("/"):
        if part == ".." or part.endswith(":"):
            parts.clear()
        elif part not in ("", "."):
            parts.append(part)
    return parts


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
