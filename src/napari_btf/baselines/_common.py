"""What the baselines share: their contract, coordinates, and reading in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_btf.directions import vectors_to_disk
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF

__all__ = [
    "Baseline",
    "check_one_view",
    "disk_coordinates",
    "distinct_points",
    "encoded_blocks",
    "pairs_at_once",
]

#: Values of float32 that are worked on at once: 32 MiB.
_BLOCK_VALUES = 2**23
#: Coordinates this close on the disks (a hundredth of a degree) are one point.
_SAME_POINT = 1e-4


class Baseline(Protocol):
    """A fitted codec: what `napari_btf.evaluate` needs to know of one."""

    @property
    def name(self) -> str:
        """For people, the same for every size."""

    @property
    def nbytes(self) -> int:
        """Whole size: what is kept of the texels, and what decodes it."""

    @property
    def note(self) -> str:
        """How its values are kept, and what was left out; a few words."""

    def shaded(self, light: ArrayLike, view: ArrayLike) -> Iterator[NDArray[np.float32]]:
        """Images (H, W, C) for pairs of unit vectors (P, 3), in the fitted domain, not clipped."""


def check_one_view(btf: BTF, name: str) -> None:
    """Refuse a capture of several views.

    Raises
    ------
    UsageError
    """
    # 1e-3 is a twentieth of a degree, less than any rig's tolerance.
    if np.ptp(btf.view, axis=0).max() > 1e-3:
        raise UsageError(None, f"{name} applies to captures with one view only")


def disk_coordinates(light: ArrayLike, view: ArrayLike) -> NDArray[np.float64]:
    """Both stereographic disks: unit vectors (P, 3) and (P, 3) -> (P, 4)."""
    return np.concatenate([vectors_to_disk(light), vectors_to_disk(view)], axis=-1)


def distinct_points(points: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which points to keep so that no two coincide, and which of these each point is.

    Parameters
    ----------
    points : ndarray, shape (N, D)
        Coordinates on the disks. With D = 0 all points are one.

    Returns
    -------
    kept : ndarray of int, shape (P,)
    member_of : ndarray of int, shape (N,)
    """
    near: Any = [range(len(points))]
    if points.shape[1]:
        from scipy.spatial import cKDTree

        near = cKDTree(points).query_ball_point(points, _SAME_POINT)
    stands_for = np.full(len(points), -1, dtype=np.intp)
    for i, neighbours in enumerate(near):
        if stands_for[i] < 0:
            stands_for[[j for j in neighbours if stands_for[j] < 0]] = i
    kept, member_of = np.unique(stands_for, return_inverse=True)
    return kept, member_of


def pairs_at_once(values: int) -> int:
    """How many images of so many values may be decoded together."""
    return int(np.clip(2 * _BLOCK_VALUES // values, 1, 256))


def encoded_blocks(
    btf: BTF, rows: slice = slice(None)
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """All observations, a block of them at a time, in the fitted domain.

    Parameters
    ----------
    btf : BTF
    rows : slice
        Of the images.

    Yields
    ------
    which : slice
        The observations of the block.
    values : ndarray, shape (n, h * W * C)
    """
    height = len(range(*rows.indices(btf.height)))
    size = height * btf.width * btf.channels
    together = max(1, _BLOCK_VALUES // size)
    block = np.empty((min(together, len(btf)), size), dtype=np.float32)
    start = 0
    for i, frame in enumerate(btf.iter_frames()):
        block[i - start] = btf.values.encode(frame[rows]).reshape(-1)
        if i + 1 - start == len(block) or i + 1 == len(btf):
            yield slice(start, i + 1), block[: i + 1 - start]
            start = i + 1
