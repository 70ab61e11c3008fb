"""Checks of a capture, and how much of it fits in memory, that several codecs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_btf.codec.fitting.settings import MEMORY
from napari_btf.errors import UsageError
from napari_btf.values import DTYPES

if TYPE_CHECKING:
    from napari_btf.btf import BTF

__all__ = ["GATHERED_BYTES", "check_capture", "texels_that_fit"]

#: Bytes of memory for each gathered value: PCA takes four times the size of its input at its peak.
GATHERED_BYTES = 16


def texels_that_fit(btf: BTF, memory: int = MEMORY) -> int:
    """Return the number of texels whose ABRDFs PCA can process within ``memory`` bytes."""
    return max(1, memory // (GATHERED_BYTES * len(btf) * btf.channels))


def check_capture(btf: BTF) -> None:
    """Raise a UsageError if no codec can learn a capture.

    Raises
    ------
    UsageError
        If a direction lies below the surface, or the values are of a type that no model holds.
    """
    if min(btf.light[:, 2].min(), btf.view[:, 2].min()) < -0.01:
        raise UsageError(
            btf.source or None,
            "it has lights or views below the surface",
            "leave those observations out",
        )
    if btf.values.dtype.name not in DTYPES:
        raise UsageError(
            btf.source or None,
            f"its values are {btf.values.dtype}, models hold {', '.join(DTYPES)}",
            "convert them",
        )
