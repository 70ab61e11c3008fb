"""The image files of a capture, in a folder or inside a zip archive, by relative name."""

from __future__ import annotations

import os
import zipfile
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from napari_btf.errors import CaptureError
from napari_btf.formats._images import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["image_names", "iter_image_names", "read_bytes"]

_DEEPEST = 4
"""Levels of sub-folders that are searched."""


def iter_image_names(root: Path) -> Iterator[str]:
    """Relative names ("sub/folder/name.jpg") of the image files below a folder or in a zip.

    Hidden files and folders are passed over. In no particular order.
    """
    if root.is_dir():
        yield from _walk(root, "", _DEEPEST)
        return
    for name in _archive(os.fspath(root), root.stat().st_mtime_ns).namelist():
        parts = name.split("/")
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if not hidden and Path(name).suffix.lower() in EXTENSIONS:
            yield name


def image_names(root: Path) -> list[str]:
    """All of `iter_image_names`, sorted."""
    try:
        return sorted(iter_image_names(root))
    except (zipfile.BadZipFile, OSError) as error:
        raise CaptureError(
            root, f"it cannot be opened ({error})", "expected a folder of images or a zip of one"
        ) from error


def read_bytes(root: Path, name: str, size: int = -1) -> bytes:
    """Content of one file of a capture; at most ``size`` bytes if that is not negative."""
    if root.is_dir():
        with (root / name).open("rb") as file:
            return file.read(size)
    with _archive(os.fspath(root), root.stat().st_mtime_ns).open(name) as member:
        return member.read(size)


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[str]:
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif PurePath(entry.name).suffix.lower() in EXTENSIONS:
                yield prefix + entry.name
    if depth:
        for name in folders:
            yield from _walk(folder / name, f"{prefix}{name}/", depth - 1)


# ZipFile reads members from several threads; re-reading the index for every frame would be
# the slowest part. The time stamp makes a rewritten archive a new entry.
@lru_cache(maxsize=4)
def _archive(path: str, stamp: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
