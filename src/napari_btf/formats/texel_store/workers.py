"""Blocks of a texel store that the workers of a Dask cluster write.

Every task reads the images of a block and writes its shards, which are no other task's; it may do
so twice without harm. The process that converts keeps the journal.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

import google_crc32c
import numpy as np

from napari_btf.errors import StoreError
from napari_btf.running.cluster import in_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.btf import BTF

__all__ = ["checksum_of", "copied_blocks", "write_parts"]

#: Tasks handed out for each worker.
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
    """Have workers copy blocks of ``depth`` images; yields the checksums of each, in order.

    Raises
    ------
    CaptureError
        If an image cannot be read.
    StoreError
        If a worker cannot write the store.
    ProcessLostError
        If workers end again and again, or the scheduler.
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
    """Copy the images of a block into the shards of these boxes; their checksums."""
    import zarr

    try:
        array: Any = zarr.open_group(folder, mode="r+")["observations"]
    # A folder that is not there, or that another one shadows: zarr raises what it meets first.
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
            "free some space there, and the same command goes on",
        ) from error


def write_parts(array: Any, boxes: list[Box], values: NDArray[Any]) -> list[int]:
    """Write a block (n, H, W, C) into the shards of these boxes; their checksums."""
    checksums = []
    for box in boxes:
        first = box[0].start
        part = np.ascontiguousarray(values[: box[0].stop - first, box[1], box[2]])
        # One file after the other: zarr alone would hold ten of them in memory.
        array[box] = part
        checksums.append(checksum_of(part))
    return checksums


def checksum_of(values: NDArray[Any]) -> int:
    """CRC32C of values."""
    return int(google_crc32c.value(np.ascontiguousarray(values).reshape(-1).view(np.uint8)))
