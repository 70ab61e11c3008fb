"""Add layers without changing the user's selection of layers, and layers that a dock owns."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["OwnLayer", "add_quietly", "keep_selection"]


@contextmanager
def keep_selection(viewer: Any) -> Iterator[None]:
    """Select the same layers at the end as at the beginning, whatever is added in between.

    napari selects a layer that is added: the sliders and the brush would go to the new layer.
    """
    layers = viewer.layers
    active, selected = layers.selection.active, set(layers.selection)
    try:
        yield
    finally:
        layers.selection = {layer for layer in selected if layer in layers}
        layers.selection.active = active if active in layers else None


def add_quietly(viewer: Any, layer: Any) -> None:
    """Add a layer on top of the others; the selected layers and the active layer stay."""
    with keep_selection(viewer):
        viewer.layers.append(layer)


class OwnLayer:
    """One layer that its owner adds, changes and removes, and that the user may delete.

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._layer: Any = None

    @property
    def layer(self) -> Any:
        """The layer while it is in the viewer, or None."""
        return self._layer if self._is_there else None

    @property
    def was_deleted(self) -> bool:
        """Whether someone else removed the layer from the viewer."""
        return self._layer is not None and not self._is_there

    def owns(self, layer: Any) -> bool:
        """Whether a layer, perhaps no longer in the viewer, is this one."""
        return self._layer is not None and layer == self._layer

    def add(self, layer: Any, select: bool = False) -> None:
        """Add another layer in place of the present one.

        Parameters
        ----------
        layer : napari.layers.Layer
        select : bool
            Whether the new layer becomes the active one.
        """
        self.remove()
        # Set first, because the docks hear of the new layer while it is being added.
        self._layer = layer
        if select:
            self._workspace.viewer.layers.append(layer)
        else:
            add_quietly(self._workspace.viewer, layer)

    def remove(self) -> None:
        """Remove the layer from the viewer."""
        layer, self._layer = self.layer, None
        # Forgotten first, because the viewer tells the docks while it removes the layer.
        if layer is not None:
            self._workspace.viewer.layers.remove(layer)

    @property
    def _is_there(self) -> bool:
        viewer = self._workspace.viewer
        return self._layer is not None and viewer is not None and self._layer in viewer.layers
