"""One image layer that always shows the latest image, whatever people do to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QTimer

from napari_btf.plugin.viewer.layers import TAG, for_display, is_kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["ShownImage"]

#: Milliseconds without another image after which the thumbnail follows.
_REST = 200


class ShownImage:
    """A layer of one kind; its name, place, contrast and the like are those people gave it.

    Parameters
    ----------
    workspace : Workspace
    kind : str
        Of the layer's tag.
    """

    def __init__(self, workspace: Workspace, kind: str) -> None:
        self._workspace = workspace
        self._kind = kind
        self._layer: Any = None
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
        if viewer is None:
            return None
        if self._layer is None:
            # Of a dock before this one; a copy that someone made of a known layer stays as it is.
            found = [layer for layer in viewer.layers if is_kind(layer, self._kind)]
            self._layer = found[-1] if found else None
        return self._layer if self._layer in viewer.layers else None

    def owns(self, layer: Any) -> bool:
        """Whether a layer, perhaps no longer in the viewer, is this one."""
        return self._layer is not None and layer == self._layer

    def show(self, pixels: NDArray[Any], name: str, column: float, select: bool = True) -> bool:
        """Show an image; True if that took a new layer.

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
        # Between colour, grey and spectral, 8 and 16 bits napari needs another layer.
        self.remove()
        self._column = column
        self._pixels = pixels.copy()
        self._layer = Image(
            self._pixels,
            name=name,
            rgb=colour,
            contrast_limits=(0, int(np.iinfo(pixels.dtype).max)),
            metadata={TAG: {"kind": self._kind}},
            translate=(0,) * (ndim - 1) + (column,),
        )
        layers = self._workspace.viewer.layers
        active, selected = layers.selection.active, set(layers.selection)
        layers.append(self._layer)
        if not select:
            layers.selection = selected
            layers.selection.active = active
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
        """Show other pixels in a part of the image; False if that is no longer ours to change.

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

    def make_room(self, column: float) -> bool:
        """Stand elsewhere, unless someone else moved the layer; True if it moved."""
        layer = self.layer
        if layer is None or column == self._column or layer.translate[-1] != self._column:
            return False
        layer.translate = (*layer.translate[:-1], column)
        self._column = column
        return True

    def remove(self) -> None:
        """Take the layer out of the viewer."""
        layer = self.layer
        # Known to be gone before the viewer tells that it is.
        self._layer = None
        if layer is not None:
            self._workspace.viewer.layers.remove(layer)
