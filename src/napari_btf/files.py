"""Writing files so that a failure leaves what was there before."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_btf.errors import BTFError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["replacing", "write_file", "write_files"]


def write_file(path: str | Path, content: bytes, failure: type[BTFError] = UsageError) -> Path:
    """Write a file whole or not at all: to a temporary file beside it that is then renamed.

    Parameters
    ----------
    path : str or Path
        Missing folders are made. A link stays one, and what it points to is replaced; a device
        is written to.
    content : bytes
    failure : type of BTFError
        What is raised if the place cannot be written to.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    BTFError
        Of the kind ``failure``; an older file is as it was, and nothing else is left behind.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise failure(path, "it is a folder", "give the name of a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path.resolve(), content)
    # Path.resolve reports a link to itself as a RuntimeError before Python 3.13.
    except (OSError, RuntimeError, ValueError) as error:
        raise _refusal(failure, path, error) from error
    return path


def write_files(contents: Mapping[Path, bytes], failure: type[BTFError] = UsageError) -> list[Path]:
    """Write several files, all of them or none: they are renamed once all are complete.

    Parameters
    ----------
    contents : mapping of Path to bytes
        Missing folders are made.
    failure : type of BTFError
        What is raised if the place cannot be written to.

    Returns
    -------
    list of Path
        The files, in their order.

    Raises
    ------
    BTFError
        Of the kind ``failure``; older files are as they were, and nothing else is left behind.
    """
    with ExitStack() as stack:
        for path, content in contents.items():
            if path.is_dir():
                raise failure(path, "it is a folder", "choose another place")
            _write(stack.enter_context(replacing(path, failure)), content)
    return list(contents)


@contextmanager
def replacing(path: str | Path, failure: type[BTFError] = UsageError) -> Iterator[Path]:
    """A place for a file, or a folder, that takes the place of ``path`` once it is complete.

    Parameters
    ----------
    path : str or Path
        Missing folders are made. A file that is there is replaced, and so is an empty folder.
    failure : type of BTFError
        What is raised if the place cannot be written to.

    Yields
    ------
    Path
        Beside it, of the same extension; there is nothing there yet. It is removed if anything is
        raised, and ``path`` is as it was.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise _refusal(failure, path, error) from error
    temporary = target.with_name(f".napari-btf-{secrets.token_hex(6)}.partial{path.suffix}")
    try:
        yield temporary
        if temporary.is_dir() and target.is_dir():
            target.rmdir()
        temporary.replace(target)
    # A keyboard interrupt, and a generator that is closed, too.
    except BaseException as error:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _refusal(failure, path, error) from error
        raise


def _refusal(failure: type[BTFError], path: Path, error: Exception) -> BTFError:
    reason = getattr(error, "strerror", None) or error
    return failure(path, f"it cannot be written ({reason})", "choose another place")


def _write(temporary: Path, content: bytes) -> None:
    with temporary.open("xb") as file:
        file.write(content)
        file.flush()
        # Some file systems tell only now that the disk is full.
        os.fsync(file.fileno())


def _replace(target: Path, content: bytes) -> None:
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    # Not named after the target, whose name may be as long as names can be.
    temporary = target.with_name(f".napari-btf-{secrets.token_hex(6)}.partial")
    try:
        _write(temporary, content)
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    # A keyboard interrupt, too.
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
