"""A combo box of the viewer's capture layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.viewer.layers import capture_of

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_btf.btf import BTF
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["NO_CAPTURE", "CaptureChooser"]

NO_CAPTURE = (
    "Open a BTF capture first: File > IO Utilities > Open BTF capture..., "
    "or File > Open Sample > Woven cloth."
)


class CaptureChooser(QComboBox):
    """Lists the capture layers, and follows the layer list while it is shown."""

    chosen = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._layers: list[Any] = []
        self.setToolTip("The capture to work on")
        self.activated.connect(lambda _: self.chosen.emit())
        follow_while_shown(self, {workspace.captures.changed: self._refresh})
        self._refresh()

    @property
    def layer(self) -> Any:
        """The chosen layer, or None."""
        i = self.currentIndex()
        return self._layers[i] if 0 <= i < len(self._layers) else None

    @property
    def btf(self) -> BTF | None:
        """The BTF of the chosen layer, or None."""
        return None if self.layer is None else capture_of(self.layer)

    def showEvent(self, event: QShowEvent | None) -> None:
        """List the present captures."""
        super().showEvent(event)
        self._refresh()

    def _refresh(self) -> None:
        before = self.layer
        self._layers = self._workspace.captures.layers()
        self.clear()
        self.addItems([layer.name for layer in self._layers] or ["no capture is open"])
        self.setEnabled(bool(self._layers))
        if before in self._layers:
            self.setCurrentIndex(self._layers.index(before))
        self.chosen.emit()
