"""Looking at single texels: their values under all lights of one view, and as colours.

Texels near one that was looked at are looked at next, so a patch around it is read at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.directions import SAME_DIRECTION_DEGREES, angle_between
from napari_btf.progress import Progress
from napari_btf.values import to_display

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.progress import Job

__all__ = [
    "Patch",
    "area_to_read",
    "mean_abrdf",
    "patch_in_memory",
    "read_patch",
    "under_view",
    "value_colours",
]

#: Bytes of a patch at most: of images all of it is read anyway, of texel stores only the patch.
_IMAGES_BYTES = 64 * 2**20
_STORE_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class Patch:
    """The ABRDFs of a rectangle of texels under some observations.

    Parameters
    ----------
    observations : ndarray of int, shape (L,)
    corner : tuple of int
        ``(y, x)`` of the first texel.
    values : ndarray, shape (L, h, w, C)
        As they are stored.
    """

    observations: NDArray[np.intp]
    corner: tuple[int, int]
    values: NDArray[Any]

    def covers(self, y: int, x: int) -> bool:
        """Whether a texel is in there."""
        rows, columns = y - self.corner[0], x - self.corner[1]
        height, width = self.values.shape[1:3]
        return bool(0 <= rows < height and 0 <= columns < width)

    def at(self, y: int, x: int) -> NDArray[Any]:
        """The values of a texel, (L, C)."""
        return self.values[:, y - self.corner[0], x - self.corner[1]]


def under_view(btf: BTF, view: ArrayLike) -> NDArray[np.intp]:
    """The observations of one view, one a light, in the order of ``btf.grid.lights``.

    Parameters
    ----------
    btf : BTF
    view : array_like, shape (3,)
        Unit vector; the captured view nearest to it is taken.
    """
    grid = btf.grid
    apart = angle_between(grid.views, np.asarray(view))
    same = np.flatnonzero(apart <= apart.min() + SAME_DIRECTION_DEGREES)
    found = np.flatnonzero(np.isin(grid.view_of, same))
    _, first = np.unique(grid.light_of[found], return_index=True)
    return np.asarray(found[first])


def patch_in_memory(btf: BTF, observations: NDArray[np.intp], y: int, x: int) -> Patch | None:
    """The patch of one texel, if the capture is in memory; else None."""
    if not isinstance(btf.frames, np.ndarray):
        return None
    return Patch(observations, (y, x), btf.frames[observations, y : y + 1, x : x + 1])


def area_to_read(btf: BTF, observations: NDArray[np.intp], y: int, x: int) -> tuple[slice, slice]:
    """Rows and columns that `read_patch` reads for a texel.

    As many as 64 MiB hold if images must be read (all of them, mostly), and 1 MiB if the capture
    can be read by texels.
    """
    one_texel = len(observations) * btf.channels * np.dtype(btf.frames.dtype).itemsize
    most = _IMAGES_BYTES if btf.gatherer is None else _STORE_BYTES
    fit = max(1, most // one_texel)
    rows = _around(y, btf.height, max(1, int(np.sqrt(fit)), fit // btf.width))
    return rows, _around(x, btf.width, max(1, fit // (rows.stop - rows.start)))


def read_patch(btf: BTF, observations: NDArray[np.intp], y: int, x: int) -> Job[Patch]:
    """Read the surroundings of a texel, phase "read"."""
    rows, columns = area_to_read(btf, observations, y, x)
    part = btf.select(observations)
    shape = (rows.stop - rows.start, columns.stop - columns.start, btf.channels)
    if btf.gatherer is None:
        values = np.empty((len(part), *shape), dtype=btf.frames.dtype)
        for i, frame in enumerate(part.iter_frames()):
            values[i] = frame[rows, columns]
            yield Progress("read", i + 1, len(part))
    else:
        texels = np.mgrid[rows, columns].reshape(2, -1).T
        gathered = np.empty((len(texels), len(part), btf.channels), dtype=btf.frames.dtype)
        for done, total in part.gather(texels, gathered):
            yield Progress("read", done, total)
        values = gathered.swapaxes(0, 1).reshape(len(part), *shape)
    return Patch(observations, (rows.start, columns.start), values)


def mean_abrdf(btf: BTF, observations: NDArray[np.intp], coords: ArrayLike) -> Job[NDArray[Any]]:
    """The mean ABRDF of some texels, phase "read".

    Parameters
    ----------
    btf : BTF
    observations : ndarray of int, shape (L,)
    coords : array_like of int, shape (T, 2)
        Rows ``(y, x)``, at least one.

    Returns
    -------
    ndarray, shape (L, C)
        In the captured type.
    """
    y, x = np.asarray(coords).T
    part = btf.select(observations)
    mean = np.empty((len(part), btf.channels))
    for i, frame in enumerate(part.iter_frames()):
        mean[i] = frame[y, x].mean(axis=0, dtype=np.float64)
        yield Progress("read", i + 1, len(part))
    dtype = np.dtype(btf.frames.dtype)
    return (mean if dtype.kind == "f" else np.rint(mean)).astype(dtype)


def _around(centre: int, size: int, wanted: int) -> slice:
    """``wanted`` places around one, within ``size``."""
    wanted = min(size, wanted)
    first = int(np.clip(centre - wanted // 2, 0, size - wanted))
    return slice(first, first + wanted)


def value_colours(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Stored values (..., C) as colours (..., 3) of a screen.

    Radiance as sRGB with 1 as white; one channel, and the mean of a spectrum, as grey.
    """
    shown = to_display(values)
    if shown.dtype != np.uint8:
        largest = float(np.iinfo(shown.dtype).max)
        shown = np.rint(shown * (255.0 / largest)).astype(np.uint8)
    if shown.shape[-1] != 3:
        grey = np.rint(shown.mean(axis=-1, keepdims=True)).astype(np.uint8)
        shown = np.repeat(grey, 3, axis=-1)
    return np.asarray(shown)
