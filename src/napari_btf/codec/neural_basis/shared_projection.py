"""Principal components and projection, with the images shared among processes.

Every image adds its part to the latents. So the images can be divided among processes that train
together, or among the workers of a Dask cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_btf.codec.projection import encode, gather_abrdfs, principal_components
from napari_btf.progress import Progress, finish
from napari_btf.running.cluster import active_client, in_cluster

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.fitting.processes import World

__all__ = ["Projected", "principal_table", "project"]

#: Number of tasks for each worker of a cluster.
_AHEAD = 2


class Projected(NamedTuple):
    """The result of the projection.

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


def principal_table(
    here: World, btf: BTF, yx: NDArray[np.intp], count: int, seed: int
) -> Generator[Progress, None, tuple[NDArray[np.float32], NDArray[np.float64]]]:
    """Return mean and principal components of texels at each observation, (N, K + 1, C).

    It also returns the standard deviation of each over the texels, ((K + 1) * C,). Each process
    reads its own images, and the first process computes.
    """
    abrdfs = yield from _gather_together(here, btf, yx)
    yield Progress("basis", 0, 1)
    found = None if abrdfs is None else principal_components(abrdfs, count, seed)
    del abrdfs
    mean, components, deviation = here.first(found)
    yield Progress("basis", 1, 1)
    table = np.concatenate([mean[np.newaxis], components])
    table = table.reshape(count + 1, len(btf), btf.channels).transpose(1, 0, 2)
    return table, np.repeat(np.concatenate([[1.0], deviation]), btf.channels)


def _gather_together(
    here: World, btf: BTF, yx: NDArray[np.intp]
) -> Generator[Progress, None, NDArray[np.float32] | None]:
    """Gather ABRDFs from the images of all processes, (T, N * C), in the first process."""
    own = yield from gather_abrdfs(here.share_of(btf), yx)
    if here.size == 1:
        return own
    parts = here.gather(own)
    if not parts:
        return None
    out = np.empty((len(yx), len(btf), btf.channels), dtype=np.float32)
    for rank, part in enumerate(parts):
        out[:, rank :: here.size] = part.reshape(len(yx), -1, btf.channels)
    return out.reshape(len(yx), -1)


def project(
    here: World, btf: BTF, table: NDArray[np.float32]
) -> Generator[Progress, None, Projected]:
    """Project every texel onto the components, by all processes or workers that there are.

    Each of several processes (`napari_btf.codec.fitting.processes`) reads its own images. The
    workers of a Dask cluster read them in blocks, if a script has connected a client to a cluster.
    """
    client = active_client() if here.size == 1 else None
    if client is not None:
        return (yield from _project_in_cluster(client, btf, table))
    share = here.share(len(btf)) if here.size > 1 else slice(None)
    latents, total, peak = yield from encode(here.share_of(btf), table[share])
    total = float(here.sum(np.array([total]))[0])
    return Projected(here.sum(latents), total, here.largest(peak))


def _project_in_cluster(
    client: Any, btf: BTF, table: NDArray[np.float32]
) -> Generator[Progress, None, Projected]:
    """Project by the workers of a cluster, in blocks of images whose parts are summed in order."""
    count = -(-len(btf) // (_AHEAD * max(1, len(client.scheduler_info()["workers"]))))
    latents = np.zeros((btf.height, btf.width, table.shape[1] - 1), dtype=np.float32)
    total, peak = 0.0, 0.0
    with in_cluster(btf.source or None, "start again"):
        blocks = [np.arange(i, min(i + count, len(btf))) for i in range(0, len(btf), count)]
        tasks = [
            client.submit(_project_block, btf.select(some), table[some], pure=False)
            for some in blocks
        ]
        try:
            for i, task in enumerate(tasks):
                found = task.result()
                latents += found.latents
                total, peak = total + found.total, max(peak, found.peak)
                # The cluster no longer needs it.
                tasks[i].release()
                yield Progress("encode", int(blocks[i][-1]) + 1, len(btf))
        finally:
            client.cancel([task for task in tasks if not task.done()])
    return Projected(latents, total, peak)


def _project_block(btf: BTF, table: NDArray[np.float32]) -> Projected:
    """Project one block of images; this runs in a worker."""
    return Projected(*finish(encode(btf, table)))
