"""The files of a capture, in a folder or inside a zip archive, by relative name."""

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
]

_DEEPEST = 4
"""Levels of sub-folders that are searched for images."""
_LARGEST_MEMBER = 1 << 30
"""Bytes of one unpacked file of an archive; what claims more is no image of a capture."""


@dataclass(frozen=True)
class ReadOptions:
    """How a capture is to be read; a format passes over what does not concern it.

    Parameters
    ----------
    pattern : str, optional
        Regular expression with the named groups tl, pl, tv, pv: how image names carry angles.
    skip_bad : bool
        Leave out images that cannot be read or do not fit, and say so in a note, instead of
        refusing the capture.
    """

    pattern: str | None = None
    skip_bad: bool = False


def iter_image_names(root: Path) -> Iterator[str]:
    """Relative names ("sub/folder/name.jpg") of the image files below a folder or in a zip.

    Hidden files and folders are passed over. In no particular order.
    """
    if root.is_dir():
        return _walk(root, "", _DEEPEST, EXTENSIONS, set())
    return _members(root, EXTENSIONS)


def iter_light_files(root: Path) -> Iterator[str]:
    """Relative names of the .lp files of a folder or zip, in no particular order.

    They lie at its top or one level below; in a zip one more, since it often holds the folder
    that was zipped.
    """
    if root.is_dir():
        return _walk(root, "", 1, {".lp"}, set())
    return (name for name in _members(root, {".lp"}) if name.count("/") <= 2)


def image_names(root: Path) -> list[str]:
    """All of `iter_image_names`, sorted."""
    return sorted(_all_of(iter_image_names, root))


def light_files(root: Path) -> list[str]:
    """All of `iter_light_files`, those nearest to the top first."""
    return sorted(_all_of(iter_light_files, root), key=lambda name: (name.count("/"), name))


def read_bytes(root: Path, name: str, size: int = -1) -> bytes:
    """Content of one file of a capture; at most ``size`` bytes if that is not negative.

    Raises
    ------
    OSError
        If it is gone, may not be read, or is damaged inside its archive.
    """
    with open_file(root, name) as file:
        return file.read(size)


@contextmanager
def open_file(root: Path, name: str) -> Iterator[BinaryIO]:
    """One file of a capture, seekable, for reading.

    Raises
    ------
    OSError
        If it is gone, may not be read, or is damaged inside its archive.
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
    # RuntimeError and its NotImplementedError: encrypted, or an unknown kind of compression.
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError) as error:
        raise OSError(str(error)) from error


def quoted(names: Sequence[str], at_most: int = 3) -> str:
    """The first few names in quotes, for a sentence."""
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
        # Nothing is unpacked, so such names do no harm here; but nobody zips a capture that way.
        if ".." in parts or PurePosixPath(name).is_absolute() or parts[0].endswith(":"):
            raise zipfile.BadZipFile(f'it holds "{name}", a path that leads out of the archive')
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
    # A link back to a folder above would count every image several times.
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


# ZipFile reads members from several threads; re-reading the index for every frame would be
# the slowest part. The time stamp makes a rewritten archive a new entry.
@lru_cache(maxsize=4)
def _archive(path: str, stamp: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
