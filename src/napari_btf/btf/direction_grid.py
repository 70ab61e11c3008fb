"""The arrangement of observations in a grid of views x lights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DirectionGrid"]


@dataclass(frozen=True, eq=False)
class DirectionGrid:
    """The observations arranged as views x lights.

    Parameters
    ----------
    views, lights : ndarray, shape (V, 3) and (L, 3)
        Distinct directions, ordered by theta, then phi.
    view_of, light_of : ndarray of int, shape (N,)
        For each observation, the row of its direction in ``views`` and in ``lights``.
    """

    views: NDArray[np.float64]
    lights: NDArray[np.float64]
    view_of: NDArray[np.intp]
    light_of: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of views and of lights, (V, L)."""
        return len(self.views), len(self.lights)

    @cached_property
    def duplicates(self) -> NDArray[np.intp]:
        """Indices of the observations that repeat the pair of an earlier one, ascending."""
        again = np.ones(len(self.view_of), dtype=bool)
        again[self._first] = False
        return np.flatnonzero(again)

    @property
    def duplicate_pairs(self) -> int:
        """Number of `duplicates`."""
        return len(self.view_of) - len(self._first)

    @property
    def missing_pairs(self) -> int:
        """Number of pairs of the grid without an observation."""
        return self.shape[0] * self.shape[1] - len(self._first)

    @cached_property
    def observations(self) -> NDArray[np.intp]:
        """Index of the first observation of each pair, shape (V, L); -1 for a missing pair.

        The array may be large if the directions of the capture do not form a grid.
        """
        index = np.full(self.shape, -1, dtype=np.intp)
        index[self.view_of[self._first], self.light_of[self._first]] = self._first
        return index

    def missing(self) -> NDArray[np.intp]:
        """Return the (view, light) indices of the pairs without an observation, shape (M, 2)."""
        return np.argwhere(self.observations < 0)

    @cached_property
    def _first(self) -> NDArray[np.intp]:
        """Index of the first observation of each captured pair."""
        pairs = self.view_of * len(self.lights) + self.light_of
        return np.asarray(np.unique(pairs, return_index=True)[1])
