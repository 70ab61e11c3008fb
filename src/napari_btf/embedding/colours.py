"""Colours of texels for a map of the latent space: by appearance, by position or by label.

Each function returns one colour per texel, and the legend that explains the colours.
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
    """The legend of continuous values: a colour bar from ``low`` to ``high``."""

    name: str
    low: float
    high: float
    colormap: str
    """The name of a colormap of matplotlib."""


class Labels(NamedTuple):
    """The legend of discrete labels: a name and a colour for each."""

    names: tuple[str, ...]
    rgb: NDArray[np.uint8]
    """One colour per name, (N, 3)."""


class Colours(NamedTuple):
    """Colours of texels, with their legend."""

    rgb: NDArray[np.uint8]
    """One colour per texel, (T, 3)."""
    legend: Scale | Labels | None


def mean_colours(model: CompressedBTF, coords: ArrayLike | None = None) -> Colours:
    """Colour each texel by its mean colour over several captured lights, seen from the front.

    Parameters
    ----------
    model : CompressedBTF
        Its mean image is decoded once and cached for as long as the model exists.
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels; all by default.
    """
    with _lock:
        if model not in _means:
            _means[model] = value_colours(_mean_image(model))
        image = _means[model]
    return Colours(_chosen(image, coords), None)


def centre_distance(coords: ArrayLike, height: int, width: int) -> Colours:
    """Colour texels (T, 2), rows ``(y, x)``, by their distance in texels to the image centre."""
    yx = np.asarray(coords, dtype=np.float64)
    centre = (height - 1) / 2.0, (width - 1) / 2.0
    distance = np.hypot(*(yx - centre).T)
    return _scaled(distance, "distance to the centre, texels", 0.0, None, "inferno")


def positions(coords: ArrayLike, height: int, width: int) -> Colours:
    """Colour texels (T, 2), rows ``(y, x)``, by their position in the image.

    The colours of the four corners (blue, green, yellow, red, clockwise from the top left) are
    interpolated bilinearly.
    """
    yx = np.asarray(coords, dtype=np.float64)
    y, x = (yx / (max(height - 1, 1), max(width - 1, 1))).T[..., np.newaxis]
    top_left, top_right = np.array((48, 96, 220)), np.array((40, 180, 90))
    bottom_left, bottom_right = np.array((220, 50, 70)), np.array((250, 220, 60))
    mixed = (1 - y) * ((1 - x) * top_left + x * top_right)
    mixed += y * ((1 - x) * bottom_left + x * bottom_right)
    return Colours(np.rint(mixed).astype(np.uint8), None)


def latent_values(model: CompressedBTF, k: int, coords: ArrayLike | None = None) -> Colours:
    """Colour each texel by the value of one latent.

    The colour bar reaches from the 1st to the 99th percentile of the values.

    Parameters
    ----------
    model : CompressedBTF
    k : int
        Index of the latent, from 0.
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels; all by default.

    Raises
    ------
    UsageError
        If the model has no latent of this index.
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
    """Colour each texel by its label, such as a region or a material.

    Parameters
    ----------
    labels : array_like of int, shape (T,)
        Labels from 1; 0 means no label and is grey.
    names : sequence of str, optional
        Names of the labels 1, 2, ...; by default the numbers themselves.
    """
    labels = np.asarray(labels, dtype=np.intp)
    count = max(int(labels.max(initial=0)), len(names or ()))
    table = np.array([_NONE, *(_hue(i) for i in range(count))], dtype=np.uint8)
    if names is None:
        names = [str(i + 1) for i in range(count)]
    return Colours(table[labels], Labels(tuple(names), table[1:]))


def named_regions(regions: Sequence[str]) -> Colours:
    """Colour each texel by the name of its region; "" means no region and is grey."""
    names = [name for name in dict.fromkeys(regions) if name]
    number = {name: i + 1 for i, name in enumerate(names)} | {"": 0}
    return label_colours([number[name] for name in regions], names)


def _hue(i: int) -> tuple[int, ...]:
    """Return the i-th of a series of distinct colours.

    Hues step by the golden ratio around the colour circle; brightness and saturation alternate.
    """
    value, saturation = ((0.95, 0.75), (0.75, 0.9), (1.0, 0.45))[i % 3]
    rgb = colorsys.hsv_to_rgb((0.58 + i * 0.618034) % 1.0, saturation, value)
    return tuple(round(255 * part) for part in rgb)


def _scaled(
    values: NDArray[np.floating], name: str, low: float, high: float | None, colormap: str
) -> Colours:
    """Colour values (T,) by a colormap from ``low`` to ``high``, or to the largest value."""
    from matplotlib import colormaps

    high = float(values.max(initial=low)) if high is None else high
    if high <= low:
        high = low + 1.0
    shares = np.clip((values - low) / (high - low), 0.0, 1.0)
    rgb = colormaps[colormap](shares, bytes=True)[:, :3]
    return Colours(np.ascontiguousarray(rgb), Scale(name, low, high, colormap))


def _chosen(image: NDArray[Any], coords: ArrayLike | None) -> NDArray[Any]:
    """Return the values of texels, (T, C), in an image (H, W, C); all texels for None."""
    if coords is None:
        return image.reshape(-1, image.shape[2])
    rows, columns = np.asarray(coords, dtype=np.intp).T
    return np.asarray(image[rows, columns])


def _mean_image(model: CompressedBTF) -> NDArray[Any]:
    """Return the mean image over several lights, (H, W, C), in the data type of the capture."""
    total = np.zeros((model.height, model.width, model.channels), dtype=np.float64)
    lights = 0
    for image in frontal_images(model, typical=True):
        total += image
        lights += 1
    return model.values.store((total / lights).astype(np.float32))
