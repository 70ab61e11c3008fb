"""Shared parts of the baselines: their protocol, coordinates, and reading in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

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
    "encoded_blocks",
    "pairs_at_once",
]

#: Number of float32 values that are processed at once: 32 MiB.
_BLOCK_VALUES = 2**23


class Baseline(Protocol):
    """A fitted classical codec, as `napari_btf.evaluate` uses it."""

    @property
    def name(self) -> str:
        """Display name, the same for every size."""

    @property
    def nbytes(self) -> int:
        """Total size in bytes: the compressed texels and the decoder."""

    @property
    def note(self) -> str:
        """A few words on how values are stored and what was left out."""

    def shaded(self, light: ArrayLike, view: ArrayLike) -> Iterator[NDArray[np.float32]]:
        """Decode images (H, W, C) at pairs of unit vectors (P, 3), fitted domain, not clipped."""


def check_one_view(btf: BTF, name: str) -> None:
    """Check that a capture has a single view.

    Parameters
    ----------
    btf : BTF
    name : str
        Name of the codec in the error message.

    Raises
    ------
    UsageError
        If the capture has several views.
    """
    # The threshold 1e-3 is a twentieth of a degree, less than any rig's tolerance.
    if np.ptp(btf.view, axis=0).max() > 1e-3:
        raise UsageError(None, f"{name} applies to captures with one view only")


def disk_coordinates(light: ArrayLike, view: ArrayLike) -> NDArray[np.float64]:
    """Return coordinates on both stereographic disks: unit vectors (P, 3), (P, 3) -> (P, 4)."""
    return np.concatenate([vectors_to_disk(light), vectors_to_disk(view)], axis=-1)


def pairs_at_once(values: int) -> int:
    """Return how many images with this number of values to decode together, 1 to 256."""
    return int(np.clip(2 * _BLOCK_VALUES // values, 1, 256))


def encoded_blocks(
    btf: BTF, rows: slice = slice(None)
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Iterate over all observations in blocks, converted to the fitted domain.

    Parameters
    ----------
    btf : BTF
    rows : slice
        Rows of the images to return.

    Yields
    ------
    which : slice
        The observations of the block.
    values : ndarray, shape (n, h * W * C)
        Overwritten by the next block.
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
