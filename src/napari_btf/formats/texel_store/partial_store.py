"""An incomplete texel store, with the journal of its conversion.

The first line of the journal identifies the conversion; each further line holds the checksums of
one written block.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.errors import StoreError
from napari_btf.formats.texel_store.forms import observations_form
from napari_btf.formats.texel_store.shards import Shards
from napari_btf.formats.texel_store.store import ATTRIBUTE, DIRECTIONS, FORMAT, JOURNAL, VERSION
from napari_btf.formats.texel_store.workers import open_observations, write_parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import zarr
    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.formats.texel_store.layout import Layout
    from napari_btf.formats.texel_store.shards import Place

__all__ = ["PartialStore"]


class PartialStore:
    """An incomplete texel store in its own folder.

    Parameters
    ----------
    folder : Path
        Folder of the store. It is created, or resumed if an earlier conversion of the same BTF has
        left it.
    btf : BTF
    layout : Layout
    restart : bool
        Whether to delete an existing folder and start again.

    Raises
    ------
    StoreError
        If the folder belongs to another conversion or is damaged.
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
        # The journal is rewritten, because an interruption may have truncated its last line.
        lines = [subject, *self.checksums]
        temporary = self._journal.with_suffix(".new")
        temporary.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
        temporary.replace(self._journal)
        self._array = self._opened()

    @property
    def blocks(self) -> int:
        """Number of blocks of the complete store."""
        return -(-self.shards.shape[0] // self.shards.shard[0])

    def write_block(self, block: int, values: NDArray[Any]) -> None:
        """Write the next block and enter it in the journal.

        Parameters
        ----------
        block : int
            Index of the block.
        values : ndarray, shape (n, H, W, C)
            The images of the block.
        """
        self.note_block(write_parts(self._array, self.boxes(block), values))

    def note_block(self, checksums: list[int]) -> None:
        """Enter the checksums of the next block in the journal after it has been written."""
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write(f"{json.dumps(checksums)}\n")
        self.checksums.append(checksums)

    def boxes(self, block: int) -> list[tuple[slice, slice, slice]]:
        """Return the index range of the values in each shard of a block."""
        return [box for _, box in self.parts(block)]

    def parts(self, block: int) -> Iterator[tuple[Place, tuple[slice, slice, slice]]]:
        """Iterate over the shards of a block: position among the shards, and range of values."""
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
        """Write the attribute that makes the folder a complete texel store."""
        import zarr

        about: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "directions": DIRECTIONS,
            "value_scale": btf.values.largest,
            "color_space": btf.color_space,
            "channel_names": list(btf.channel_names),
            "mm_per_texel": btf.mm_per_texel,
            "source": {"name": btf.name, "format": btf.format, "notes": list(btf.notes)},
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        group = zarr.open_group(self.folder, mode="r+", zarr_format=3, use_consolidated=False)
        group.attrs[ATTRIBUTE] = about

    def _resumed(self, subject: dict[str, Any]) -> list[list[int]]:
        """Read the checksums of the written blocks; raise a StoreError for another conversion."""
        lines = self._journal.read_text(encoding="utf-8", errors="replace").splitlines()
        try:
            begun = json.loads(lines[0])
            of = f"{begun['images']} images of {begun['name']!r}"
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            begun, of = None, "something else"
        if begun != subject:
            raise StoreError(
                self.folder,
                f"it contains the unfinished conversion of {of}, not of the "
                f"{subject['images']} images of {subject['name']!r} in their present state",
                "add --restart to discard it, or choose another name",
            )
        parts = len(list(self.parts(0)))
        checksums: list[list[int]] = []
        for line in lines[1 : 1 + self.blocks]:
            try:
                found = [int(value) for value in json.loads(line)]
            except (ValueError, TypeError, OverflowError, RecursionError):
                break
            if len(found) != parts:
                break
            checksums.append(found)
        return checksums

    def _opened(self) -> zarr.Array[Any]:
        """Open the array of observations for writing."""
        # Any exception is caught, because zarr may raise any kind for damaged metadata.
        try:
            form = observations_form(self.folder / "observations")
            expected = self.shards.shape, self.shards.chunk, self.shards.shard, self.shards.dtype
            if (form.shape, form.chunk, form.shard, form.dtype) != expected:
                raise ValueError("not the array that was created")
            array: zarr.Array[Any] = open_observations(self.folder)
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
            if not entry.name.isdecimal() or int(entry.name) >= count:
                shutil.rmtree(entry)


def _create(folder: Path, btf: BTF, layout: Layout, dtype: np.dtype[Any]) -> None:
    """Create a store with directions, but without observations and the final attribute."""
    import zarr
    from zarr.codecs import BloscCodec, Crc32cCodec

    folder.mkdir(parents=True)
    group = zarr.open_group(folder, mode="w-", zarr_format=3)
    group.create_array(
        "observations",
        shape=(len(btf), btf.height, btf.width, btf.channels),
        dtype=dtype,
        chunks=layout.chunk,
        shards=layout.shard,
        # On noisy 8-bit captures hardly any faster compressor does better; smooth captures, and
        # those of more bits, profit from the shuffling of Blosc.
        compressors=(BloscCodec(cname="zstd", clevel=5), Crc32cCodec()),
        dimension_names=("observation", "y", "x", "channel"),
        # Empty chunks are written, so that a missing file means damage and not black pixels.
        config={"write_empty_chunks": True},
    )
    for name, vectors in (("light", btf.light), ("view", btf.view)):
        group.create_array(name, data=vectors, dimension_names=("observation", "component"))


def _subject(btf: BTF, layout: Layout) -> dict[str, Any]:
    """Return a description of a conversion; it resumes only from one with the same description."""
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
