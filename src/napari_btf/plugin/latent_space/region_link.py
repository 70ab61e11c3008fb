"""The painted regions of a model's surface: followed, read, and painted from a selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal
from superqt.utils import qthrottled

from napari_btf.errors import UsageError
from napari_btf.plugin.viewer.grid_layers import base_of
from napari_btf.plugin.viewer.own_layer import keep_selection
from napari_btf.plugin.viewer.painted import Painted
from napari_btf.texels.sampling import region_counts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.viewer.painted import Added
    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.texels.coordinates import RegionTexels

__all__ = ["RegionLink"]

#: Events of a Labels layer that change texels; and those that change names and colours.
_TEXELS, _LOOKS = ("labels_update", "set_data"), ("colormap", "metadata")
#: Milliseconds.
_EVERY = 60


class RegionLink(QObject):
    """Follows the Labels layer over the capture of a model, or over its latents.

    Signals
    -------
    changed
        There are other regions, or they have other texels, names or colours.
    painted
        Texels of a region were painted; its label.
    """

    changed = Signal()
    painted = Signal(int)

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._followed: Any = None
        self._were_painted = False
        self._restoring = False
        self.regions = Painted(workspace)
        self._tell = qthrottled(self._tell_now, timeout=_EVERY)

    def set_model(self, model: CompressedBTF | None, following: bool) -> None:
        """Follow the regions of a model; call it again after the layers changed."""
        self.regions.capture = None if model is None else base_of(self._workspace, model)
        layer = self.regions.layer if following else None
        if layer != self._followed:
            self._connect(layer)
            self.changed.emit()

    @property
    def labels(self) -> NDArray[Any]:
        """The label image, (H, W), with 0 where no region is."""
        return self.regions.data

    def names(self) -> dict[int, str]:
        """The names of the regions that have texels, by label."""
        if self.regions.layer is None:
            return {}
        return {label: self.regions.name(label) for label in region_counts(self.labels)}

    def keep(self, mask: NDArray[np.bool_], name: str) -> None:
        """Paint texels as a new region.

        Raises
        ------
        UsageError
            If another region has the name, or no number is free.
        """
        label = self.regions.new_region()
        self.regions.rename(label, name)
        self.regions.paint(mask, label)
        self.changed.emit()

    def restore(self, texels: RegionTexels, name: str) -> str:
        """Paint the regions of a file where there are none yet; return a sentence about it.

        Parameters
        ----------
        texels : RegionTexels
        name : str
            Of the file.

        Returns
        -------
        str
            Empty if they are all there already.

        Raises
        ------
        UsageError
            If there is nothing to paint on, or no number is free.
        """
        viewer = self._workspace.viewer
        if viewer is None or self.regions.capture is None:
            raise UsageError(
                None,
                f"{name} has regions, but there is no image to paint them on",
                "open the capture, or the model as layers, and then the table again",
            )
        # The user paints nothing here that the selection could follow.
        self._restoring = True
        try:
            with keep_selection(viewer):
                added = self.regions.add(texels)
        finally:
            self._restoring = False
        self.changed.emit()
        return _sentence(name, added)

    def _connect(self, layer: Any) -> None:
        if self._followed is not None:
            for name in (*_TEXELS, *_LOOKS):
                getattr(self._followed.events, name).disconnect(self._on_event)
        self._followed = layer
        if layer is not None:
            for name in (*_TEXELS, *_LOOKS):
                getattr(layer.events, name).connect(self._on_event)

    def _on_event(self, event: Any) -> None:
        # Painting emits many events a second.
        self._were_painted |= event.type in _TEXELS and not self._restoring
        self._tell()

    def _tell_now(self) -> None:
        were_painted, self._were_painted = self._were_painted, False
        if self._followed is None:
            return
        label = self.regions.label
        if were_painted and label:
            self.painted.emit(label)
        self.changed.emit()


def _sentence(name: str, added: Added) -> str:
    parts = []
    if added.painted:
        parts.append(f"Regions of {name} painted again: {', '.join(added.painted)}.")
    if added.left:
        parts.append(
            f"{added.left:,} texels of {name} stay in the regions that they are in by now."
        )
    return " ".join(parts)
