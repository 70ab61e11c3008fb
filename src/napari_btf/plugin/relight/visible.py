"""What of an image layer is on the screen, and how finely."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Visible", "visible"]

#: What is visible is enlarged to multiples of so many texels: a camera that moves a little changes
#: nothing, so that what is kept for a part of the surface is of use again.
_BLOCK = 64
#: A larger share of the surface than this is as good as all of it.
_MOST = 0.8


class Visible(NamedTuple):
    """Rows and columns on the screen, None for all of them; texels a pixel of the screen."""

    rows: slice | None = None
    columns: slice | None = None
    step: int = 1


def visible(layer: Any, pixel_ratio: float = 1.0) -> Visible:
    """What of a layer was on the canvas when that was drawn last.

    Parameters
    ----------
    layer : napari.layers.Image
        Its last two axes are shown.
    pixel_ratio : float
        Pixels of the screen in one of the canvas.
    """
    axes = [axis - layer.rgb for axis in (-2, -1)] if layer.rgb else [-2, -1]
    height, width = (layer.data.shape[axis] for axis in axes)
    # The corners are those of the layer's own axes, without that of the colours.
    (top, left), (bottom, right) = np.asarray(layer.corner_pixels)[:, -2:].tolist()
    step = max(1, int(layer.scale_factor / max(np.abs(layer.scale[-2:])) / pixel_ratio + 1e-6))
    rows, columns = _blocks(top, bottom + 1, height), _blocks(left, right + 1, width)
    shown = (rows.stop - rows.start) * (columns.stop - columns.start)
    # Nothing is visible of it, or it was not drawn yet.
    if bottom <= top or right <= left or shown > _MOST * height * width:
        return Visible(step=step)
    return Visible(rows, columns, step)


def _blocks(start: int, stop: int, length: int) -> slice:
    return slice(start // _BLOCK * _BLOCK, min(-(-stop // _BLOCK) * _BLOCK, length))
