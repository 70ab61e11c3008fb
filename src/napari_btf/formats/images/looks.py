"""What an image says about itself, applied: its colour profile, and which way up it is.

The readers of single formats give headers and pixels as they are stored, with the orientation and
the colour profile that the file states. This module makes the image of these that people see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.formats.images import colour_profiles, orientation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.formats.images.types import ImageHeader

__all__ = ["applied", "with_orientation", "with_sayings"]


def with_sayings(stored: ImageHeader) -> ImageHeader:
    """Return the header of the upright image, with sentences about its colour profile."""
    said = colour_profiles.about(stored.profile, stored.channels, stored.dtype)
    if said:
        stored = stored._replace(said=(*stored.said, said))
    return _swapped(stored) if orientation.swaps_axes(stored.orientation) else stored


def with_orientation(upright: ImageHeader, another: int) -> ImageHeader:
    """Return the header of an image that is turned by another orientation than its own."""
    swap = orientation.swaps_axes(another) != orientation.swaps_axes(upright.orientation)
    return (_swapped(upright) if swap else upright)._replace(orientation=another)


def applied(pixels: NDArray[Any], stored: ImageHeader, another: int | None) -> NDArray[Any]:
    """Return stored pixels (H, W, C) in sRGB and upright, or turned by another orientation."""
    pixels = colour_profiles.to_srgb(pixels, stored.profile)
    return orientation.turned(pixels, stored.orientation if another is None else another)


def _swapped(found: ImageHeader) -> ImageHeader:
    return found._replace(height=found.width, width=found.height)
