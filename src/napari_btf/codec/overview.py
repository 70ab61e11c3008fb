"""A quick look at a surface: decoded from the front under a few lights that are far apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.directions import SAME_DIRECTION_DEGREES, angle_between
from napari_btf.interpolation.points import spread_subset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF

__all__ = ["chromaticity", "frontal_images"]

_LIGHTS = 12
#: Added to the sum of the channels, because dark values say little about a colour.
_DARK = 0.003


def frontal_images(model: CompressedBTF, typical: bool = False) -> Iterator[NDArray[np.float32]]:
    """Decode images (H, W, C) under at most 12 captured lights, as `CompressedBTF.decode` does.

    The view is the captured one nearest to the normal. The lights are far apart. With ``typical``
    they are as steep or grazing as the captured lights are on average, so that the mean of the
    images is neither darker nor lighter than that of all captured images.
    """
    front = model.view[int(np.argmax(model.view[:, 2]))]
    lights = model.light[angle_between(model.view, front) <= SAME_DIRECTION_DEGREES]
    if len(lights) > _LIGHTS and typical:
        steep_first = lights[np.argsort(-lights[:, 2], kind="stable")]
        middles = (np.arange(_LIGHTS) + 0.5) * (len(lights) / _LIGHTS)
        lights = steep_first[middles.astype(np.intp)]
    elif len(lights) > _LIGHTS:
        lights = lights[spread_subset(lights, _LIGHTS)]
    for light in lights:
        yield model.decode(light, front)


def chromaticity(model: CompressedBTF) -> NDArray[np.float32]:
    """Return the colour of each texel without its brightness, shape (H, W, C).

    This is the share of each channel in the sum of all channels (G. Wyszecki and W. Stiles, Color
    Science, 1982, chapter 3), as the median over the lights of `frontal_images`, because a median
    ignores highlights. The slope of a texel changes its brightness, but not its share of red.
    """
    shares = []
    for image in frontal_images(model):
        total = image.sum(axis=2, keepdims=True)
        shares.append(image / (total + _DARK * image.shape[2]))
    return np.asarray(np.median(shares, axis=0), dtype=np.float32)
