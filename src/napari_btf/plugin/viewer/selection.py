"""The selected texels of a model: one mask for all docks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from psygnal import Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LIT", "How", "TexelSelection"]

#: The colour of selected points, and of selected texels.
LIT = (255, 217, 25)

#: What becomes of the texels that were selected before.
How = Literal["replace", "add", "subtract"]


class TexelSelection:
    """The selected texels of one texel grid.

    Parameters
    ----------
    height, width : int

    Signals
    -------
    changed
        Other texels are selected now.
    """

    changed = Signal()

    def __init__(self, height: int, width: int) -> None:
        self._mask = np.zeros((height, width), dtype=bool)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The selected texels, (H, W); the array is never changed in place."""
        return self._mask

    @property
    def count(self) -> int:
        """The number of selected texels."""
        return int(np.count_nonzero(self._mask))

    def take(self, mask: NDArray[np.bool_], how: How = "replace") -> None:
        """Change the selection by a mask.

        Parameters
        ----------
        mask : ndarray of bool, shape (H, W)
        how : {"replace", "add", "subtract"}
            These alone, these too, or these no longer.
        """
        if how == "add":
            self._set(self._mask | mask)
        elif how == "subtract":
            self._set(self._mask & ~mask)
        else:
            self._set(mask.copy())

    def add(self, mask: NDArray[np.bool_]) -> None:
        """Add texels to the selection."""
        self.take(mask, "add")

    def subtract(self, mask: NDArray[np.bool_]) -> None:
        """Remove texels from the selection."""
        self.take(mask, "subtract")

    def invert(self) -> None:
        """Select all other texels."""
        self._set(~self._mask)

    def clear(self) -> None:
        """Select no texels."""
        self._set(np.zeros_like(self._mask))

    def _set(self, mask: NDArray[np.bool_]) -> None:
        if not np.array_equal(mask, self._mask):
            self._mask = mask
            self.changed.emit()
