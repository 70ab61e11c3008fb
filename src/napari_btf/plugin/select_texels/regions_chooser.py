"""A combo box of the Labels layers that can hold the regions of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QWidget

from napari_btf.plugin.viewer.following import follow_while_shown

if TYPE_CHECKING:
    from napari_btf.plugin.viewer.painted import Painted
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["RegionsChooser"]

_NEW, _NONE = "a new layer", "no layer yet"
_TIP = (
    "The Labels layer with the regions. Every Labels layer with as many rows and columns as the "
    "capture will do; the one that you painted last is taken by itself"
)


class RegionsChooser(QComboBox):
    """Lists the layers that fit the capture of a `Painted`, and follows them while it is shown."""

    def __init__(
        self, workspace: Workspace, painted: Painted, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace, self._painted = workspace, painted
        self._layers: list[Any] = []
        self.setAccessibleName("regions")
        self.setToolTip(_TIP)
        self.setMinimumContentsLength(12)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.activated.connect(self._on_activated)
        signals = (workspace.captures.changed, workspace.regions.changed)
        follow_while_shown(self, dict.fromkeys(signals, self.refresh))

    def refresh(self) -> None:
        """List the present layers."""
        capture = self._painted.capture
        self._layers = self._workspace.regions.candidates(capture)
        chosen = self._painted.layer
        names = [layer.name for layer in self._layers]
        if chosen is None:
            names.insert(0, _NONE)
        if names != [self.itemText(i) for i in range(self.count() - 1)]:
            with QSignalBlocker(self):
                self.clear()
                self.addItems([*names, _NEW])
        self.setEnabled(capture is not None)
        self.setCurrentIndex(0 if chosen is None else self._layers.index(chosen))

    def _on_activated(self, i: int) -> None:
        if i == self.count() - 1:
            self._painted.new_layer()
        else:
            i -= self.itemText(0) == _NONE and self._painted.layer is None
            if i >= 0:
                self._painted.choose(self._layers[i])
        self.refresh()
