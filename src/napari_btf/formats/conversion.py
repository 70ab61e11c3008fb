"""Conversion of a capture to a texel store, in bounded memory and in steps that can be resumed.

The store is written to a folder ``.NAME.partial`` beside its final path and renamed at the end. A
journal in this folder identifies the conversion and holds a checksum of every written part.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.errors import CaptureError, StoreError
from napari_btf.files import check_place
from napari_btf.formats.texel_store.layout import Layout, choose_layout
from napari_btf.formats.texel_store.partial_store import PartialStore
from napari_btf.formats.texel_store.store import JOURNAL, recognises
from napari_btf.formats.texel_store.workers import checksum_of, copied_blocks
from napari_btf.progress import Job, Progress, is_report_due

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_btf.btf import BTF

__all__ = ["check_target", "convert"]


def convert(
    btf: BTF,
    path: str | Path,
    *,
    overwrite: bool = False,
    restart: bool = False,
    layout: Layout | None = None,
    client: Any = None,
) -> Job[Path]:
    """Write a BTF as a texel store.

    If the job is closed or the process ends, the finished part is kept, and the same conversion
    resumes from it later.

    Parameters
    ----------
    btf : BTF
        The capture; all images are read once in order, and up to three of them twice.
    path : str or Path
        Path of the store, usually NAME.zarr.
    overwrite : bool
        Replace an existing texel store at this path once the new one is complete.
    restart : bool
        Discard the unfinished result of an interrupted conversion.
    layout : Layout, optional
        Sizes of chunks and shards; by default chosen for the capture. As many images as a shard
        has observations are held in memory.
    client : distributed.Client, optional
        Client of a Dask cluster whose workers read the images and write the store; they need access
        to the same folders. If a worker ends, the others do its work.

    Yields
    ------
    Progress
        Phases "convert" (images) and "verify" (files).

    Returns
    -------
    Path
        Absolute path of the store.

    Raises
    ------
    StoreError
        If the store cannot be written, the path is already used, or a written part differs when
        it is read back.
    CaptureError
        If an image cannot be read.
    ProcessLostError
        If the connection to the cluster is lost; the same conversion resumes later.
    """
    path = Path(path).absolute()
    check_target(path, overwrite)
    if layout is None:
        shape = (len(btf), btf.height, btf.width, btf.channels)
        layout = choose_layout(shape, np.dtype(btf.frames.dtype).itemsize)
    with _alone(path):
        with _in_words(path):
            partial = PartialStore(path.with_name(f".{path.name}.partial"), btf, layout, restart)
        if client is None:
            yield from _write(partial, btf)
        else:
            yield from _write_in_cluster(partial, btf, client)
        yield from _verify(partial)
        _finish(partial, btf, path, overwrite)
    return path


def check_target(path: Path, overwrite: bool) -> None:
    """Check that a store may be written to a path.

    Raises
    ------
    StoreError
        If the path exists and is not a texel store, or ``overwrite`` is False, or if nothing can be
        written there.
    """
    if not os.path.lexists(path):
        check_place(path, StoreError)
        return
    if not recognises(path):
        raise StoreError(path, "it exists and is not a texel store", "choose another name")
    if not overwrite:
        raise StoreError(
            path, "this texel store already exists", "choose another name or add --overwrite"
        )


def _write(partial: PartialStore, btf: BTF) -> Generator[Progress, None, None]:
    """Write the images block by block, from the first block that is missing."""
    depth, total = partial.shards.shard[0], len(btf)
    done = len(partial.checksums) * depth
    yield Progress("convert", min(done, total), total)
    frames = btf.iter_frames(done)
    values = np.empty((min(depth, total), *partial.shards.shape[1:]), dtype=partial.shards.dtype)
    for block in range(len(partial.checksums), partial.blocks):
        count = min(depth, total - block * depth)
        for i in range(count):
            values[i] = next(frames)
            if is_report_due(block * depth + i + 1, total):
                yield Progress("convert", block * depth + i + 1, total)
        with _in_words(partial.folder, "the same command goes on from there"):
            partial.write_block(block, values[:count])


def _write_in_cluster(
    partial: PartialStore, btf: BTF, client: Any
) -> Generator[Progress, None, None]:
    """Let the workers of a cluster write the missing blocks."""
    depth, total = partial.shards.shard[0], len(btf)
    first = len(partial.checksums)
    yield Progress("convert", min(first * depth, total), total)
    blocks = range(first, partial.blocks)
    found = copied_blocks(client, partial.folder, btf, blocks, depth, partial.boxes)
    for block, checksums in zip(blocks, found, strict=True):
        with _in_words(partial.folder, "the same command goes on from there"):
            partial.note_block(checksums)
        yield Progress("convert", min((block + 1) * depth, total), total)


def _verify(partial: PartialStore) -> Generator[Progress, None, None]:
    """Read all parts back and compare their checksums with those in the journal."""
    total, done = sum(map(len, partial.checksums)), 0
    for block, checksums in enumerate(partial.checksums):
        for (place, box), checksum in zip(partial.parts(block), checksums, strict=True):
            try:
                same = checksum_of(partial.shards.read(box)) == checksum
            except CaptureError:
                same = False
            if not same:
                raise StoreError(
                    partial.shards.path(place),
                    "its content differs from what was written",
                    "check the disk and convert again with --restart",
                )
            done += 1
            if is_report_due(done, total):
                yield Progress("verify", done, total)


def _finish(partial: PartialStore, btf: BTF, path: Path, overwrite: bool) -> None:
    """Complete the store and rename it to its final path."""
    with _in_words(path):
        partial.finish(btf)
        # Checked again, because the path may have been created in the meantime.
        check_target(path, overwrite)
        _put_in_place(partial.folder, path)
        (path / JOURNAL).unlink(missing_ok=True)


def _put_in_place(partial: Path, path: Path) -> None:
    """Rename a finished store to its final path and remove an older store there."""
    before = path.with_name(f".{path.name}.replaced")
    # An earlier conversion may have ended before it removed this folder.
    _remove(before)
    if os.path.lexists(path):
        path.rename(before)
    try:
        partial.rename(path)
    except OSError:
        if os.path.lexists(before):
            before.rename(path)
        raise
    _remove(before)


def _remove(path: Path) -> None:
    """Remove a folder, or a link to one, if it exists."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Lock a store against a second conversion by this process or another one."""
    import filelock

    place = path.with_name(f".{path.name}.lock")
    # The lock is acquired in its own `with`, because errors of the conversion are not about it.
    with _in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(place, blocking=False, is_singleton=False, thread_local=False)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise StoreError(
                path, "another conversion is writing it", "wait for it, or choose another name"
            ) from error
    try:
        yield
    finally:
        # The file is removed before the release, so that the next conversion creates its own lock
        # file. Windows refuses to remove an open file; then it stays.
        with suppress(OSError):
            place.unlink()
        lock.release()


@contextmanager
def _in_words(path: Path, resume: str = "try again") -> Iterator[None]:
    """Convert errors of the file system to a StoreError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
            raise StoreError(
                path, f"the disk is full ({reason})", f"free some space, and {resume}"
            ) from error
        raise StoreError(
            path, f"it cannot be written ({reason})", "choose another place"
        ) from error
