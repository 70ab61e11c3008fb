"""Section *Inspect*: the ABRDF of selected texels, captured and decoded, and between two texels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_btf.directions import angles_to_vectors
from napari_btf.inspection import decode_texels, texel_abrdfs, walk
from napari_btf.plugin.jobs.background import Latest
from napari_btf.plugin.jobs.captured_values import CapturedValues
from napari_btf.plugin.latent_space.inspect.abrdf_pair import AbrdfPair
from napari_btf.plugin.latent_space.inspect.edit import Edit
from napari_btf.plugin.latent_space.inspect.walk_box import WalkBox
from napari_btf.plugin.viewer.layers import capture_of, observation_at
from napari_btf.relighting import limits
from napari_btf.relighting.reach import default_view
from napari_btf.texels.abrdf import under_view, value_colours
from napari_btf.texels.sampling import masked_texels, random_texels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.progress import Job

__all__ = ["Inspect"]

_HINT = "Point at a texel, in the map or in an image, or select some."
#: Of a selection so many texels are decoded for the mean.
_MOST = 256
#: Rings of lights for a model without its capture: degrees between them, and lights in the first.
_RING, _LIGHTS = 15.0, 6


@dataclass(frozen=True, eq=False)
class _Directions:
    """Lights (L, 3) and views (L, 3) that are shown, and their observations, if captured."""

    light: NDArray[np.float64]
    view: NDArray[np.float64]
    btf: BTF | None = None
    observations: NDArray[np.intp] | None = None


class Inspect(QWidget):
    """Two disks of an ABRDF, a walk between two points, and sliders for the selected latents."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._model: CompressedBTF | None = None
        self._following = False
        self._selected = np.zeros((0, 0), dtype=bool)
        self._texel: tuple[int, int] | None = None
        self._shown: _Directions | None = None
        self.pair = AbrdfPair()
        self.walk = WalkBox()
        self.edit = Edit(workspace)
        self.captured = CapturedValues(self)
        self.decoder = Latest(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for part in (self.pair, self.walk, self.edit):
            column.addWidget(part)
        self.captured.found.connect(self._on_captured)
        self.captured.failed.connect(self.pair.note.setText)
        self.decoder.done.connect(self._on_decoded)
        self.decoder.failed.connect(self.pair.note.setText)
        self.walk.changed.connect(self.refresh)
        self.edit.changed.connect(self.refresh)
        self.pair.note.setText(_HINT)

    def set_model(self, model: CompressedBTF | None) -> None:
        """Inspect another model."""
        if model is not self._model:
            self._model, self._texel = model, None
            self._selected = np.zeros((0, 0), dtype=bool)
            self.walk.forget()
            self.edit.set_model(model)
        self.refresh()

    def set_selection(self, mask: NDArray[np.bool_]) -> None:
        """Show the mean of these texels, (H, W), or the texel under the mouse if none is set."""
        self._selected = mask
        # Folded away, nothing of it is to be seen.
        if self._following:
            self.edit.set_selection(mask)
            self.refresh()

    def point_at(self, texel: tuple[int, int] | None) -> None:
        """Show the texel (y, x) under the mouse."""
        if texel is not None and texel != self._texel:
            self._texel = texel
            if not self._selected.any() and not self.walk.is_ready:
                self.refresh()

    def pick(self, texel: tuple[int, int]) -> None:
        """Use a point that was clicked as an end of the walk."""
        self.walk.pick(texel)

    def follow(self, following: bool) -> None:
        """Start or stop following the viewer's sliders; stopping discards edits."""
        viewer = self._workspace.viewer
        if following == self._following or viewer is None:
            return
        self._following = following
        event = viewer.dims.events.current_step
        if following:
            event.connect(self._on_sliders)
            self.edit.set_selection(self._selected)
            self.refresh()
        else:
            event.disconnect(self._on_sliders)
            self.captured.cancel()
            self.decoder.cancel()
            self.edit.sliders.rest()

    # ----------------------------------------------------------------- what is looked at

    def refresh(self) -> None:
        """Read and decode the ABRDFs that are visible now."""
        model = self._model
        if not self._following or model is None:
            return
        shown, coords = self._directions(model), self._coords()
        if not len(coords):
            self._clear()
            return
        self._shown = shown
        self.pair.note.setText(self._text(coords))
        if shown.btf is None or shown.observations is None:
            self.captured.cancel()
            self.pair.set_captured(None)
        else:
            self.captured.want(shown.btf, shown.observations, coords)
        some = random_texels(coords, _MOST)
        variant = self._workspace.models.variant_of(model)
        way = self._way(model)
        self.decoder.want(lambda: _decode(variant, shown, some, way))

    def _coords(self) -> NDArray[np.intp]:
        """Return the texels, rows (y, x): the walk's nearer end, the selection, or the mouse."""
        start, end = self.walk.ends
        if start is not None and end is not None:
            return np.array([start if self.walk.share < 0.5 else end], dtype=np.intp)
        if self._selected.any():
            return masked_texels(self._selected)
        return np.array([] if self._texel is None else [self._texel], dtype=np.intp).reshape(-1, 2)

    def _way(self, model: CompressedBTF) -> NDArray[np.float32] | None:
        """Return the latents (1, K) on the walk, or None without a walk."""
        start, end = self.walk.ends
        if start is None or end is None:
            return None
        steps = self.walk.slider.maximum() + 1
        ends = model.latent_map[start], model.latent_map[end]
        return walk(*ends, steps)[self.walk.slider.value()][np.newaxis]

    def _directions(self, model: CompressedBTF) -> _Directions:
        captures = self._workspace.captures.of_model(model)
        btf = capture_of(captures[0]) if captures else None
        if btf is not None:
            _, view, _ = observation_at(btf, self._workspace.captures.step(btf))
            observations = under_view(btf, view)
            return _Directions(btf.light[observations], btf.view[observations], btf, observations)
        light = _rings(limits(model)[0])
        view = np.broadcast_to(angles_to_vectors(*default_view(model)), light.shape)
        return _Directions(light, view)

    def _text(self, coords: NDArray[np.intp]) -> str:
        start, end = self.walk.ends
        if start is not None and end is not None:
            ends = [f"x {x}, y {y}" for y, x in (start, end)]
            return f"{self.walk.share:.0%} of the way from {ends[0]} to {ends[1]}"
        if len(coords) > 1:
            return f"mean of {len(coords):,} selected texels"
        return f"x {coords[0, 1]}, y {coords[0, 0]}"

    def _clear(self) -> None:
        self.captured.cancel()
        self.decoder.cancel()
        self._shown = None
        self.pair.note.setText(_HINT)
        self.pair.set_captured(None)
        self.pair.set_decoded(None)

    def _on_sliders(self, event: Any = None) -> None:
        model = self._model
        if model is None or self._shown is None:
            return
        # Another light is another image, but the same disks.
        now = self._directions(model)
        if now.btf is not self._shown.btf or not np.array_equal(now.view, self._shown.view):
            self.refresh()

    # ----------------------------------------------------------------- what comes

    def _on_captured(self, values: NDArray[Any]) -> None:
        if self._shown is not None and len(values) == len(self._shown.light):
            self.pair.set_captured(self._shown.light, value_colours(values))

    def _on_decoded(self, found: tuple[_Directions, NDArray[Any]]) -> None:
        shown, values = found
        if self._shown is not None:
            self.pair.set_decoded(shown.light, value_colours(values))


def _decode(
    model: CompressedBTF,
    shown: _Directions,
    coords: NDArray[np.intp],
    latents: NDArray[np.float32] | None,
) -> Job[tuple[_Directions, NDArray[Any]]]:
    """Decode given latents, or else the mean latents of texels, under lights: (L, C), as stored."""
    yield from ()  # There is nothing to report on the way.
    if latents is None and len(coords) == 1:
        values = texel_abrdfs(model, coords, shown.light, shown.view)
    else:
        if latents is None:
            latents = model.latent_map[coords[:, 0], coords[:, 1]]
        # What lies between them would be decoded, too, if it were for their places.
        values = decode_texels(model, latents, shown.light, shown.view)
    return shown, model.values.store(values.mean(axis=0))


def _rings(reach: float) -> NDArray[np.float64]:
    """Return lights (L, 3) on rings around the normal, up to an angle in degrees."""
    theta, phi = [0.0], [0.0]
    for i in range(1, int(reach / _RING) + 1):
        count = _LIGHTS * i
        theta += [_RING * i] * count
        phi += [360.0 * k / count for k in range(count)]
    return angles_to_vectors(np.array(theta), np.array(phi))
