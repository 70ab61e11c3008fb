"""Access to the files of a capture by relative name, in a folder or inside a zip archive."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

from napari_btf.errors import CaptureError
from napari_btf.formats.archives import archive_members, member_size, open_member
from napari_btf.formats.images.files import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

__all__ = [
    "DEEPEST",
    "ReadOptions",
    "file_names",
    "image_names",
    "iter_image_names",
    "iter_light_files",
    "light_files",
    "open_file",
    "quoted",
    "read_bytes",
    "size_of",
]

_LONGEST = 60
"""Number of letters of a name that a message shows."""
DEEPEST = 4
"""Number of sub-folder levels that are searched for images."""


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
        return _walk(root, "", DEEPEST, EXTENSIONS, set())
    return archive_members(root, EXTENSIONS)


def iter_light_files(root: Path) -> Iterator[str]:
    """Iterate over the relative names of the .lp files in a folder or zip, in arbitrary order.

    The search covers the top level and one level below. In a zip it goes one level deeper, because
    a zip often contains the zipped folder itself.
    """
    if root.is_dir():
        return _walk(root, "", 1, {".lp"}, set())
    return (name for name in archive_members(root, {".lp"}) if name.count("/") <= 2)


def file_names(archive: Path) -> list[str]:
    """Return the names of all files in a zip archive, without hidden ones; empty if damaged."""
    try:
        return list(archive_members(archive))
    except (OSError, CaptureError):
        return []


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
    return member_size(root, name)


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
    with open_member(root, name) as member:
        yield member


def quoted(names: Sequence[str], at_most: int = 3) -> str:
    """Return the first few names in quotes, to be used in a sentence."""
    shown = [
        name if len(name) <= _LONGEST else f"...{name[3 - _LONGEST :]}" for name in names[:at_most]
    ]
    text = ", ".join(f'"{name}"' for name in shown)
    return f"{text} and {len(names) - at_most} more" if len(names) > at_most else text


def _all_of(names: Callable[[Path], Iterator[str]], root: Path) -> list[str]:
    try:
        return list(names(root))
    except OSError as error:
        raise CaptureError(
            root,
            f"it cannot be opened ({error.strerror or error})",
            "expected a folder of images or a zip of one",
        ) from error


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
