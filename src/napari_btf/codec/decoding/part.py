"""A part of the texel grid, and a cache for the parts that were decoded last."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["KeptParts", "Part"]

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Rows and columns of the texel grid, or every n-th of them.

    Parameters
    ----------
    rows, columns : range
        Of at least one texel, with positive steps.
    """

    rows: range
    columns: range

    @classmethod
    def of(
        cls,
        height: int,
        width: int,
        rows: slice | None = None,
        columns: slice | None = None,
        step: int = 1,
    ) -> Part:
        """Return the part that slices select from a grid, as they would from an array.

        Parameters
        ----------
        height, width : int
            Texels of the grid.
        rows, columns : slice, optional
            All of them if not given.
        step : int
            Every ``step``-th texel in both directions, from the first one.

        Raises
        ------
        UsageError
            If no texel is left, or they would go backwards.
        """
        if step < 1:
            raise UsageError(None, f"the step is {step} texels", "use a step of 1 or more")
        part = cls(
            range(height)[slice(None) if rows is None else rows][::step],
            range(width)[slice(None) if columns is None else columns][::step],
        )
        if not (part.rows and part.columns):
            raise UsageError(
                None,
                f"no texel lies in the chosen rectangle of a surface of {width} x {height}",
                "choose one that does",
            )
        if part.rows.step < 1 or part.columns.step < 1:
            raise UsageError(None, "rows or columns go backwards", "use positive steps")
        return part

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns of the part."""
        return len(self.rows), len(self.columns)

    @property
    def texels(self) -> int:
        """Number of texels of the part."""
        return len(self.rows) * len(self.columns)

    @property
    def slices(self) -> tuple[slice, slice]:
        """The slices that cut the part out of an array of the whole surface."""
        rows, columns = (slice(r.start, r.stop, r.step) for r in (self.rows, self.columns))
        return rows, columns

    def cut(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the part of an image (H, W, ...), as a view of it."""
        return image[self.slices]


class KeptParts(Generic[T]):
    """A cache of values for the latest two parts: the whole surface, and the visible part."""

    _COUNT = 2

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Part, T] = OrderedDict()

    def __call__(self, part: Part, make: Callable[[], T]) -> T:
        """Return the value that is kept for a part, or make it now."""
        with self._lock:
            if part not in self._kept:
                # The oldest entry makes room for the new one.
                while len(self._kept) >= self._COUNT:
                    self._kept.popitem(last=False)
                self._kept[part] = make()
            self._kept.move_to_end(part)
            return self._kept[part]

    def __reduce__(self) -> tuple[type[KeptParts[T]], tuple[()]]:
        # A copy of a model, or one sent to another process, starts with an empty cache.
        return KeptParts, ()
