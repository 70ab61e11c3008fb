"""The regions that are painted over captures, and the sampling that keeps some of their texels."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from psygnal import Signal

from napari_btf.plugin.viewer.layers import TAG, capture_of
from napari_btf.plugin.viewer.model_layers import grid_of
from napari_btf.plugin.viewer.regions.counts import Counts
from napari_btf.plugin.viewer.regions.fitting import fits, is_meant_for, tag_of
from napari_btf.texels.sampling import Sampling, masked_texels, sampled

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Regions"]

#: Events of a Labels layer that change what docks show, besides those of its texels.
_LOOKS = ("selected_label", "colormap")


class Regions:
    """The painted regions and samplings of a viewer's layers; holds the viewer weakly.

    Regions may be in any Labels layer that fits a capture: one that *Paint regions* made, one of
    napari's own, a file, a copy. Unless somebody chooses, the layer that was painted last counts.

    Signals
    -------
    changed
        Another layer holds the regions, or its texels, its label or its colours are others.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self._counts: weakref.WeakKeyDictionary[Any, Counts] = weakref.WeakKeyDictionary()
        self._steps: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        #: The chosen Labels layer by the layer it is chosen for, both as their `unique_id`.
        self._chosen: dict[Any, Any] = {}
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in viewer.layers:
            self._follow(layer)

    # ----------------------------------------------------------------- which layer

    def candidates(self, base: Any) -> list[Any]:
        """Return the Labels layers that fit a layer of a capture or of latents, topmost first."""
        return [layer for layer in reversed(self._layers()) if fits(layer, base)]

    def layer(self, base: Any) -> Any:
        """Return the Labels layer with the regions of such a layer, or None.

        This is the layer that was chosen or painted last, else the topmost one that was made for
        it, else the topmost one that was made for no other.
        """
        candidates = self.candidates(base)
        if not candidates:
            return None
        for layer in candidates:
            if layer.unique_id == self._chosen.get(base.unique_id):
                return layer
        meant = [layer for layer in candidates if is_meant_for(layer, base, self._layers())]
        own = [layer for layer in meant if tag_of(layer).get("capture") == base.unique_id]
        return next(iter(own or meant), None)

    def choose(self, base: Any, layer: Any) -> None:
        """Take the regions of a layer of a capture or of latents from a Labels layer."""
        before = self.layer(base)
        self._chosen[base.unique_id] = layer.unique_id
        if layer != before:
            self.changed.emit()

    # ----------------------------------------------------------------- what is painted

    def painted(self, base: Any) -> NDArray[Any]:
        """Return the label image painted over such a layer, (H, W); zeros if there is none."""
        regions = self.layer(base)
        if regions is not None:
            return self._counts_of(regions).image
        grid = None if base is None else grid_of(base)
        return np.zeros(grid or (0, 0), dtype=np.uint8)

    def counts(self, base: Any) -> dict[int, int]:
        """Return the number of texels of each region with texels, by label."""
        regions = self.layer(base)
        return {} if regions is None else self._counts_of(regions).counts

    def names(self, base: Any) -> dict[int, str]:
        """Return the names that people gave to regions, by label."""
        regions = self.layer(base)
        return {} if regions is None else dict(tag_of(regions).get("names", {}))

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

    def shown_slice(self, layer: Any) -> tuple[int, ...]:
        """Return the position that the sliders show on the axes of a layer before y and x."""
        viewer = self._viewer()
        if viewer is None or layer.ndim == 2:
            return ()
        place = np.rint(layer.world_to_data(viewer.dims.point[-layer.ndim :])).astype(int)[:-2]
        return tuple(np.clip(place, 0, np.array(layer.data.shape[:-2]) - 1).tolist())

    # ----------------------------------------------------------------- following layers

    def _layers(self) -> list[Any]:
        viewer = self._viewer()
        return [] if viewer is None else list(viewer.layers)

    def _counts_of(self, layer: Any) -> Counts:
        # Docks may see the layer behind a proxy that comes and goes.
        layer = getattr(layer, "__wrapped__", layer)
        if layer not in self._counts:
            self._counts[layer] = Counts(weakref.proxy(layer))
        return self._counts[layer]

    def _slots(self, layer: Any) -> list[tuple[Any, Any]]:
        events = layer.events
        return [
            (events.paint, self._on_paint),
            (events.labels_update, self._on_stroke),
            (events.set_data, self._on_data),
            *((getattr(events, name), self._on_look) for name in _LOOKS),
        ]

    def _follow(self, layer: Any) -> None:
        if isinstance(layer, Labels):
            self._steps[layer] = self._step()
            for signal, slot in self._slots(layer):
                signal.connect(slot)

    def _on_inserted(self, event: Any) -> None:
        self._follow(event.value)
        if isinstance(event.value, Labels):
            self.changed.emit()

    def _on_removed(self, event: Any) -> None:
        if isinstance(event.value, Labels):
            for signal, slot in self._slots(event.value):
                signal.disconnect(slot)
            self.changed.emit()

    def _on_paint(self, event: Any) -> None:
        layers = self._layers()
        for base in layers:
            if fits(event.source, base) and is_meant_for(event.source, base, layers):
                self.choose(base, event.source)

    def _on_stroke(self, event: Any) -> None:
        viewer, counts = self._viewer(), self._counts.get(event.source)
        if viewer is None or counts is None:
            self.changed.emit()
            return
        if tuple(viewer.dims.displayed) == (viewer.dims.ndim - 2, viewer.dims.ndim - 1):
            (top, left), (height, width) = event.offset, event.data.shape[:2]
            counts.count_again((slice(top, top + height), slice(left, left + width)))
        else:
            # The box is one of other axes than y and x.
            counts.forget()
        self.changed.emit()

    def _on_data(self, event: Any) -> None:
        layer, step = event.source, self._step()
        moved = layer.ndim > 2 and self._steps.get(layer) != step
        self._steps[layer] = step
        # A slider that moves shows other texels, but changes none.
        if not moved:
            if layer in self._counts:
                self._counts[layer].forget()
            self.changed.emit()

    def _on_look(self, event: Any = None) -> None:
        self.changed.emit()

    def _step(self) -> Any:
        viewer = self._viewer()
        return None if viewer is None else viewer.dims.current_step
