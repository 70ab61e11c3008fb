"""The part of an image layer that is on the screen, and the step at which it is shown."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Visible", "visible"]

#: The visible part is enlarged to multiples of this number of texels, so that a small movement of
#: the camera asks for the same part again, whose images are in the cache.
_BLOCK = 64
#: If a larger share of the surface than this is visible, all of it is decoded.
_MOST = 0.8


class Visible(NamedTuple):
    """Visible rows and columns (None for all of them), and texels per pixel of the screen."""

    rows: slice | None = None
    columns: slice | None = None
    step: int = 1


def visible(layer: Any, pixel_ratio: float = 1.0) -> Visible:
    """The part of a layer that was on the canvas when the canvas was drawn last.

    Parameters
    ----------
    layer : napari.layers.Image
        A layer whose last two axes are shown.
    pixel_ratio : float
        Pixels of the screen per pixel of the canvas.
    """
    axes = [axis - layer.rgb for axis in (-2, -1)] if layer.rgb else [-2, -1]
    height, width = (layer.data.shape[axis] for axis in axes)
    # The corners use the layer's own axes, without the axis of colours.
    (top, left), (bottom, right) = np.asarray(layer.corner_pixels)[:, -2:].tolist()
    step = max(1, int(layer.scale_factor / max(np.abs(layer.scale[-2:])) / pixel_ratio + 1e-6))
    rows, columns = _blocks(top, bottom + 1, height), _blocks(left, right + 1, width)
    shown = (rows.stop - rows.start) * (columns.stop - columns.start)
    # The layer is outside the canvas, or was not drawn yet.
    if bottom <= top or right <= left or shown > _MOST * height * width:
        return Visible(step=step)
    return Visible(rows, columns, step)


def _blocks(start: int, stop: int, length: int) -> slice:
    return slice(start // _BLOCK * _BLOCK, min(-(-stop // _BLOCK) * _BLOCK, length))
