r"""Zip archives of captures, as the programs of all systems write them.

Names are brought into one form: parts separated by "/", without "." (``./a.png`` and ``a\b.png``
occur). Names without the mark of UTF-8 are UTF-8 if they can be, else code page 437, as the zip
format says. Whatever is wrong with an archive becomes a `CaptureError` when its names are listed,
and an `OSError` when one of its files is read.
"""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from posixpath import splitext
from typing import TYPE_CHECKING, BinaryIO, cast

from napari_btf.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["archive_members", "member_size", "open_member"]

_LARGEST_MEMBER = 1 << 30
"""Maximum unpacked size of a file in an archive, in bytes; no image of a capture is larger."""
_MOST_MEMBERS = 1_000_000
_MOST_EMPTY = 10_000
_UTF8, _ENCRYPTED = 0x800, 0x1
_METHODS = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    20: "Zstandard",
    93: "Zstandard",
    95: "XZ",
    98: "PPMd",
    99: "AES encryption",
}
#: Methods that every Python reads.
_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_REPACK = "unpack it, and open the folder or zip it again by ordinary Deflate"
#: What zipfile and the decompressors raise for damaged archives. RuntimeError includes encryption
#: and unknown methods.
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    KeyError,
    IndexError,
    OverflowError,
    RuntimeError,
)


def archive_members(path: Path, extensions: Collection[str] | None = None) -> Iterator[str]:
    """Iterate over the names of files with one of these extensions, without hidden ones.

    Without extensions, all files are named, and it is not checked whether they can be read.

    Raises
    ------
    CaptureError
        If the archive is damaged, or such a file is encrypted or packed by an unknown method.
    OSError
        If the archive cannot be opened.
    """
    for name, info in _archive(path).members.items():
        if extensions is None:
            if not _is_hidden(name):
                yield name
        elif splitext(name)[1].lower() in extensions and not _is_hidden(name):
            _check_readable(path, name, info)
            yield name


def member_size(path: Path, name: str) -> int:
    """Return the bytes of one file of an archive, unpacked.

    Raises
    ------
    OSError
        If the file is missing, or the archive is damaged.
    """
    try:
        return _archive(path).members[name].file_size
    except CaptureError as error:
        raise OSError(error.problem) from error
    except KeyError as error:
        raise OSError("it is not in the archive") from error


@contextmanager
def open_member(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open one file of an archive for reading, as a seekable binary file.

    Raises
    ------
    OSError
        If the file is missing or damaged.
    """
    try:
        archive = _archive(path)
        info = archive.members[name]
        if info.file_size > _LARGEST_MEMBER:
            raise OSError(f"it unpacks to more than {_LARGEST_MEMBER >> 30} GiB")
        if not info.file_size:
            # Said without opening it, because an archive may have very many of these.
            raise OSError("it is empty")
        with _member(archive, info) as member:
            yield member
    except CaptureError as error:
        raise OSError(error.problem) from error
    except _FAULTS as error:
        raise OSError(str(error) or "it is damaged in its archive") from error


def _member(archive: _Archive, info: zipfile.ZipInfo) -> BinaryIO:
    # Any exception is caught, because damaged archives make zipfile raise many kinds.
    try:
        return cast("BinaryIO", archive.file.open(info))
    except OSError:
        raise
    except Exception as error:
        raise OSError(str(error) or "it is damaged in its archive") from error


class _Archive:
    """An open archive, and what its names stand for."""

    def __init__(self, path: Path) -> None:
        # Any exception is caught, because damaged archives make zipfile raise many kinds.
        try:
            self.file = zipfile.ZipFile(path)
            infos = self.file.infolist()
        except OSError:
            raise
        except UnicodeDecodeError as error:
            raise CaptureError(
                path, "it contains names that are not valid text", "zip the images again"
            ) from error
        except Exception as error:
            raise CaptureError(
                path,
                f"it cannot be opened ({_short(str(error))})",
                "expected a folder of images or a zip of one",
            ) from error
        if len(infos) > _MOST_MEMBERS:
            raise CaptureError(
                path, f"it contains {len(infos):,} files, no capture has so many", _REPACK
            )
        empty = sum(not info.file_size and not _is_folder(info) for info in infos)
        if empty > _MOST_EMPTY:
            raise CaptureError(path, f"{empty:,} of its files are empty", "zip the images again")
        self.members: Mapping[str, zipfile.ZipInfo] = _by_name(path, infos)


def _by_name(path: Path, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if _is_folder(info):
            continue
        given = _decoded(info).replace("\\", "/")
        parts = [part for part in given.split("/") if part and part != "."]
        # Such names are harmless here, because nothing is unpacked to disk, but no ordinary
        # archive of a capture has them.
        if ".." in parts or given.startswith("/") or (parts and parts[0][-1] == ":"):
            raise CaptureError(
                path,
                f'it cannot be opened (it contains "{_short(given)}", '
                "a path that leads out of the archive)",
                "zip the images again",
            )
        name = "/".join(parts)
        if name in found:
            raise CaptureError(
                path, f'it contains "{_short(name)}" twice', "zip the images again, each once"
            )
        found[name] = info
    return found


def _is_folder(info: zipfile.ZipInfo) -> bool:
    """Whether a member is no file; zipfile's own function fails where the name is empty."""
    return not info.filename or info.filename.endswith("/")


def _decoded(info: zipfile.ZipInfo) -> str:
    """Return the name of a file; zipfile has read it as code page 437 where UTF-8 is not said."""
    if info.flag_bits & _UTF8 or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _check_readable(path: Path, name: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise CaptureError(
            path, f'"{_short(name)}" in it is encrypted', "unpack it, and open the folder"
        )
    if info.compress_type not in _READABLE:
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise CaptureError(
            path, f'"{_short(name)}" in it is packed by {method}, which cannot be read', _REPACK
        )


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or "/." in name or "__MACOSX" in name.split("/")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:38]}...{text[-38:]}"


def _archive(path: Path) -> _Archive:
    found = _opened(os.fspath(path), path.stat().st_mtime_ns)
    if isinstance(found, CaptureError):
        raise CaptureError(path, found.problem, found.remedy)
    return found


# The open archive is cached, because reading its index for every image would be the slowest part;
# ZipFile allows several threads to read. With the time stamp, a changed archive is a new entry.
@lru_cache(maxsize=4)
def _opened(path: str, stamp: int) -> _Archive | CaptureError:
    # An archive that is refused is remembered, too, because several formats ask for it.
    try:
        return _Archive(Path(path))
    except CaptureError as error:
        return error
