"""An image layer that always shows the latest image, whatever the user does to the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QTimer

from napari_btf.plugin.viewer.layers import TAG, for_display, is_kind
from napari_btf.plugin.viewer.own_layer import OwnLayer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["ShownImage"]

#: Milliseconds without another image after which the thumbnail follows.
_REST = 200


class ShownImage(OwnLayer):
    """An image layer of one kind, whose name, place and contrast the user may change.

    Parameters
    ----------
    workspace : Workspace
    kind : str
        Of the layer's tag.
    """

    def __init__(self, workspace: Workspace, kind: str) -> None:
        super().__init__(workspace)
        self._kind = kind
        self._column = 0.0
        self._pixels: NDArray[Any] | None = None
        self._thumbnail = QTimer()
        self._thumbnail.setSingleShot(True)
        self._thumbnail.setInterval(_REST)
        self._thumbnail.timeout.connect(self._refresh_all)

    @property
    def layer(self) -> Any:
        """The layer while it is in the viewer, or None."""
        viewer = self._workspace.viewer
        if self._layer is None and viewer is not None:
            # A dock that was closed left its layer. A copy of a known layer stays as it is.
            found = [layer for layer in viewer.layers if is_kind(layer, self._kind)]
            self._layer = found[-1] if found else None
        return super().layer

    def show(self, pixels: NDArray[Any], name: str, column: float, select: bool = True) -> bool:
        """Show an image; return whether this took a new layer.

        Parameters
        ----------
        pixels : ndarray of uint8 or uint16, shape (H, W, C)
        name : str
            Of a new layer.
        column : float
            Where a new layer stands, in texels from the left.
        select : bool
            Whether a new layer becomes the active one.
        """
        colour = pixels.shape[-1] == 3
        pixels = for_display(pixels)
        ndim = pixels.ndim - colour
        layer = self.layer
        if layer is not None and (layer.ndim, layer.rgb, layer.data.dtype) == (
            ndim,
            colour,
            pixels.dtype,
        ):
            self._replace(layer, pixels)
            return False
        # napari needs another layer to change between colour, grey and spectral, 8 and 16 bits.
        self._column = column
        self._pixels = pixels.copy()
        layer = Image(
            self._pixels,
            name=name,
            rgb=colour,
            contrast_limits=(0, int(np.iinfo(pixels.dtype).max)),
            metadata={TAG: {"kind": self._kind}},
            translate=(0,) * (ndim - 1) + (column,),
        )
        self.add(layer, select)
        return True

    def _replace(self, layer: Any, pixels: NDArray[Any]) -> None:
        ours = self._pixels
        if ours is None or layer.data is not ours or pixels.shape != ours.shape:
            self._pixels = pixels.copy()
            layer.data = self._pixels
            return
        # Setting other data takes napari ten times as long: sizes, sliders, the thumbnail.
        np.copyto(ours, pixels)
        self._draw(layer)

    def patch(self, pixels: NDArray[Any], rows: slice, columns: slice) -> bool:
        """Replace the pixels of a part of the image; return False if the user changed the data.

        Parameters
        ----------
        pixels : ndarray of uint8 or uint16, shape (H', W', C)
            As many as there are rows and columns.
        rows, columns : slice
        """
        layer, ours = self.layer, self._pixels
        if ours is None or layer is None or layer.data is not ours or pixels.dtype != ours.dtype:
            return False
        end = (slice(None),) if layer.rgb else ()
        place = ours[(..., rows, columns, *end)]
        pixels = for_display(pixels)
        if place.shape != pixels.shape:
            return False
        place[...] = pixels
        self._draw(layer)
        return True

    def _draw(self, layer: Any) -> None:
        layer.refresh(thumbnail=False, highlight=False, extent=False)
        self._thumbnail.start()

    def _refresh_all(self) -> None:
        layer = self.layer
        if layer is not None:
            layer.refresh()

    @property
    def is_in_place(self) -> bool:
        """Whether the layer is in the viewer, where this object put it."""
        layer = self.layer
        return layer is not None and tuple(layer.translate[-2:]) == (0.0, self._column)

    def make_room(self, column: float) -> bool:
        """Move the layer, unless the user moved it before; return whether it moved."""
        layer = self.layer
        if column == self._column or not self.is_in_place:
            return False
        layer.translate = (*layer.translate[:-1], column)
        self._column = column
        return True
