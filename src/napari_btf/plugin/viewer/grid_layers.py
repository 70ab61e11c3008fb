"""The layers that show the texels of a model, and the texel at a position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.plugin.viewer.layers import TAG, is_kind
from napari_btf.plugin.viewer.model_layers import model_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["base_of", "grid_layers", "texel_below"]

#: Besides captures and latents; they show the model that Relight works with.
_IMAGES = ("relit", "photograph", "decoded", "error")


def base_of(workspace: Workspace, model: CompressedBTF) -> Any:
    """Return the layer over which regions of a model are painted: its capture, or its latents."""
    captures = workspace.captures.of_model(model)
    if captures:
        return captures[0]
    viewer = workspace.viewer
    layers = [] if viewer is None else list(viewer.layers)
    return next((layer for layer in layers if model_of(layer) is model), None)


def grid_layers(workspace: Workspace, model: CompressedBTF) -> list[Any]:
    """Return all layers that show the texels of a model, the lowest first."""
    viewer = workspace.viewer
    if viewer is None:
        return []
    captures = workspace.captures.of_model(model)
    return [
        layer
        for layer in viewer.layers
        if TAG in layer.metadata
        and (
            layer in captures
            or model_of(layer) is model
            or (
                model is workspace.models.current
                and any(is_kind(layer, kind) for kind in _IMAGES)
                and _size(layer) == (model.height, model.width)
            )
        )
    ]


def texel_below(
    layers: list[Any], model: CompressedBTF, position: ArrayLike
) -> tuple[int, int] | None:
    """Return the texel (y, x) of the topmost visible layer at a position of the world."""
    for layer in reversed(layers):
        if not layer.visible:
            continue
        place = np.asarray(layer.world_to_data(position), dtype=float)[-2:]
        y, x = (int(i) for i in np.rint(place))
        if 0 <= y < model.height and 0 <= x < model.width:
            return y, x
    return None


def _size(layer: Any) -> tuple[int, ...]:
    shape = layer.data.shape[:-1] if getattr(layer, "rgb", False) else layer.data.shape
    return tuple(shape[-2:])
