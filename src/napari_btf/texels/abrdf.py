"""The values of single texels under all lights of one view, and their display colours.

A reader loads a whole patch around a texel, because users usually inspect neighbours next.
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

#: Maximum sizes of a patch in bytes. The limit for images is larger, because whole images must be
#: read in any case; a texel store reads only the patch.
_IMAGES_BYTES = 64 * 2**20
_STORE_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class Patch:
    """The ABRDFs of a rectangle of texels under some observations.

    Parameters
    ----------
    observations : ndarray of int, shape (L,)
        Indices of the observations.
    corner : tuple of int
        ``(y, x)`` of the first texel.
    values : ndarray, shape (L, h, w, C)
        Stored pixel values.
    """

    observations: NDArray[np.intp]
    corner: tuple[int, int]
    values: NDArray[Any]

    def covers(self, y: int, x: int) -> bool:
        """Return whether the texel at ``(y, x)`` lies in the patch."""
        rows, columns = y - self.corner[0], x - self.corner[1]
        height, width = self.values.shape[1:3]
        return bool(0 <= rows < height and 0 <= columns < width)

    def at(self, y: int, x: int) -> NDArray[Any]:
        """Return the values of the texel at ``(y, x)``, shape (L, C)."""
        return self.values[:, y - self.corner[0], x - self.corner[1]]


def under_view(btf: BTF, view: ArrayLike) -> NDArray[np.intp]:
    """Return the observations of one view, one per light, in the order of ``btf.grid.lights``.

    Parameters
    ----------
    btf : BTF
    view : array_like, shape (3,)
        Unit vector; the nearest captured view is used.

    Returns
    -------
    ndarray of int, shape (L,)
    """
    grid = btf.grid
    apart = angle_between(grid.views, np.asarray(view))
    same = np.flatnonzero(apart <= apart.min() + SAME_DIRECTION_DEGREES)
    found = np.flatnonzero(np.isin(grid.view_of, same))
    _, first = np.unique(grid.light_of[found], return_index=True)
    return np.asarray(found[first])


def patch_in_memory(btf: BTF, observations: NDArray[np.intp], y: int, x: int) -> Patch | None:
    """Return a patch of one texel if the capture is in memory, else None."""
    if not isinstance(btf.frames, np.ndarray):
        return None
    return Patch(observations, (y, x), btf.frames[observations, y : y + 1, x : x + 1])


def area_to_read(btf: BTF, observations: NDArray[np.intp], y: int, x: int) -> tuple[slice, slice]:
    """Return the rows and columns that `read_patch` reads for a texel.

    The patch takes at most 64 MiB if whole images must be read (this often covers the entire
    image), and at most 1 MiB if the capture gives access to single texels.
    """
    one_texel = len(observations) * btf.channels * np.dtype(btf.frames.dtype).itemsize
    most = _IMAGES_BYTES if btf.gatherer is None else _STORE_BYTES
    fit = max(1, most // one_texel)
    rows = _around(y, btf.height, max(1, int(np.sqrt(fit)), fit // btf.width))
    return rows, _around(x, btf.width, max(1, fit // (rows.stop - rows.start)))


def read_patch(btf: BTF, observations: NDArray[np.intp], y: int, x: int) -> Job[Patch]:
    """Read a patch around a texel; reports the phase "read"."""
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
    """Compute the mean ABRDF of some texels; reports the phase "read".

    Parameters
    ----------
    btf : BTF
    observations : ndarray of int, shape (L,)
    coords : array_like of int, shape (T, 2)
        Rows ``(y, x)``, at least one.

    Returns
    -------
    ndarray, shape (L, C)
        Values in the data type of the capture, rounded if that is an integer type.
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
    """Return a slice of ``wanted`` indices around ``centre``, shifted to lie within ``size``."""
    wanted = min(size, wanted)
    first = int(np.clip(centre - wanted // 2, 0, size - wanted))
    return slice(first, first + wanted)


def value_colours(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert stored values (..., C) to 8-bit display colours (..., 3).

    Radiance becomes sRGB in which 1 is white. Values of one channel, and the mean over the
    channels of a spectrum, become grey.
    """
    shown = to_display(values)
    if shown.dtype != np.uint8:
        largest = float(np.iinfo(shown.dtype).max)
        shown = np.rint(shown * (255.0 / largest)).astype(np.uint8)
    if shown.shape[-1] != 3:
        grey = np.rint(shown.mean(axis=-1, keepdims=True)).astype(np.uint8)
        shown = np.repeat(grey, 3, axis=-1)
    return np.asarray(shown)
