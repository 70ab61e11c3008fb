"""A part of the texel grid, and what is kept for the parts that were decoded last."""

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
        """The part that slices choose of a grid, as they would of an array.

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
        """Rows and columns of what is decoded."""
        return len(self.rows), len(self.columns)

    @property
    def texels(self) -> int:
        """How many texels are decoded."""
        return len(self.rows) * len(self.columns)

    @property
    def slices(self) -> tuple[slice, slice]:
        """What cuts the part out of an array of the whole surface."""
        rows, columns = (slice(r.start, r.stop, r.step) for r in (self.rows, self.columns))
        return rows, columns

    def cut(self, image: NDArray[Any]) -> NDArray[Any]:
        """The part of an image (H, W, ...), as a view of it."""
        return image[self.slices]


class KeptParts(Generic[T]):
    """What was made for the latest two parts: the whole surface, and what is looked at."""

    _COUNT = 2

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Part, T] = OrderedDict()

    def __call__(self, part: Part, make: Callable[[], T]) -> T:
        """What is kept for a part, or else is made now."""
        with self._lock:
            if part not in self._kept:
                # The oldest one goes first, to make room for the new one.
                while len(self._kept) >= self._COUNT:
                    self._kept.popitem(last=False)
                self._kept[part] = make()
            self._kept.move_to_end(part)
            return self._kept[part]

    def __reduce__(self) -> tuple[type[KeptParts[T]], tuple[()]]:
        # A copy of a model, or one sent to another process, starts with nothing.
        return KeptParts, ()
