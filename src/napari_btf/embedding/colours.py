"""Colours of texels for a map of the latent space: their look, their place, their kind.

Each function gives one colour a texel, and what a legend needs.
"""

from __future__ import annotations

import colorsys
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from napari_btf.codec.overview import frontal_images
from napari_btf.errors import UsageError
from napari_btf.texels.abrdf import value_colours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec import CompressedBTF

__all__ = [
    "Colours",
    "Labels",
    "Scale",
    "centre_distance",
    "label_colours",
    "latent_values",
    "mean_colours",
    "named_regions",
    "positions",
]

_NONE = (128, 128, 128)
_lock = Lock()
_means: WeakKeyDictionary[CompressedBTF, NDArray[np.uint8]] = WeakKeyDictionary()


class Scale(NamedTuple):
    """The legend of numbers: a colour bar."""

    name: str
    low: float
    high: float
    colormap: str
    """Of matplotlib."""


class Labels(NamedTuple):
    """The legend of kinds: a name and a colour each."""

    names: tuple[str, ...]
    rgb: NDArray[np.uint8]
    """(N, 3)"""


class Colours(NamedTuple):
    """Colours of texels."""

    rgb: NDArray[np.uint8]
    """(T, 3)"""
    legend: Scale | Labels | None


def mean_colours(model: CompressedBTF, coords: ArrayLike | None = None) -> Colours:
    """The mean colour of texels, decoded under some of the captured lights from the front.

    Parameters
    ----------
    model : CompressedBTF
        What was decoded is kept as long as the model.
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)``; all by default.
    """
    with _lock:
        if model not in _means:
            _means[model] = value_colours(_mean_image(model))
        image = _means[model]
    return Colours(_chosen(image, coords), None)


def centre_distance(coords: ArrayLike, height: int, width: int) -> Colours:
    """How far texels (T, 2), rows ``(y, x)``, are from the centre of the image, in texels."""
    yx = np.asarray(coords, dtype=np.float64)
    centre = (height - 1) / 2.0, (width - 1) / 2.0
    distance = np.hypot(*(yx - centre).T)
    return _scaled(distance, "distance to the centre, texels", 0.0, None, "inferno")


def positions(coords: ArrayLike, height: int, width: int) -> Colours:
    """Where texels (T, 2), rows ``(y, x)``, lie in the image: a hue each way, and both at once.

    The four corners are blue, green, yellow and red, and what lies between them is mixed.
    """
    yx = np.asarray(coords, dtype=np.float64)
    y, x = (yx / (max(height - 1, 1), max(width - 1, 1))).T[..., np.newaxis]
    top_left, top_right = np.array((48, 96, 220)), np.array((40, 180, 90))
    bottom_left, bottom_right = np.array((220, 50, 70)), np.array((250, 220, 60))
    mixed = (1 - y) * ((1 - x) * top_left + x * top_right)
    mixed += y * ((1 - x) * bottom_left + x * bottom_right)
    return Colours(np.rint(mixed).astype(np.uint8), None)


def latent_values(model: CompressedBTF, k: int, coords: ArrayLike | None = None) -> Colours:
    """One latent of texels, from its first to its last percentile.

    Parameters
    ----------
    model : CompressedBTF
    k : int
        Which one, from 0.
    coords : array_like of int, shape (T, 2), optional

    Raises
    ------
    UsageError
        If there is none of that number.
    """
    if not 0 <= k < model.latent_count:
        raise UsageError(
            None,
            f"the model has no latent {k}",
            f"use 0 to {model.latent_count - 1}",
        )
    values = _chosen(model.latent_map[..., k : k + 1], coords)[:, 0]
    low, high = (float(value) for value in np.percentile(values, (1, 99)))
    return _scaled(values, f"latent {k}", low, high, "viridis")


def label_colours(labels: ArrayLike, names: Sequence[str] | None = None) -> Colours:
    """Kinds of texels: regions, materials.

    Parameters
    ----------
    labels : array_like of int, shape (T,)
        From 1; 0 is none, which is grey.
    names : sequence of str, optional
        Of the kinds 1, 2, ...; their numbers by default.
    """
    kinds = np.asarray(labels, dtype=np.intp)
    count = max(int(kinds.max(initial=0)), len(names or ()))
    table = np.array([_NONE, *(_hue(i) for i in range(count))], dtype=np.uint8)
    if names is None:
        names = [str(i + 1) for i in range(count)]
    return Colours(table[kinds], Labels(tuple(names), table[1:]))


def named_regions(regions: Sequence[str]) -> Colours:
    """Regions of texels by their names, in the order in which they come; "" is none."""
    names = [name for name in dict.fromkeys(regions) if name]
    number = {name: i + 1 for i, name in enumerate(names)} | {"": 0}
    return label_colours([number[name] for name in regions], names)


def _hue(i: int) -> tuple[int, ...]:
    """Colours that are far apart: the golden ratio around the circle, and three brightnesses."""
    value, saturation = ((0.95, 0.75), (0.75, 0.9), (1.0, 0.45))[i % 3]
    rgb = colorsys.hsv_to_rgb((0.58 + i * 0.618034) % 1.0, saturation, value)
    return tuple(round(255 * part) for part in rgb)


def _scaled(
    values: NDArray[np.floating], name: str, low: float, high: float | None, colormap: str
) -> Colours:
    from matplotlib import colormaps

    high = float(values.max(initial=low)) if high is None else high
    if high <= low:
        high = low + 1.0
    shares = np.clip((values - low) / (high - low), 0.0, 1.0)
    rgb = colormaps[colormap](shares, bytes=True)[:, :3]
    return Colours(np.ascontiguousarray(rgb), Scale(name, low, high, colormap))


def _chosen(image: NDArray[Any], coords: ArrayLike | None) -> NDArray[Any]:
    """The values of texels, (T, C), of an image (H, W, C)."""
    if coords is None:
        return image.reshape(-1, image.shape[2])
    rows, columns = np.asarray(coords, dtype=np.intp).T
    return np.asarray(image[rows, columns])


def _mean_image(model: CompressedBTF) -> NDArray[Any]:
    """The mean over some lights, (H, W, C), in the captured type."""
    total = np.zeros((model.height, model.width, model.channels), dtype=np.float64)
    lights = 0
    for image in frontal_images(model, typical=True):
        total += image
        lights += 1
    return model.values.store((total / lights).astype(np.float32))
