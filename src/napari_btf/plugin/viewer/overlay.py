"""A mask over a capture, as one image layer for any number of texels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils import Colormap

from napari_btf.plugin.viewer.layers import TAG
from napari_btf.plugin.viewer.own_layer import OwnLayer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["Overlay"]

RGB = tuple[float, float, float]


class Overlay(OwnLayer):
    """A layer that shows a mask over a capture.

    Parameters
    ----------
    workspace : Workspace
    name : str
        Of the layer, at first.
    opacity : float
    """

    def __init__(self, workspace: Workspace, name: str, opacity: float) -> None:
        super().__init__(workspace)
        self._name = name
        self._opacity = opacity

    def show(self, capture: Any, mask: NDArray[np.bool_], colour: RGB = (1.0, 1.0, 1.0)) -> None:
        """Show a mask over a capture layer.

        Parameters
        ----------
        capture : napari.layers.Image
        mask : ndarray of bool, shape (H, W)
        colour : tuple of float
            Red, green and blue, 0..1.
        """
        layer = self.layer
        if layer is not None and layer.metadata[TAG]["capture"] != capture.unique_id:
            layer = None
        if layer is None:
            self._add(capture, mask, colour)
            return
        layer.data = mask.view(np.uint8)
        if layer.metadata[TAG]["colour"] != colour:
            layer.metadata[TAG]["colour"] = colour
            layer.colormap = _colormap(colour)
        self._raise()

    def hide(self) -> None:
        """Remove the layer from the viewer."""
        self.remove()

    def _add(self, capture: Any, mask: NDArray[np.bool_], colour: RGB) -> None:
        layer = Image(
            mask.view(np.uint8),
            name=self._name,
            colormap=_colormap(colour),
            contrast_limits=(0, 1),
            opacity=self._opacity,
            blending="translucent_no_depth",
            scale=capture.scale[-2:],
            translate=capture.translate[-2:],
            metadata={TAG: {"kind": "overlay", "capture": capture.unique_id, "colour": colour}},
        )
        self.add(layer)

    def _raise(self) -> None:
        layers = self._workspace.viewer.layers
        here = layers.index(self._layer)
        above = [layer for layer in layers[here + 1 :] if TAG in layer.metadata]
        if any(layer.metadata[TAG].get("kind") == "regions" for layer in above):
            layers.move(here, len(layers))


def _colormap(colour: RGB) -> Colormap:
    # A short name: the layer controls are as wide as the longest.
    return Colormap([(*colour, 0.0), (*colour, 1.0)], name="mask")
