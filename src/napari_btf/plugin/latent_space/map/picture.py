"""A picture of all points of a plane: their mean colour and their density in each pixel.

NumPy computes it, so that a million points need no graphics card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.plugin.viewer.selection import LIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MapView", "map_picture"]


#: Dots have a radius of so many pixels at most, and so many pixels altogether.
_LARGEST_DOT = 4
_DOT_PIXELS = 600_000
#: How much of what is behind a single dot hides, alone and beside a selection.
_OPACITY, _DIMMED = 0.6, 0.22
#: A single dot has to be seen.
_OPACITY_ALONE = 0.9


@dataclass(frozen=True)
class MapView:
    """The part of the plane that a picture shows.

    Parameters
    ----------
    centre : tuple of float
        (x, y) of the plane in the middle of the picture.
    scale : float
        Pixels per unit.
    size : tuple of int
        Width and height in pixels.
    """

    centre: tuple[float, float]
    scale: float
    size: tuple[int, int]

    def places(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the pixels (right, down) of points (..., 2) of the plane."""
        middle = np.array(self.size) / 2
        return (np.asarray(points) - self.centre) * (self.scale, -self.scale) + middle

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return the point of the plane at a pixel."""
        return (
            self.centre[0] + (x - self.size[0] / 2) / self.scale,
            self.centre[1] - (y - self.size[1] / 2) / self.scale,
        )

    def zoomed(self, factor: float, x: float, y: float) -> MapView:
        """Return the view magnified by a factor around a pixel."""
        at = self.point(x, y)
        scale = self.scale * factor
        centre = (
            at[0] - (x - self.size[0] / 2) / scale,
            at[1] + (y - self.size[1] / 2) / scale,
        )
        return MapView(centre, scale, self.size)

    def moved(self, x: float, y: float) -> MapView:
        """Return the view moved by pixels to the right and down."""
        centre = self.centre[0] - x / self.scale, self.centre[1] + y / self.scale
        return MapView(centre, self.scale, self.size)

    @classmethod
    def of_all(cls, points: NDArray[np.floating], size: tuple[int, int]) -> MapView:
        """Return a view in which all points (T, 2) are visible."""
        if not len(points):
            return cls((0.0, 0.0), 1.0, size)
        low, high = points.min(axis=0), points.max(axis=0)
        room = np.maximum(np.array(size, dtype=float) - 4 * _LARGEST_DOT, 8.0)
        span = np.maximum(high - low, 1e-9 + 1e-6 * float(np.abs(points).max()))
        x, y = (low + high) / 2
        return cls((float(x), float(y)), float((room / span).min()), size)


def map_picture(
    view: MapView,
    points: NDArray[np.floating],
    colours: NDArray[np.uint8],
    selected: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Draw points as a picture.

    A pixel has the mean colour of the points in it, and is more opaque the more points it has. If
    some points are selected, the others are pale.

    Parameters
    ----------
    view : MapView
    points : ndarray, shape (T, 2)
    colours : ndarray of uint8, shape (T, 3)
    selected : ndarray of bool, shape (T,)

    Returns
    -------
    ndarray of uint8, shape (H, W, 4)
        Red, green, blue and opacity, premultiplied.
    """
    width, height = view.size
    place = np.rint(view.places(points)).astype(np.int32)
    x, y = place[:, 0], place[:, 1]
    reach = _LARGEST_DOT
    seen = (x >= -reach) & (x < width + reach) & (y >= -reach) & (y < height + reach)
    x, y, colours, selected = x[seen], y[seen], colours[seen], selected[seen]
    radius = _radius(len(x), width * height)
    any_selected = bool(selected.any())
    opacity = _DIMMED if any_selected else _OPACITY_ALONE if radius > 1 else _OPACITY
    picture = np.zeros((height * width, 4), dtype=np.float32)
    rest = ~selected if any_selected else slice(None)
    count = _counts(x[rest], y[rest], radius, view.size)
    hidden = 1 - np.power(np.float32(1 - opacity), count, dtype=np.float32)
    for channel in range(3):
        total = _counts(x[rest], y[rest], radius, view.size, colours[rest, channel])
        picture[:, channel] = total / np.maximum(count, 1) * hidden
    picture[:, 3] = 255 * hidden
    if any_selected:
        lit = _counts(x[selected], y[selected], radius, view.size) > 0
        picture[lit] = (*LIT, 255)
    return np.rint(picture).astype(np.uint8).reshape(height, width, 4)


def _radius(count: int, pixels: int) -> int:
    """Return the radius of dots that leave about as much of the picture free as they cover."""
    radius = int(np.sqrt(0.12 * pixels / max(count, 1)))
    while radius > 1 and count * len(_disc(radius)) > _DOT_PIXELS:
        radius -= 1
    return int(np.clip(radius, 1, _LARGEST_DOT))


def _disc(radius: int) -> NDArray[np.int32]:
    """Return the offsets (right, down) of the pixels of a dot."""
    steps = np.mgrid[-radius : radius + 1, -radius : radius + 1].reshape(2, -1).T
    return np.asarray(steps[(steps**2).sum(axis=1) <= radius * (radius + 0.5)], dtype=np.int32)


def _counts(
    x: NDArray[np.int32],
    y: NDArray[np.int32],
    radius: int,
    size: tuple[int, int],
    weights: NDArray[np.uint8] | None = None,
) -> NDArray[np.float32]:
    """Return the number of dots that cover each pixel, or the sum of their weights, (H * W,)."""
    width, height = size
    # A rim takes what sticks out. Counting is linear: once for all, then moved by every step.
    rim = _LARGEST_DOT
    across, down = width + 4 * rim, height + 4 * rim
    flat = (y + 2 * rim) * across + (x + 2 * rim)
    single = np.bincount(flat, weights, minlength=across * down).astype(np.float32)
    single = single.reshape(down, across)
    result = np.zeros((height, width), dtype=np.float32)
    for right, under in _disc(radius).tolist():
        top, left = 2 * rim - under, 2 * rim - right
        result += single[top : top + height, left : left + width]
    return result.ravel()
