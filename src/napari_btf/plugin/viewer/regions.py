"""The painted regions of a viewer's layers, and the sampling that keeps some of their texels."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.plugin.viewer.layers import TAG, capture_of, is_kind
from napari_btf.plugin.viewer.model_layers import grid_of
from napari_btf.texels.sampling import Sampling, masked_texels, sampled

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Regions"]


class Regions:
    """The painted regions and samplings of a viewer's layers; holds the viewer weakly."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)

    def layer(self, capture: Any) -> Any:
        """Return the Labels layer painted over a layer of a capture or of latents, or None.

        A Labels layer whose data now have another size does not count.
        """
        viewer, grid = self._viewer(), None if capture is None else grid_of(capture)
        if viewer is None or grid is None:
            return None
        for layer in reversed(viewer.layers):
            if (
                is_kind(layer, "regions")
                and layer.metadata[TAG]["capture"] == capture.unique_id
                and layer.data.shape == grid
            ):
                return layer
        return None

    def painted(self, capture: Any) -> NDArray[Any]:
        """Return the label image painted over such a layer, (H, W); zeros if there is none."""
        regions = self.layer(capture)
        if regions is not None:
            return np.asarray(regions.data)
        grid = None if capture is None else grid_of(capture)
        return np.zeros(grid or (0, 0), dtype=np.uint8)

    def sampling(self, capture: Any) -> Sampling:
        """Return the sampling of the texels that are painted over a capture layer."""
        if capture is None or capture_of(capture) is None:
            return Sampling()
        return capture.metadata[TAG].get("sampling", Sampling())

    def set_sampling(self, capture: Any, sampling: Sampling) -> None:
        """Set the sampling of the texels that are painted over a capture layer."""
        # Another dict, because a duplicate of the layer shares this one.
        tag = {**capture.metadata[TAG], "sampling": sampling}
        capture.metadata = {**capture.metadata, TAG: tag}

    def selected_texels(self, capture: Any) -> NDArray[np.intp]:
        """Return the painted texels that the sampling of a capture layer keeps: rows (y, x)."""
        return masked_texels(sampled(self.painted(capture), self.sampling(capture)))
