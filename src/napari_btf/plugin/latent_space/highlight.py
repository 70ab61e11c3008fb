"""The marks of *Latent space* in the images: the selected texels, and a ring around one texel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points

from napari_btf.plugin.viewer.layers import TAG
from napari_btf.plugin.viewer.overlay import Overlay
from napari_btf.plugin.viewer.own_layer import OwnLayer
from napari_btf.plugin.viewer.selection import LIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["Highlight", "Ring"]

#: Pixels of the canvas.
_SIZE = 22


class Highlight:
    """A mask over all layers that show the texels; layers at the same place share one mask.

    Parameters
    ----------
    workspace : Workspace
    name : str
        Of the layers, at first.
    colour : tuple of int
        Red, green and blue, 0..255.
    """

    def __init__(
        self,
        workspace: Workspace,
        name: str = "selected texels",
        colour: tuple[int, int, int] = LIT,
    ) -> None:
        self._workspace = workspace
        self._name = name
        self._colour = (colour[0] / 255, colour[1] / 255, colour[2] / 255)
        self._overlays: dict[Any, Overlay] = {}

    @property
    def layers(self) -> list[Any]:
        """The mask layers in the viewer."""
        found = [overlay.layer for overlay in self._overlays.values()]
        return [layer for layer in found if layer is not None]

    @property
    def was_deleted(self) -> bool:
        """Whether the user has deleted one of the mask layers."""
        return any(overlay.was_deleted for overlay in self._overlays.values())

    def show(self, bases: list[Any], mask: NDArray[np.bool_]) -> None:
        """Show a mask, (H, W), over these layers only."""
        # Layers that lie on one another share one mask.
        wanted = {_place(base): base for base in bases}
        for key in [key for key in self._overlays if key not in wanted]:
            self._overlays.pop(key).hide()
        for key, base in wanted.items():
            if key not in self._overlays:
                self._overlays[key] = Overlay(self._workspace, self._name, 0.65)
            self._overlays[key].show(base, mask, self._colour)

    def hide(self) -> None:
        """Remove all mask layers from the viewer."""
        overlays, self._overlays = self._overlays, {}
        for overlay in overlays.values():
            overlay.hide()


class Ring(OwnLayer):
    """A ring around one texel, in every layer that shows the texel: one layer of points.

    Parameters
    ----------
    workspace : Workspace
    """

    def show(self, bases: list[Any], texel: tuple[int, int]) -> None:
        """Put the ring around a texel (y, x) of these layers."""
        y, x = texel
        at = {_place(base) for base in bases}
        places = np.array([np.add(corner, np.multiply(scale, (y, x))) for corner, scale in at])
        if not len(places):
            self.hide()
            return
        layer = self.layer
        if layer is None:
            self._add(places)
            return
        if len(layer.data) == len(places):
            layer.data[:] = places
            layer.refresh(thumbnail=False, extent=False)
        else:
            layer.data = places
        if not layer.visible:
            layer.visible = True

    def conceal(self) -> None:
        """Make the ring invisible, because napari adds a layer more slowly than it shows one."""
        layer = self.layer
        if layer is not None and layer.visible:
            layer.visible = False

    def hide(self) -> None:
        """Remove the layer from the viewer."""
        self.remove()

    def _add(self, places: NDArray[np.float64]) -> None:
        layer = Points(
            places,
            name="texel",
            symbol="disc",
            size=1,
            face_color="transparent",
            border_color="magenta",
            border_width=0.1,
            canvas_size_limits=(_SIZE, _SIZE),
            metadata={TAG: {"kind": "overlay"}},
        )
        self.add(layer)


def _place(layer: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return where the first texel of a layer is, and the size of its texels."""
    return tuple(layer.translate[-2:]), tuple(layer.scale[-2:])
