"""Converting a capture into a texel store, in bounded memory and in steps that can be resumed.

The store grows in ``.NAME.partial`` beside its place and is renamed at the very end. A journal
in it holds what the conversion is of, and a checksum of every part that was written.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import shutil
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.errors import CaptureError, StoreError
from napari_btf.formats._conversion_workers import checksum_of, copied_blocks, write_parts
from napari_btf.formats._shards import Shards
from napari_btf.formats._texel_store_layout import Layout, choose_layout
from napari_btf.formats.texel_store import (
    ATTRIBUTE,
    DIRECTIONS,
    FORMAT,
    JOURNAL,
    VERSION,
    recognises,
)
from napari_btf.progress import Job, Progress, is_report_due

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import zarr
    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.formats._shards import Place

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
            partial = _Partial(path.with_name(f".{path.name}.partial"), btf, layout, restart)
        if client is None:
            yield from _write(partial, btf)
        else:
            yield from _write_in_cluster(partial, btf, client)
        yield from _verify(partial)
        with _in_words(path):
            partial.finish(btf)
            # It may have been taken since.
            check_target(path, overwrite)
            _put_in_place(partial.folder, path)
            (path / JOURNAL).unlink(missing_ok=True)
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


class _Partial:
    """A store that is not complete yet, in its own folder.

    Parameters
    ----------
    folder : Path
        Created, or resumed if an earlier conversion of the same BTF has left it.
    btf : BTF
    layout : Layout
    restart : bool
        Whether to create it in any case.
    """

    def __init__(self, folder: Path, btf: BTF, layout: Layout, restart: bool) -> None:
        self.folder = folder
        self._journal = folder / JOURNAL
        dtype = np.dtype(btf.frames.dtype).newbyteorder("=")
        shape = (len(btf), btf.height, btf.width, btf.channels)
        self.shards = Shards(folder / "observations", shape, layout.chunk, layout.shard, dtype)
        subject = _subject(btf, layout)
        if restart or not self._journal.is_file():
            if folder.is_dir():
                shutil.rmtree(folder)
            self.checksums: list[list[int]] = []
            _create(folder, btf, layout, dtype)
        else:
            self.checksums = self._resumed(subject)
            self._drop_blocks_after(len(self.checksums))
        # A line cut off by the interruption goes, too.
        lines = [subject, *self.checksums]
        temporary = self._journal.with_suffix(".new")
        temporary.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
        temporary.replace(self._journal)
        self._array = self._opened()

    @property
    def blocks(self) -> int:
        """How many blocks the store will have."""
        return -(-self.shards.shape[0] // self.shards.shard[0])

    def write_block(self, block: int, values: NDArray[Any]) -> None:
        """Write the next block.

        Parameters
        ----------
        block : int
        values : ndarray, shape (n, H, W, C)
        """
        self.note_block(write_parts(self._array, self.boxes(block), values))

    def note_block(self, checksums: list[int]) -> None:
        """Note that the next block is written."""
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write(f"{json.dumps(checksums)}\n")
        self.checksums.append(checksums)

    def boxes(self, block: int) -> list[tuple[slice, slice, slice]]:
        """The values that each shard of a block holds."""
        return [box for _, box in self.parts(block)]

    def parts(self, block: int) -> Iterator[tuple[Place, tuple[slice, slice, slice]]]:
        """The shards of a block: place among the shards, and the box of values they hold."""
        rows, columns = (
            range(-(-length // side))
            for length, side in zip(self.shards.shape[1:3], self.shards.shard[1:3], strict=True)
        )
        for place in itertools.product((block,), rows, columns):
            low = [i * side for i, side in zip(place, self.shards.shard, strict=False)]
            high = [
                min(start + side, length)
                for start, side, length in zip(
                    low, self.shards.shard, self.shards.shape, strict=False
                )
            ]
            box = [slice(start, stop) for start, stop in zip(low, high, strict=True)]
            yield place, (box[0], box[1], box[2])

    def finish(self, btf: BTF) -> None:
        """Make it a texel store."""
        import zarr

        about: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "directions": DIRECTIONS,
            "value_scale": btf.values.largest,
            "color_space": btf.color_space,
            "channel_names": list(btf.channel_names),
            "source": {"name": btf.name, "format": btf.format, "notes": list(btf.notes)},
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        zarr.open_group(self.folder, mode="r+").attrs[ATTRIBUTE] = about

    def _resumed(self, subject: dict[str, Any]) -> list[list[int]]:
        """Checksums of the blocks that were written, if they are of the same conversion."""
        lines = self._journal.read_text(encoding="utf-8", errors="replace").splitlines()
        try:
            begun = json.loads(lines[0])
            of = f"{begun['images']} images of {begun['name']!r}"
        except (ValueError, KeyError, TypeError, IndexError):
            begun, of = None, "something else"
        if begun != subject:
            raise StoreError(
                self.folder,
                f"it holds the unfinished conversion of {of}, not of these {subject['images']} "
                f"images of {subject['name']!r} as they are now",
                "add --restart to discard it, or choose another name",
            )
        parts = len(list(self.parts(0)))
        checksums: list[list[int]] = []
        for line in lines[1 : 1 + self.blocks]:
            try:
                found = [int(value) for value in json.loads(line)]
            except (ValueError, TypeError):
                break
            if len(found) != parts:
                break
            checksums.append(found)
        return checksums

    def _opened(self) -> zarr.Array[Any]:
        """The array of observations, to be written to."""
        import zarr

        # Whatever is wrong with damaged metadata, zarr raises what it meets first.
        try:
            array = zarr.open_group(self.folder, mode="r+")["observations"]
            if not isinstance(array, zarr.Array) or array.shape != self.shards.shape:
                raise TypeError("not the array that was created")
        except Exception as error:
            raise StoreError(
                self.folder,
                "the unfinished store in it is damaged",
                "add --restart to discard it, or choose another name",
            ) from error
        return array

    def _drop_blocks_after(self, count: int) -> None:
        folder = self.folder / "observations" / "c"
        for entry in folder.iterdir() if folder.is_dir() else ():
            if not entry.name.isdigit() or int(entry.name) >= count:
                shutil.rmtree(entry)


def _create(folder: Path, btf: BTF, layout: Layout, dtype: np.dtype[Any]) -> None:
    """Write all of a store but its observations and what makes it one."""
    import zarr
    from zarr.codecs import BloscCodec, Crc32cCodec

    folder.mkdir(parents=True)
    group = zarr.open_group(folder, mode="w-")
    group.create_array(
        "observations",
        shape=(len(btf), btf.height, btf.width, btf.channels),
        dtype=dtype,
        chunks=layout.chunk,
        shards=layout.shard,
        # Of the 8-bit captures at hand, with their noise, hardly any more can be had at this
        # speed; smooth ones, and those of more bits, gain by the shuffling.
        compressors=(BloscCodec(cname="zstd", clevel=5), Crc32cCodec()),
        dimension_names=("observation", "y", "x", "channel"),
        # So that a missing file is damage, and not a black part.
        config={"write_empty_chunks": True},
    )
    for name, vectors in (("light", btf.light), ("view", btf.view)):
        group.create_array(name, data=vectors, dimension_names=("observation", "component"))


def _write(partial: _Partial, btf: BTF) -> Generator[Progress, None, None]:
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


def _write_in_cluster(partial: _Partial, btf: BTF, client: Any) -> Generator[Progress, None, None]:
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


def _verify(partial: _Partial) -> Generator[Progress, None, None]:
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


def _subject(btf: BTF, layout: Layout) -> dict[str, Any]:
    """What a conversion is of: two with the same are the same."""
    images = sorted({0, len(btf) // 2, len(btf) - 1})
    return {
        "conversion": VERSION,
        "name": btf.name,
        "images": len(btf),
        "shape": [btf.height, btf.width, btf.channels],
        "dtype": np.dtype(btf.frames.dtype).newbyteorder("=").name,
        "chunk": list(layout.chunk),
        "shard": list(layout.shard),
        "directions": _digest(btf.light, btf.view),
        "pixels": _digest(*(btf.frame(i) for i in images)),
    }


def _digest(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


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
