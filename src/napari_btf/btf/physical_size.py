"""The physical size of texels: what a capture may state, and what an image file says of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LARGEST_MM", "SMALLEST_MM", "check_mm_per_texel", "dots_per_inch", "is_size"]

#: Millimetres: a thousandth of a wavelength of light, and a kilometre.
SMALLEST_MM, LARGEST_MM = 1e-6, 1e6
_MM_PER_INCH = 25.4


def is_size(mm_per_texel: object) -> bool:
    """Whether a value is a number of millimetres that a texel can measure."""
    return (
        isinstance(mm_per_texel, int | float)
        and not isinstance(mm_per_texel, bool)
        and math.isfinite(mm_per_texel)
        and SMALLEST_MM <= mm_per_texel <= LARGEST_MM
    )


def check_mm_per_texel(mm_per_texel: float | None, source: str | Path | None = None) -> None:
    """Raise a UsageError unless a size of texels is None or a possible one."""
    if mm_per_texel is not None and not is_size(mm_per_texel):
        raise UsageError(
            source,
            f"a texel cannot measure {mm_per_texel} mm",
            f"give {SMALLEST_MM:g} to {LARGEST_MM:g} mm per texel",
        )


def dots_per_inch(mm_per_texel: float) -> float:
    """Return the resolution that an image file states."""
    return _MM_PER_INCH / mm_per_texel
