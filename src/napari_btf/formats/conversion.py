"""Converting a capture into a texel store, in bounded memory and in steps that can be resumed.

The store grows in ``.NAME.partial`` beside its place and is renamed at the very end. A journal
in it holds what the conversion is of, and a checksum of every part that was written.
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

    Closing the job, or ending the process, keeps what was done so far: the same conversion
    goes on from there.

    Parameters
    ----------
    btf : BTF
        Read from first to last once, and a few images twice.
    path : str or Path
        The store; usually NAME.zarr.
    overwrite : bool
        Take the place of an older texel store there, once the new one is complete.
    restart : bool
        Discard what an interrupted conversion has left.
    layout : Layout, optional
        How the store is cut; chosen for the capture by default. A shard's depth of images is
        held in memory.
    client : distributed.Client, optional
        Of a Dask cluster whose workers read the images and write the store; they need the same
        folders. A worker that ends is made up for by the others.

    Yields
    ------
    Progress
        Phases "convert" (images) and "verify" (files).

    Returns
    -------
    Path
        The store.

    Raises
    ------
    StoreError
        If the place cannot be written to or holds something else, or if what was written does
        not read back the same.
    CaptureError
        If an image cannot be read.
    ProcessLostError
        If the cluster is lost; the same conversion goes on from there.
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
    """Refuse a place that is taken.

    Raises
    ------
    StoreError
        If there is something already, and it may not or must not be overwritten.
    """
    if not os.path.lexists(path):
        return
    if not recognises(path):
        raise StoreError(path, "there is something else, not a texel store", "choose another name")
    if not overwrite:
        raise StoreError(
            path, "there is a texel store already", "choose another name or add --overwrite"
        )


def _write(partial: PartialStore, btf: BTF) -> Generator[Progress, None, None]:
    """Copy the images, block by block."""
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
    """Have the workers of a cluster copy the blocks."""
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
    """Read everything back and compare it with what was meant to be written."""
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
                    "it does not read back as it was written",
                    "check the disk and convert again with --restart",
                )
            done += 1
            if is_report_due(done, total):
                yield Progress("verify", done, total)


def _finish(partial: PartialStore, btf: BTF, path: Path, overwrite: bool) -> None:
    """Make a whole store of what was written, and give it its name."""
    with _in_words(path):
        partial.finish(btf)
        # It may have been taken since.
        check_target(path, overwrite)
        _put_in_place(partial.folder, path)
        (path / JOURNAL).unlink(missing_ok=True)


def _put_in_place(partial: Path, path: Path) -> None:
    """Rename a finished store; one that was there before goes."""
    before = path.with_name(f".{path.name}.replaced")
    # Also what an earlier conversion was ended before it could remove.
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
    """Remove a folder, or a link to one, if it is there."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep a second conversion to the same store out, of this process or another."""
    import filelock

    place = path.with_name(f".{path.name}.lock")
    # Two steps: whatever the conversion itself raises is not about the lock.
    with _in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(place, blocking=False, is_singleton=False, thread_local=False)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise StoreError(
                path, "another conversion writes it right now", "wait for it, or name another place"
            ) from error
    try:
        yield
    finally:
        # Before the release: whoever comes then makes a lock of his own. Windows keeps it.
        with suppress(OSError):
            place.unlink()
        lock.release()


@contextmanager
def _in_words(path: Path, resume: str = "try again") -> Iterator[None]:
    """Turn errors of the file system into sentences about the store."""
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
