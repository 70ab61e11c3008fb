"""The links between the map of a model and the images of its texels, in both directions.

Both sides follow the one selection of the workspace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_btf.plugin.latent_space.highlight import Highlight, Ring
from napari_btf.plugin.viewer.following import MouseEvents
from napari_btf.plugin.viewer.grid_layers import grid_layers, texel_below
from napari_btf.plugin.viewer.layers import is_kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.embedding.latent_map import LatentMap
    from napari_btf.plugin.latent_space.map.canvas import MapCanvas
    from napari_btf.plugin.viewer.selection import How, TexelSelection
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["Links"]


class Links(QObject):
    """Links selection and mouse between the map and the images, while following is on.

    Parameters
    ----------
    workspace : Workspace
    canvas : MapCanvas

    Signals
    -------
    selected
        Other texels are selected.
    pointed
        The texel (y, x) that the mouse is at, on either side, or None.
    refused
        Someone deleted the layer that shows the selection.
    """

    selected = Signal()
    pointed = Signal(object)
    refused = Signal()

    def __init__(self, workspace: Workspace, canvas: MapCanvas, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._canvas = canvas
        self._model: CompressedBTF | None = None
        self._map: LatentMap | None = None
        self._selection: TexelSelection | None = None
        self._bases: list[Any] = []
        self._is_lit = True
        self._following = False
        self._mouse = MouseEvents(workspace.viewer, "mouse_move_callbacks")
        self.highlight = Highlight(workspace)
        self.ring = Ring(workspace)
        canvas.chosen.connect(self.choose)
        canvas.hovered.connect(self._on_hovered)

    @property
    def selection(self) -> TexelSelection | None:
        """The selection of the model, or None."""
        return self._selection

    def set_model(self, model: CompressedBTF | None) -> None:
        """Link another model."""
        self._unlink_selection()
        self._model, self._map = model, None
        self._selection = None if model is None else self._workspace.models.selection(model)
        self._link_selection()
        self.follow_layers()

    def set_map(self, latent_map: LatentMap | None) -> None:
        """Use another map of the same model."""
        self._map = latent_map

    def follow(self, following: bool) -> None:
        """Start or stop following selection, mouse and layers."""
        viewer = self._workspace.viewer
        if following == self._following or viewer is None:
            return
        self._following = following
        if following:
            self._mouse.connect(self._on_mouse)
            self._link_selection()
            self.follow_layers()
        else:
            self._mouse.disconnect(self._on_mouse)
            self._unlink_selection()
            self.highlight.hide()
            self.ring.hide()

    def set_lit(self, is_lit: bool) -> None:
        """Choose whether the images show the selection."""
        self._is_lit = is_lit
        self.light_up()

    def light_up(self) -> None:
        """Show the selection over the images of the model."""
        selection = self._selection
        shown = self._following and self._is_lit and selection is not None
        if not shown or selection is None or not selection.count:
            self.highlight.hide()
            return
        bases = [base for base in self._bases if base.visible]
        model = self._model
        if model is not None and self._workspace.models.variant_of(model) is not model:
            # What moved latents do is to be seen there.
            bases = [base for base in bases if not is_kind(base, "relit")]
        self.highlight.show(bases, selection.mask)

    def follow_layers(self) -> None:
        """Find the layers that show the texels again."""
        model = self._model
        for base in self._bases:
            base.events.visible.disconnect(self._on_visible)
        self._bases = [] if model is None else grid_layers(self._workspace, model)
        if not self._following:
            return
        for base in self._bases:
            base.events.visible.connect(self._on_visible)
        if self._is_lit and self.highlight.was_deleted:
            # Whoever deletes it does not want to see it.
            self.highlight.hide()
            self._is_lit = False
            self.refused.emit()
        self.light_up()
        self._mark_points()

    # ----------------------------------------------------------------- selection

    def _link_selection(self) -> None:
        if self._selection is not None and self._following:
            self._selection.changed.connect(self._on_selection)

    def _unlink_selection(self) -> None:
        if self._selection is not None:
            self._selection.changed.disconnect(self._on_selection, missing_ok=True)

    def choose(self, points: NDArray[np.bool_], how: How = "replace") -> None:
        """Change the selection by points of the map, (T,)."""
        if self._selection is not None and self._map is not None:
            self._selection.take(self._map.as_mask(points), how)

    def _on_selection(self) -> None:
        self._mark_points()
        self.light_up()
        self.selected.emit()

    def _mark_points(self) -> None:
        if self._map is not None and self._selection is not None:
            self._canvas.set_selected(self._map.at_points(self._selection.mask))

    def _on_visible(self, event: Any = None) -> None:
        # Nothing is lit up over an image that is hidden.
        self.light_up()

    # ----------------------------------------------------------------- mouse

    def _on_hovered(self, i: int) -> None:
        """Show the texel of the point under the mouse on the map, or none."""
        if not self._following or self._map is None:
            return
        if i < 0:
            self.ring.conceal()
            self.pointed.emit(None)
            return
        y, x = (int(k) for k in self._map.coords[i])
        self.ring.show([base for base in self._bases if base.visible], (y, x))
        self.pointed.emit((y, x))

    def _on_mouse(self, _: Any, event: Any) -> None:
        """Mark the point of the texel under the mouse in the images."""
        if self._model is None:
            return
        texel = texel_below(self._bases, self._model, event.position)
        self._canvas.set_marked(-1 if self._map is None or texel is None else self._point(texel))
        if texel is not None:
            self.pointed.emit(texel)

    def _point(self, texel: tuple[int, int]) -> int:
        assert self._map is not None
        return int(self._map.point_of[texel])
