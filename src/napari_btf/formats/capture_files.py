"""Access to the files of a capture by relative name, in a folder or inside a zip archive."""

from __future__ import annotations

import os
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

from napari_btf.errors import CaptureError
from napari_btf.formats.images.files import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

__all__ = [
    "ReadOptions",
    "image_names",
    "iter_image_names",
    "iter_light_files",
    "light_files",
    "open_file",
    "quoted",
    "read_bytes",
    "size_of",
]

_DEEPEST = 4
"""Number of sub-folder levels that are searched for images."""
_LARGEST_MEMBER = 1 << 30
"""Maximum unpacked size of a file in an archive, in bytes; no image of a capture is larger."""


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading a capture; a format ignores options that do not apply to it.

    Parameters
    ----------
    pattern : str, optional
        Regular expression with the named groups tl, pl, tv, pv that finds the angles in a name.
    skip_bad : bool
        Leave out images that are unreadable or differ from the others, with a note, instead of
        raising an error.
    """

    pattern: str | None = None
    skip_bad: bool = False


def iter_image_names(root: Path) -> Iterator[str]:
    """Iterate over the relative names ("sub/folder/name.jpg") of images in a folder or zip.

    Hidden files and folders are skipped. The order is arbitrary.
    """
    if root.is_dir():
        return _walk(root, "", _DEEPEST, EXTENSIONS, set())
    return _members(root, EXTENSIONS)


def iter_light_files(root: Path) -> Iterator[str]:
    """Iterate over the relative names of the .lp files in a folder or zip, in arbitrary order.

    The search covers the top level and one level below. In a zip it goes one level deeper, because
    a zip often contains the zipped folder itself.
    """
    if root.is_dir():
        return _walk(root, "", 1, {".lp"}, set())
    return (name for name in _members(root, {".lp"}) if name.count("/") <= 2)


def image_names(root: Path) -> list[str]:
    """Return the names from `iter_image_names` as a sorted list."""
    return sorted(_all_of(iter_image_names, root))


def light_files(root: Path) -> list[str]:
    """Return the names from `iter_light_files`, sorted by depth of folders, then by name."""
    return sorted(_all_of(iter_light_files, root), key=lambda name: (name.count("/"), name))


def read_bytes(root: Path, name: str, size: int = -1) -> bytes:
    """Read one file of a capture; at most ``size`` bytes unless ``size`` is negative.

    Raises
    ------
    OSError
        If the file is missing, not permitted to be read, or damaged inside its archive.
    """
    with open_file(root, name) as file:
        return file.read(size)


def size_of(root: Path, name: str) -> int:
    """Return the bytes of one file of a capture, unpacked.

    Raises
    ------
    OSError
        If the file is missing.
    """
    if root.is_dir():
        return (root / name).stat().st_size
    try:
        return _archive(os.fspath(root), root.stat().st_mtime_ns).getinfo(name).file_size
    except (zipfile.BadZipFile, KeyError) as error:
        raise OSError(str(error)) from error


@contextmanager
def open_file(root: Path, name: str) -> Iterator[BinaryIO]:
    """Open one file of a capture for reading, as a seekable binary file.

    Raises
    ------
    OSError
        If the file is missing, not permitted to be read, or damaged inside its archive.
    """
    if root.is_dir():
        with (root / name).open("rb") as file:
            yield file
        return
    try:
        archive = _archive(os.fspath(root), root.stat().st_mtime_ns)
        if archive.getinfo(name).file_size > _LARGEST_MEMBER:
            raise OSError(f"it unpacks to more than {_LARGEST_MEMBER >> 30} GiB")
        with archive.open(name) as member:
            yield cast("BinaryIO", member)
    # RuntimeError (with NotImplementedError) means encryption or an unknown compression method.
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError) as error:
        raise OSError(str(error)) from error


def quoted(names: Sequence[str], at_most: int = 3) -> str:
    """Return the first few names in quotes, to be used in a sentence."""
    text = ", ".join(f'"{name}"' for name in names[:at_most])
    return f"{text} and {len(names) - at_most} more" if len(names) > at_most else text


def _all_of(names: Callable[[Path], Iterator[str]], root: Path) -> list[str]:
    try:
        return list(names(root))
    except (zipfile.BadZipFile, OSError) as error:
        raise CaptureError(
            root, f"it cannot be opened ({error})", "expected a folder of images or a zip of one"
        ) from error


def _members(root: Path, extensions: Collection[str]) -> Iterator[str]:
    for name in _archive(os.fspath(root), root.stat().st_mtime_ns).namelist():
        parts = name.split("/")
        # Such names are harmless here, because nothing is unpacked to disk, but no ordinary
        # archive of a capture has them.
        if ".." in parts or PurePosixPath(name).is_absolute() or parts[0].endswith(":"):
            raise zipfile.BadZipFile(f'it contains "{name}", a path that leads out of the archive')
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if not hidden and PurePath(name).suffix.lower() in extensions:
            yield name


def _walk(
    folder: Path,
    prefix: str,
    depth: int,
    extensions: Collection[str],
    seen: set[tuple[int, int]],
) -> Iterator[str]:
    # Visited folders are remembered, because a link to a parent folder would repeat every image.
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif PurePath(entry.name).suffix.lower() in extensions and entry.is_file():
                yield prefix + entry.name
    if depth:
        for name in sorted(folders):
            yield from _walk(folder / name, f"{prefix}{name}/", depth - 1, extensions, seen)


# The open archive is cached, because reading its index for every image would be the slowest part;
# ZipFile allows several threads to read. With the time stamp, a changed archive is a new entry.
@lru_cache(maxsize=4)
def _archive(path: str, stamp: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
