"""Which Labels layers can hold the regions of a surface, and their labels as one image.

Nothing here changes a layer; the choice among several layers belongs in `regions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from napari_btf.plugin.viewer.layers import TAG, capture_of
from napari_btf.plugin.viewer.model_layers import grid_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["fits", "flat", "is_meant_for", "tag_of"]


def tag_of(layer: Any) -> dict[str, Any]:
    """Return the tag of a layer of this plugin; empty for other layers."""
    tag = layer.metadata.get(TAG)
    return tag if isinstance(tag, dict) else {}


def fits(layer: Any, base: Any) -> bool:
    """Whether a Labels layer has the texel grid of a layer of a capture or of latents.

    Axes before y and x do not matter: napari's own *new labels* button copies all axes of a
    capture layer.
    """
    grid = None if base is None else grid_of(base)
    return (
        grid is not None
        and isinstance(getattr(layer, "__wrapped__", layer), Labels)
        and not layer.multiscale
        and tuple(layer.data.shape[-2:]) == grid
    )


def is_meant_for(layer: Any, base: Any, layers: Iterable[Any]) -> bool:
    """Whether a Labels layer that fits is taken without being asked for.

    It is if it was made for this base, or if it was made for nothing that is in the viewer, as
    napari's own layers and those of files are, and lies over this base or over no capture.
    Layers that this plugin makes for other purposes are taken only if somebody chooses them.
    """
    tag = tag_of(layer)
    if tag.get("kind", "regions") != "regions":
        return False
    layers = list(layers)
    if any(other.unique_id == tag.get("capture") for other in layers):
        return bool(base.unique_id == tag["capture"])
    captures = [other for other in layers if capture_of(other) is not None]
    return _overlap(layer, base) or not any(_overlap(layer, other) for other in captures)


def flat(data: Any) -> NDArray[Any]:
    """Return the labels of a layer as one image (H, W).

    Of several images, such as one for each light, each texel gets the largest of its labels, so
    that a stroke counts wherever the sliders stood when it was painted.
    """
    labels = np.asarray(data)
    return labels if labels.ndim == 2 else labels.max(axis=tuple(range(labels.ndim - 2)))


def _overlap(layer: Any, other: Any) -> bool:
    low, high = (np.asarray(corner)[-2:] for corner in layer.extent.world)
    other_low, other_high = (np.asarray(corner)[-2:] for corner in other.extent.world)
    return bool(np.all((low < other_high) & (other_low < high)))
