"""Sliders that change latents, and the surface relit with them; the model stays unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_btf.directions import vectors_to_angles
from napari_btf.inspection import edited
from napari_btf.plugin.jobs.renderer import Renderer
from napari_btf.plugin.latent_space.inspect.latent_sliders import LatentSliders
from napari_btf.plugin.notices import show_error
from napari_btf.plugin.viewer.layers import observation_at
from napari_btf.plugin.viewer.placing import free_column
from napari_btf.plugin.viewer.shown_image import ShownImage
from napari_btf.relighting.reach import default_view
from napari_btf.relighting.shots import Shot, described

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.relighting.shots import Frame

__all__ = ["Edit"]

_NO_SELECTION = "Select texels first: draw around points."
#: Where the light is if nobody moved one yet (theta, phi), degrees.
_LIGHT = (30.0, 0.0)


class Edit(QWidget):
    """Sliders for the leading latents of the selected texels.

    *Relight* shows their effect; while it is closed, this section does.

    Signals
    -------
    changed
        The model is shown with other latents.
    """

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._model: CompressedBTF | None = None
        self._mask = np.zeros((0, 0), dtype=bool)
        self._spread = np.zeros(0)
        self._image = ShownImage(workspace, "relit")
        self.renderer = Renderer(self)
        self.sliders = LatentSliders()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.sliders)
        self.sliders.changed.connect(self._on_moved)
        self.renderer.made.connect(self._on_made)
        self.renderer.failed.connect(show_error)

    def set_model(self, model: CompressedBTF | None) -> None:
        """Edit the latents of another model, of which nothing is selected yet."""
        self.sliders.rest()
        self._model = model
        if model is not None:
            flat = model.latent_map.reshape(-1, model.latent_count)
            self._spread = flat.std(axis=0, dtype=np.float64)
        self.set_selection(np.zeros((0, 0), dtype=bool))

    def set_selection(self, mask: NDArray[np.bool_]) -> None:
        """Edit the latents of other texels, (H, W); edits so far are discarded."""
        self._mask = mask
        model = self._model
        if model is None or not mask.any():
            self.sliders.set_latents(())
            self.sliders.set_allowed(_NO_SELECTION)
            return
        # How much a latent says about these texels: how far they are from 0 there.
        chosen = model.latent_map[mask]
        strength = np.einsum("tk,tk->k", chosen, chosen)
        self.sliders.set_latents([int(k) for k in np.argsort(-strength)])
        self.sliders.set_allowed("")

    def _on_moved(self) -> None:
        model = self._model
        if model is None:
            return
        offsets = np.zeros(model.latent_count, dtype=np.float32)
        for latent, deviations in self.sliders.offsets.items():
            offsets[latent] = deviations * self._spread[latent]
        variant = edited(model, self._mask, offsets) if offsets.any() else None
        self._workspace.models.set_variant(model, variant)
        self.changed.emit()
        if not self._workspace.relit_shown_by:
            self.renderer.want(Shot(variant or model, *self._directions(model)), moving=True)

    def _directions(self, model: CompressedBTF) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return light and view (theta, phi): of *Relight*, of the capture, or default ones."""
        if self._workspace.relit_directions is not None:
            return self._workspace.relit_directions
        shown = self._workspace.captures.shown()
        if shown is None:
            return _LIGHT, default_view(model)
        light, view, _ = observation_at(*shown)
        angles = [vectors_to_angles(vector) for vector in (light, view)]
        (light_theta, light_phi), (theta, phi) = angles
        return (float(light_theta), float(light_phi)), (float(theta), float(phi))

    def _on_made(self, frame: Frame) -> None:
        shot = frame.shot
        if (
            self._workspace.viewer is None
            or self._workspace.models.original_of(shot.model) is not self._model
        ):
            return
        column = free_column(self._workspace.viewer, shot.model, self._image.layer)
        name = f"relit {shot.model.source}".strip()
        if self._image.show(frame.pixels, name, column, select=False):
            self._workspace.viewer.reset_view()
        self._workspace.relit_directions = shot.light, shot.view
        self._workspace.show_relit(described(shot))
