"""What a file or folder is that is not a capture, and what to do with it, for error messages."""

from __future__ import annotations

import json
import os
from pathlib import Path
from posixpath import splitext
from typing import TYPE_CHECKING

from napari_btf.formats.capture_files import DEEPEST, quoted
from napari_btf.formats.images.files import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["file_instead", "folder_instead", "names_instead"]

_PHOTOGRAPHS = "open the photographs that it was computed from, and their .lp file"
_UNPACK = "unpack it, and open the folder"
_ALL = "open the folder of all images"
_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"PTM_1", "it is a fitted PTM, not photographs", _PHOTOGRAPHS),
    (b"#HSH", "it is a fitted HSH, not photographs", _PHOTOGRAPHS),
    (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "it is a RAR archive", _UNPACK),
    (b"\x1f\x8b", "it is packed by gzip", _UNPACK),
    (b"BZh", "it is packed by bzip2", _UNPACK),
    (b"\xfd7zXZ\0", "it is packed by xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "it is packed by Zstandard", _UNPACK),
    (b"%PDF", "it is a PDF document", "open a folder of images"),
    (b"\xff\xd8\xff", "it is one image", _ALL),
    (b"\x89PNG", "it is one image", _ALL),
    (b"v/1\x01", "it is one image", _ALL),
    (b"#?R", "it is one image", _ALL),
)
_PAGE = ("it is a web page, as servers send in place of a file", "download the file again")
_ENDINGS: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({".nef", ".cr2", ".cr3", ".arw", ".dng", ".orf", ".raf", ".rw2", ".pef"}),
        "raw photographs",
        "develop them, all in the same way, to TIFF images",
    ),
    (
        frozenset({".heic", ".heif", ".avif", ".jxl", ".jp2"}),
        "images of a kind that is not read",
        "convert them to TIFF or PNG",
    ),
    (
        frozenset({".npy"}),
        "single arrays",
        "stack them by numpy.stack, save that as one .npy file, and put a .csv file of the angles "
        "beside it",
    ),
    (frozenset({".ptm", ".rti", ".hsh"}), "results of an RTI program", _PHOTOGRAPHS),
    (
        frozenset({".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz"}),
        "archives",
        "open a zip itself; unpack others",
    ),
)
_LIGHT_TABLES = frozenset(
    {"lights.txt", "light.txt", "light_directions.txt", "lightdirections.txt", "lights.csv"}
)
_LOOK_AT_MOST = 20_000


def file_instead(path: Path) -> tuple[str, str] | None:
    """Say what a file is that is no capture: (problem, remedy), or None if it is unknown."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError:
        return None
    if not start:
        return "it is empty", "copy it again from the original"
    for mark, problem, remedy in _STARTS:
        if start.startswith(mark):
            return problem, remedy
    if start[257:262] == b"ustar":
        return "it is a tar archive", _UNPACK
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        return _PAGE
    if path.suffix.lower() in (".rti", ".hsh", ".ptm"):
        return "it is the result of an RTI program, not its photographs", _PHOTOGRAPHS
    if path.suffix.lower() == ".safetensors":
        return "it is a model, not a capture", "relight it, or open it in napari"
    return None


def folder_instead(path: Path) -> tuple[str, str] | None:
    """Say what a folder holds in which no image was found, or whose images have no directions."""
    relight = _relight_page(path)
    if relight is not None:
        return relight
    names = list(_below(path))
    return names_instead(names) or _too_deep(names) or _table_of_lights(names)


def names_instead(names: Sequence[str]) -> tuple[str, str] | None:
    """Say what files are, by their names, among which there is no image."""
    kinds = [splitext(name)[1].lower() for name in names]
    if any(kind in EXTENSIONS for kind in kinds):
        return None
    for endings, what, remedy in _ENDINGS:
        found = [name for name, kind in zip(names, kinds, strict=True) if kind in endings]
        if found:
            return f"it holds {what} ({quoted(sorted(found), 1)})", remedy
    return None


def _below(path: Path) -> Iterator[str]:
    """Iterate over the relative names of some of the files below a folder, at any depth."""
    seen = 0
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            seen += 1
            if seen > _LOOK_AT_MOST:
                return
            yield Path(folder, name).relative_to(path).as_posix()


def _too_deep(names: Sequence[str]) -> tuple[str, str] | None:
    images = [name for name in names if splitext(name)[1].lower() in EXTENSIONS]
    if not images or any(name.count("/") <= DEEPEST for name in images):
        return None
    folder = images[0].rpartition("/")[0]
    return (
        f"its images lie {images[0].count('/')} folders deep, and {DEEPEST} are searched",
        f'open the folder "{folder if len(folder) <= 80 else "..." + folder[-77:]}"',
    )


def _table_of_lights(names: Sequence[str]) -> tuple[str, str] | None:
    tables = [name for name in names if name.lower().rpartition("/")[2] in _LIGHT_TABLES]
    if not tables or any(name.lower().endswith(".lp") for name in names):
        return None
    return (
        f'its images have no angles in their names, and "{tables[0]}" is not read',
        'write a file dirs.lp: the number of images, then a line "name x y z" for each, with '
        "x right, y up and z towards the camera",
    )


def _relight_page(path: Path) -> tuple[str, str] | None:
    """Recognise what OpenLIME and Relight write for the web: planes of coefficients."""
    try:
        with (path / "info.json").open("rb") as file:
            found = json.loads(file.read(1 << 20))
        planes = "nplanes" in found or any(path.glob("plane_*"))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    if not planes:
        return None
    return "it holds coefficients of a fit for the web, not photographs", _PHOTOGRAPHS
