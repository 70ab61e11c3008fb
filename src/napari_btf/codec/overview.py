"""A surface at a glance: decoded from the front under some lights that are spread well."""

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
#: Of the sum of all channels at full brightness: darker values say little about a colour.
_DARK = 0.003


def frontal_images(model: CompressedBTF, typical: bool = False) -> Iterator[NDArray[np.float32]]:
    """Images (H, W, C) as `CompressedBTF.decode` gives them, of at most 12 captured lights.

    The view is the captured one that is nearest to the normal. The lights are far apart, or
    ``typical``: from steep to grazing as often as they are captured, so that their mean is neither
    darker nor lighter than that of all.
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
    """The colour of each texel without its brightness, shape (H, W, C).

    Shares of the channels in their sum (G. Wyszecki and W. Stiles, Color Science, 1982, chapter
    3), the median over the lights of `frontal_images`, which leaves out highlights. How a texel
    faces changes its brightness, not its share of red.
    """
    shares = []
    for image in frontal_images(model):
        total = image.sum(axis=2, keepdims=True)
        shares.append(image / (total + _DARK * image.shape[2]))
    return np.asarray(np.median(shares, axis=0), dtype=np.float32)
