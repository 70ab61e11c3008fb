"""Combo boxes of the capture layers of the viewer, and of the models of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from napari_btf.plugin.notices import plain
from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.viewer.layers import capture_of
from napari_btf.training.outlook import size

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["NO_CAPTURE", "CaptureChooser", "ModelChooser"]

NO_CAPTURE = (
    "Open a BTF capture first: File > IO Utilities > Open BTF capture..., "
    "or File > Open Sample > Woven cloth."
)


_TIP = "The model that Relight, Compare and Save work with: all of this session are here"
#: Pixels beside the longest name in the list.
_MARGIN = 16


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


class ModelChooser(QComboBox):
    """Lists the models that were trained or loaded, and marks those that are not saved."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.setAccessibleName("model")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumContentsLength(12)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.activated.connect(self._on_activated)
        follow_while_shown(self, {workspace.models.changed: self._refresh})
        self._refresh()

    def showEvent(self, event: QShowEvent | None) -> None:
        """List the present models."""
        super().showEvent(event)
        self._refresh()

    def _refresh(self) -> None:
        models, chosen = self._workspace.models.all, self._workspace.models.current
        with QSignalBlocker(self):
            self.clear()
            self.addItems([self.name_of(model) for model in models] or ["no model yet"])
            if chosen in models:
                self.setCurrentIndex(models.index(chosen))
        self.setEnabled(bool(models))
        # A dock is narrower than some names.
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + _MARGIN)
        shown = f"{self.currentText()}\n{_TIP}"
        self.setToolTip(plain(shown) if models else "Train or load a model first.")

    def name_of(self, model: CompressedBTF) -> str:
        """Return the name of a model in the list: first what tells it from its likes."""
        path = self._workspace.models.path_of(model)
        about = f"{size(model.file_size)}, {model.architecture}"
        if path is not None:
            return f"{path.name} ({about})"
        return f"{model.source or 'model'} ({about}, not saved)"

    def _on_activated(self, i: int) -> None:
        models = self._workspace.models.all
        if 0 <= i < len(models) and models[i] is not self._workspace.models.current:
            self._workspace.models.current = models[i]
