"""The open captures of a viewer: their layers, the sliders, and which one belongs to a model."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_btf.plugin.viewer.layers import capture_of, is_spectral, step_after, turn_capture

if TYPE_CHECKING:
    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.directions import AzimuthConvention

__all__ = ["Captures"]


class Captures:
    """The capture layers of one viewer, which it holds weakly.

    Signals
    -------
    changed
        A capture layer was added, removed or renamed, or its directions are others now.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)

    def layers(self) -> list[Any]:
        """Return the layers that show a capture, topmost first."""
        viewer = self._viewer()
        if viewer is None:
            return []
        return [layer for layer in reversed(viewer.layers) if capture_of(layer) is not None]

    def shown(self) -> tuple[BTF, tuple[int, ...]] | None:
        """Return the capture that people look at, and its slider positions.

        This is the active layer if it is a capture, else the topmost visible one.
        """
        layer = self._shown_layer()
        btf = None if layer is None else capture_of(layer)
        return None if btf is None else (btf, self.step(btf))

    def _shown_layer(self) -> Any:
        viewer, layers = self._viewer(), self.layers()
        if viewer is None or not layers:
            return None
        active = viewer.layers.selection.active
        visible = [layer for layer in layers if layer.visible] or layers
        return active if active in layers else visible[0]

    def step(self, btf: BTF) -> tuple[int, ...]:
        """Return the slider positions of an open capture: (view, light), or (observation,)."""
        return tuple(self._dims.current_step[i] for i in self._axes(btf))

    def go_to(self, btf: BTF, step: tuple[int, ...]) -> None:
        """Move the sliders of an open capture."""
        self._dims.set_current_step(self._axes(btf), step)

    def channel(self, btf: BTF) -> str:
        """Return the name of the channel that the slider of a spectral capture shows, or ""."""
        if not is_spectral(btf.channels):
            return ""
        i = min(self._dims.current_step[-3], btf.channels - 1)
        return btf.channel_names[i] if btf.channel_names else f"channel {i + 1}"

    def turn(self, layer: Any, convention: AzimuthConvention) -> None:
        """Interpret the azimuths of a capture layer otherwise; the sliders stay at their image.

        Parameters
        ----------
        layer : napari.layers.Image
        convention : AzimuthConvention
            Relative to the capture as it was read, whatever was chosen before.
        """
        before = capture_of(layer)
        assert before is not None
        step = self.step(before)
        turn_capture(layer, convention)
        after = capture_of(layer)
        assert after is not None
        self.go_to(after, step_after(before, step, after))
        self.changed.emit()

    def of_model(self, model: CompressedBTF) -> list[Any]:
        """Return the capture layers that belong to a model, the likeliest first.

        They have the size and the channels of the model. If some of them also have the name of the
        capture that the model was trained on, only those count. Of several such layers the one that
        people look at comes first (see `shown`), then the topmost one.

        Parameters
        ----------
        model : CompressedBTF

        Returns
        -------
        list of napari.layers.Image
        """
        shape = model.height, model.width, model.channels
        found = []
        for layer in self.layers():
            btf = capture_of(layer)
            if btf is not None and (btf.height, btf.width, btf.channels) == shape:
                found.append((layer, btf.name))
        named = [layer for layer, name in found if name == model.source]
        shown = self._shown_layer()
        return sorted(named or [layer for layer, _ in found], key=lambda layer: layer != shown)

    @property
    def _dims(self) -> Any:
        viewer = self._viewer()
        assert viewer is not None
        return viewer.dims

    def _axes(self, btf: BTF) -> tuple[int, ...]:
        # A capture's axes are the last ones of the viewer's.
        end = self._dims.ndim - 2 - is_spectral(btf.channels)
        return tuple(range(end - (2 if btf.is_grid else 1), end))
