"""Writing of a texel store's blocks, here or by the workers of a Dask cluster.

A task reads the images of one block and writes the shards of this block. No other task writes
these shards, so a task may safely be repeated. Only the converting process writes the journal.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

import google_crc32c
import numpy as np

from napari_btf.errors import StoreError
from napari_btf.formats.texel_store.forms import observations_form
from napari_btf.running.cluster import in_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.btf import BTF

__all__ = ["checksum_of", "copied_blocks", "open_observations", "write_parts"]

#: Number of tasks submitted ahead for each worker.
_AHEAD = 2

Box = tuple[slice, slice, slice]


def copied_blocks(
    client: Any,
    folder: Path,
    btf: BTF,
    blocks: range,
    depth: int,
    boxes: Callable[[int], list[Box]],
) -> Iterator[list[int]]:
    """Let workers write blocks of images; yield the checksums of each block, in order.

    Parameters
    ----------
    client : distributed.Client
    folder : Path
        Folder of the store, which all workers can access.
    btf : BTF
    blocks : range
        Indices of the blocks to write.
    depth : int
        Number of images per block.
    boxes : callable
        Maps the index of a block to the index ranges of its shards.

    Raises
    ------
    CaptureError
        If an image cannot be read.
    StoreError
        If a worker cannot write the store.
    ProcessLostError
        If workers end repeatedly, or the scheduler ends.
    """

    def submit(block: int) -> Any:
        images = range(block * depth, min((block + 1) * depth, len(btf)))
        part = btf.select(np.array(images))
        return client.submit(_copy_block, folder, part, boxes(block), pure=False)

    with in_cluster(folder, "the same command goes on from there"):
        ahead = _AHEAD * max(1, len(client.scheduler_info()["workers"]))
        left = iter(blocks)
        running = deque(submit(block) for block in islice(left, ahead))
        try:
            while running:
                checksums = running[0].result()
                running.popleft()
                running.extend(submit(block) for block in islice(left, 1))
                yield checksums
        finally:
            client.cancel(list(running))


def _copy_block(folder: Path, btf: BTF, boxes: list[Box]) -> list[int]:
    """Write the images of a block to the shards in these boxes; return their checksums."""
    try:
        array: Any = open_observations(folder)
    # Any exception is caught, because zarr may raise any kind if the folder is missing or is not
    # the same folder on the worker.
    except Exception as error:
        raise StoreError(
            folder, "a worker does not find it", "name a folder that all workers share"
        ) from error
    values = np.empty(btf.frames.shape, dtype=array.dtype)
    for i, frame in enumerate(btf.iter_frames()):
        values[i] = frame
    try:
        return write_parts(array, boxes, values)
    except OSError as error:
        raise StoreError(
            folder,
            f"a worker cannot write it ({error.strerror or error})",
            "free some space there and repeat the same command, which resumes the conversion",
        ) from error


def open_observations(folder: Path) -> Any:
    """Open the observations of an unfinished store for writing; any exception may be raised."""
    import zarr

    # Checked first, because zarr would run any codec that metadata name.
    observations_form(folder / "observations")
    group = zarr.open_group(folder, mode="r+", zarr_format=3, use_consolidated=False)
    return group["observations"]


def write_parts(array: Any, boxes: list[Box], values: NDArray[Any]) -> list[int]:
    """Write a block (n, H, W, C) to the shards in these boxes; return their checksums."""
    checksums = []
    for box in boxes:
        first = box[0].start
        part = np.ascontiguousarray(values[: box[0].stop - first, box[1], box[2]])
        # One file at a time, because zarr would hold about ten of them in memory.
        array[box] = part
        checksums.append(checksum_of(part))
    return checksums


def checksum_of(values: NDArray[Any]) -> int:
    """Compute the CRC32C of an array's bytes."""
    return int(google_crc32c.value(np.ascontiguousarray(values).reshape(-1).view(np.uint8)))
