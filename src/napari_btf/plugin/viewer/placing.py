"""Positions for new images beside the others, and a view of all of them."""

from __future__ import annotations

import weakref
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.plugin.viewer.layers import is_kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_btf.codec.model import CompressedBTF

__all__ = ["GAP", "Watch", "free_column", "free_place", "free_places"]

#: A place is so much larger than the image that stands there.
GAP = 1.04


def free_place(
    viewer: Any, height: int, width: int, row: int = 0, but: Sequence[Any] = ()
) -> tuple[float, float]:
    """Return the first of the `free_places`."""
    return next(free_places(viewer, height, width, row, but))


def free_places(
    viewer: Any, height: int, width: int, row: int = 0, but: Sequence[Any] = ()
) -> Iterator[tuple[float, float]]:
    """Return positions (y, x) in a row of images at which images cover no other image.

    Layers in ``but`` do not count, because they are about to move. Marks over images, such as
    overlays and rings, do not count either: they follow the images, which would follow them.
    """
    top, step = row * GAP * height, GAP * width
    layers = [layer for layer in viewer.layers if _is_image(layer) and layer not in but]
    taken = [np.asarray(layer.extent.world)[:, -2:] for layer in layers]
    for column in count():
        if not any(_overlap(box, top, column * step, height, width) for box in taken):
            yield top, column * step


def _is_image(layer: Any) -> bool:
    from napari.layers import Image, Labels

    return isinstance(layer, Image | Labels) and layer.ndim >= 2 and not is_kind(layer, "overlay")


def free_column(viewer: Any, model: CompressedBTF, *but: Any) -> float:
    """Return the position of an image of a model in the first row; None layers do not count."""
    there = [layer for layer in but if layer is not None]
    return free_place(viewer, model.height, model.width, but=there)[1]


def _overlap(box: Any, top: float, left: float, height: int, width: int) -> bool:
    (y0, x0), (y1, x1) = box
    # Half a texel: the extent of an image begins at the middle of its first one, or at its edge.
    return bool(y0 < top + height - 1 and y1 > top and x0 < left + width - 1 and x1 > left)


class Watch:
    """Zooms to all layers of a viewer, which it holds weakly, unless the camera was moved since."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self._seen: tuple[Any, ...] | None = None

    def begin(self) -> None:
        """From now on, a camera that moves was moved by the user."""
        self._seen = self._camera()

    def show_all(self) -> None:
        """Zoom to all layers, if the camera has not moved."""
        viewer = self._viewer()
        if viewer is not None and self._camera() == self._seen:
            viewer.reset_view()
            self._seen = self._camera()

    def _camera(self) -> tuple[Any, ...] | None:
        viewer = self._viewer()
        if viewer is None:
            return None
        camera = viewer.scene.camera
        return (camera.zoom, *camera.center)
