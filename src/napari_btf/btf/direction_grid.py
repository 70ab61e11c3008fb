"""Observations arranged as views x lights."""

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
        Which of them each observation has.
    """

    views: NDArray[np.float64]
    lights: NDArray[np.float64]
    view_of: NDArray[np.intp]
    light_of: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int]:
        """(V, L)."""
        return len(self.views), len(self.lights)

    @cached_property
    def duplicates(self) -> NDArray[np.intp]:
        """Observations whose pair an earlier one has, in order."""
        again = np.ones(len(self.view_of), dtype=bool)
        again[self._first] = False
        return np.flatnonzero(again)

    @property
    def duplicate_pairs(self) -> int:
        """How many `duplicates` there are."""
        return len(self.view_of) - len(self._first)

    @property
    def missing_pairs(self) -> int:
        """Pairs of the grid without an observation."""
        return self.shape[0] * self.shape[1] - len(self._first)

    @cached_property
    def observations(self) -> NDArray[np.intp]:
        """(V, L) the first observation of each pair, -1 where there is none.

        Of a capture that is no grid this may be large.
        """
        index = np.full(self.shape, -1, dtype=np.intp)
        index[self.view_of[self._first], self.light_of[self._first]] = self._first
        return index

    def missing(self) -> NDArray[np.intp]:
        """(M, 2) view and light of the pairs without an observation."""
        return np.argwhere(self.observations < 0)

    @cached_property
    def _first(self) -> NDArray[np.intp]:
        """The first observation of each pair."""
        pairs = self.view_of * len(self.lights) + self.light_of
        return np.asarray(np.unique(pairs, return_index=True)[1])
