"""Projecting every texel of a capture onto components: what encoding is, for a linear codec.

Every image adds its part to the latents. So images can be shared out: among processes that train
together, or among the workers of a Dask cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_btf.cluster import active_client, in_cluster
from napari_btf.codec.layers import Scratch, in_chunks
from napari_btf.progress import Progress, finish, is_report_due

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.processes import World

__all__ = ["Projected", "encode"]

#: Values of the images that are projected together: 32 MiB.
_TOGETHER = 2**23
#: Tasks for each worker of a cluster.
_AHEAD = 2


class Projected(NamedTuple):
    """What is left of the capture.

    Parameters
    ----------
    latents : ndarray, shape (H, W, K)
    total : float
        Sum of squares of what was projected.
    peak : float
        The largest value of the capture.
    """

    latents: NDArray[np.float32]
    total: float
    peak: float


def encode(
    here: World, btf: BTF, table: NDArray[np.float32]
) -> Generator[Progress, None, Projected]:
    """Project every texel onto the components, by all there is to do it.

    Each of several processes (`napari_btf.codec.processes`) reads its own images; the workers of a
    Dask cluster, if a script has opened a client of one, read them a block at a time.
    """
    client = active_client() if here.size == 1 else None
    if client is not None:
        return (yield from _encode_in_cluster(client, btf, table))
    share = here.share(len(btf)) if here.size > 1 else slice(None)
    latents, total, peak = yield from _encode(here.share_of(btf), table[share])
    total = float(here.sum(np.array([total]))[0])
    return Projected(here.sum(latents), total, here.largest(peak))


def _encode_in_cluster(
    client: Any, btf: BTF, table: NDArray[np.float32]
) -> Generator[Progress, None, Projected]:
    """`_encode` by the workers of a cluster, each some images at a time, summed in order."""
    count = -(-len(btf) // (_AHEAD * max(1, len(client.scheduler_info()["workers"]))))
    latents = np.zeros((btf.height, btf.width, table.shape[1] - 1), dtype=np.float32)
    total, peak = 0.0, 0.0
    with in_cluster(btf.source or None, "start again"):
        blocks = [np.arange(i, min(i + count, len(btf))) for i in range(0, len(btf), count)]
        tasks = [
            client.submit(_encode_block, btf.select(some), table[some], pure=False)
            for some in blocks
        ]
        try:
            for i, task in enumerate(tasks):
                found = task.result()
                latents += found.latents
                total, peak = total + found.total, max(peak, found.peak)
                # It is no longer needed there.
                tasks[i].release()
                yield Progress("encode", int(blocks[i][-1]) + 1, len(btf))
        finally:
            client.cancel([task for task in tasks if not task.done()])
    return Projected(latents, total, peak)


def _encode_block(btf: BTF, table: NDArray[np.float32]) -> Projected:
    """What a worker does."""
    return Projected(*finish(_encode(btf, table)))


def _encode(
    btf: BTF, table: NDArray[np.float32]
) -> Generator[Progress, None, tuple[NDArray[np.float32], float, float]]:
    """Project every texel onto the components, one observation after the other.

    Returns
    -------
    latents : ndarray, shape (H, W, K)
    total : float
        Sum of squares of what is projected.
    peak : float
        The largest value of the capture.
    """
    texels, c = btf.height * btf.width, btf.channels
    latents = np.zeros((texels, table.shape[1] - 1), dtype=np.float32)
    total, peak = 0.0, 0.0
    # Several images at a time: each product reads and writes all latents.
    together = int(np.clip(_TOGETHER // (texels * c), 1, 64))
    block = np.empty((texels, together, c), dtype=np.float32)
    for i, frame in enumerate(btf.iter_frames()):
        place = i % together
        block[:, place] = btf.values.encode(frame.reshape(texels, c))
        peak = max(peak, float(block[:, place].max()))
        if place == together - 1 or i == len(btf) - 1:
            total += _project(block[:, : place + 1], table[i - place : i + 1], latents)
        if is_report_due(i + 1, len(btf)):
            yield Progress("encode", i + 1, len(btf))
    return latents.reshape(btf.height, btf.width, -1), total, peak


def _project(
    colours: NDArray[np.float32], table: NDArray[np.float32], latents: NDArray[np.float32]
) -> float:
    """Add the projection of some observations (T, F, C), by their table (F, K + 1, C), to latents.

    Returns the sum of squares of what is projected.
    """
    mean = table[:, 0].reshape(-1)
    components = table[:, 1:].transpose(0, 2, 1).reshape(len(mean), -1)
    squares: dict[int, float] = {}

    def work(part: slice, scratch: Scratch) -> None:
        values = scratch("values", part.stop - part.start, len(mean))
        np.subtract(colours[part].reshape(len(values), -1), mean, out=values)
        latents[part] += np.matmul(
            values, components, out=scratch("product", len(values), latents.shape[1])
        )
        squares[part.start] = float(np.vdot(values, values))

    in_chunks(len(latents), work)
    # In order, so that the sum is the same in every run.
    return sum(squares[start] for start in sorted(squares))
