"""A combo box of the models of this session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.training.outlook import size

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["ModelChooser"]

_TIP = "The model that Relight, Compare and Save work with: all of this session are here"
#: Pixels beside the longest name in the list.
_MARGIN = 16


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
            self.addItems([self._name(model) for model in models] or ["no model yet"])
            if chosen in models:
                self.setCurrentIndex(models.index(chosen))
        self.setEnabled(bool(models))
        # A dock is narrower than some names.
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + _MARGIN)
        shown = f"{self.currentText()}\n{_TIP}"
        self.setToolTip(shown if models else "Train or load a model first.")

    def _name(self, model: CompressedBTF) -> str:
        path = self._workspace.models.path_of(model)
        about = f"{model.architecture}, {size(model.file_size)}"
        if path is not None:
            return f"{path.name} ({about})"
        return f"{model.source or 'model'}, not saved ({about})"

    def _on_activated(self, i: int) -> None:
        models = self._workspace.models.all
        if 0 <= i < len(models) and models[i] is not self._workspace.models.current:
            self._workspace.models.current = models[i]
