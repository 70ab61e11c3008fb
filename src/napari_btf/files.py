"""Writing files atomically: after a failure, an older file is unchanged."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_btf.errors import BTFError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["check_place", "replacing", "write_file", "write_files"]


def check_place(path: str | Path, failure: type[BTFError] = UsageError) -> None:
    """Prove that a file or folder can be written, before long work is spent on it.

    No folder is made. In the nearest folder that exists, a file is made and removed, because
    permissions alone do not tell of a file system that is read-only or full.

    Parameters
    ----------
    path : str or Path
        A file or folder; if it is a folder that exists, files can be written into it.
    failure : type of BTFError
        Class of the error.

    Raises
    ------
    BTFError
        Of the class ``failure``, if the path leads through a file or a link to nowhere, if a name
        is too long, or if nothing can be written there.
    """
    path = Path(path).absolute()
    try:
        for folder in path.parents:
            if folder.is_symlink() and not folder.exists():
                raise failure(path, f"{folder} is a link to nowhere", "choose another place")
        target = path.resolve()
        if path.is_symlink() and not target.parent.is_dir():
            raise failure(
                path,
                f"it is a link into {target.parent}, which is no folder",
                "remove the link, or make the folder",
            )
        if target.exists() and not target.is_file() and not target.is_dir():
            return
        folder = target if target.is_dir() else target.parent
        while not os.path.lexists(folder):
            folder = folder.parent
        if not folder.is_dir():
            raise failure(
                path, f"{folder} cannot be written to (it is no folder)", "choose another place"
            )
        _check_names(target, folder)
        trial = folder / f".napari-btf-{secrets.token_hex(6)}.partial"
        try:
            _write(trial, b"napari-btf")
        finally:
            trial.unlink(missing_ok=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise _write_error(failure, path, error) from error


def _check_names(target: Path, folder: Path) -> None:
    """Raise an OSError if a name that is to be made in a folder is too long."""
    if hasattr(os, "pathconf"):
        longest = os.pathconf(folder, "PC_NAME_MAX")
        names = target.relative_to(folder).parts
        if any(len(os.fsencode(name)) > longest for name in names):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def write_file(
    path: str | Path,
    content: bytes,
    failure: type[BTFError] = UsageError,
    check: Callable[[bytes, Path], None] | None = None,
) -> Path:
    """Write a file completely or not at all, by renaming a complete temporary file.

    Parameters
    ----------
    path : str or Path
        Missing folders are created. If the path is a symbolic link, its target is replaced; if it
        is a device, the content is written to it directly.
    content : bytes
    failure : type of BTFError
        Class of the error that is raised if the file cannot be written.
    check : callable, optional
        ``check(content, path)`` is called with what was read back from the temporary file, before
        it replaces an older one. It raises an error if that is not what the file should be.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    BTFError
        Of the class ``failure``, or what ``check`` raises. An older file is then unchanged, and no
        temporary file remains.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise failure(path, "it is a folder", "give the name of a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path.resolve(), content, check)
    # Path.resolve reports a link to itself as a RuntimeError before Python 3.13.
    except (OSError, RuntimeError, ValueError) as error:
        raise _write_error(failure, path, error) from error
    return path


def write_files(
    contents: Mapping[Path, bytes],
    failure: type[BTFError] = UsageError,
    check: Callable[[bytes, Path], None] | None = None,
) -> list[Path]:
    """Write several files: none of them is renamed to its final name before all are complete.

    Parameters
    ----------
    contents : mapping of Path to bytes
        The content of each file. Missing folders are created.
    failure : type of BTFError
        Class of the error that is raised if a file cannot be written.
    check : callable, optional
        As for `write_file`, for each of the files.

    Returns
    -------
    list of Path
        The files, in the order of ``contents``.

    Raises
    ------
    BTFError
        Of the class ``failure``. If writing failed, older files are unchanged, and no temporary
        file remains.
    """
    with ExitStack() as stack:
        for path, content in contents.items():
            if path.is_dir():
                raise failure(path, "it is a folder", "choose another place")
            temporary = stack.enter_context(replacing(path, failure))
            try:
                _write(temporary, content)
                _read_back(temporary, content, path, check)
            except OSError as error:
                raise _write_error(failure, path, error) from error
    return list(contents)


@contextmanager
def replacing(
    path: str | Path,
    failure: type[BTFError] = UsageError,
    check: Callable[[Path], None] | None = None,
) -> Iterator[Path]:
    """Yield a temporary path that is renamed to ``path`` at the end of the ``with`` block.

    Parameters
    ----------
    path : str or Path
        Final name of a file or folder. Missing parent folders are created. An existing file is
        replaced, and so is an empty folder.
    failure : type of BTFError
        Class of the error that is raised if the path cannot be written.
    check : callable, optional
        Called with the temporary path after the block, before an older file is replaced. It raises
        an error if that is not what it should be.

    Yields
    ------
    Path
        Temporary path in the same folder, with the same extension; nothing exists at it yet. If
        the block raises an exception, it is removed and ``path`` is unchanged.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise _write_error(failure, path, error) from error
    temporary = target.with_name(f".napari-btf-{secrets.token_hex(6)}.partial{path.suffix}")
    try:
        yield temporary
        if check is not None:
            check(temporary)
        if target.is_file() and temporary.is_file():
            temporary.chmod(target.stat().st_mode & 0o777)
        if temporary.is_dir() and target.is_dir():
            target.rmdir()
        temporary.replace(target)
    # BaseException, because a keyboard interrupt or a closed generator must clean up, too.
    except BaseException as error:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _write_error(failure, path, error) from error
        raise


def _write_error(failure: type[BTFError], path: Path, error: Exception) -> BTFError:
    reason = getattr(error, "strerror", None) or error
    return failure(path, f"it cannot be written ({reason})", "choose another place")


def _write(temporary: Path, content: bytes) -> None:
    with temporary.open("xb") as file:
        file.write(content)
        file.flush()
        # Some file systems report a full disk only at this call.
        os.fsync(file.fileno())


def _read_back(
    temporary: Path,
    content: bytes,
    path: Path,
    check: Callable[[bytes, Path], None] | None,
) -> None:
    """Read a temporary file, and raise an error if it is not what was to be written."""
    written = temporary.read_bytes()
    if written != content:
        raise OSError(errno.EIO, "what was written could not be read again")
    if check is not None:
        check(written, path)


def _replace(
    target: Path, content: bytes, check: Callable[[bytes, Path], None] | None = None
) -> None:
    if target.exists() and not target.is_file():
        if check is not None:
            check(content, target)
        target.write_bytes(content)
        return
    # The name is not derived from the target's, which may already have the maximum length.
    temporary = target.with_name(f".napari-btf-{secrets.token_hex(6)}.partial")
    try:
        _write(temporary, content)
        _read_back(temporary, content, target, check)
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    # BaseException, because a keyboard interrupt must remove the temporary file, too.
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
