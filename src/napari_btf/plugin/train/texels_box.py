"""A combo box of texels to learn from: the whole image, all painted texels, or one region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox

from napari_btf.plugin.notices import plain
from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.viewer.painted import default_name
from napari_btf.texels.sampling import masked_texels, sampled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from qtpy.QtGui import QShowEvent

    from napari_btf.plugin.viewer.choosers import CaptureChooser
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["PAINTED", "WHOLE", "TexelChooser"]

WHOLE, PAINTED = "whole image", "painted texels"

_TIP = "The texels to learn from; the whole image is encoded in any case."


class TexelChooser(QComboBox):
    """Lists the regions that are painted over the chosen capture.

    Until somebody chooses, painted texels are taken up as soon as there are any.
    """

    def __init__(self, workspace: Workspace, captures: CaptureChooser) -> None:
        super().__init__()
        self._workspace, self._captures = workspace, captures
        #: The `unique_id` of the capture layer for which somebody has chosen.
        self._chosen_for: Any = None
        self._refreshing = False
        self.addItem(WHOLE)
        self.addItem(PAINTED)
        self.currentIndexChanged.connect(self._on_index)
        captures.chosen.connect(self.refresh)
        follow_while_shown(self, {workspace.regions.changed: self.refresh})

    def showEvent(self, event: QShowEvent | None) -> None:
        """List the present regions."""
        super().showEvent(event)
        self.refresh()

    def texels(self) -> NDArray[np.intp] | None:
        """The chosen texels, rows (y, x), or None for all of them."""
        # The box may not have been shown since something was painted.
        self.refresh()
        if self.currentIndex() <= 0:
            return None
        regions, capture = self._workspace.regions, self._captures.layer
        label = self.currentData()
        if label is None:
            return regions.selected_texels(capture)
        return masked_texels(sampled(regions.painted(capture) == label, regions.sampling(capture)))

    def refresh(self) -> None:
        """List the present regions; the chosen one stays, unless it is gone."""
        before, label = self.currentIndex(), self.currentData()
        counts = self._workspace.regions.counts(self._captures.layer)
        names = self._workspace.regions.names(self._captures.layer)
        items = [(names.get(i) or default_name(i), i) for i in counts]
        with QSignalBlocker(self):
            if items != [(self.itemText(i), self.itemData(i)) for i in range(2, self.count())]:
                while self.count() > 2:
                    self.removeItem(2)
                for item in items:
                    self.addItem(*item)
            chosen = before if label is None else self.findData(label)
            if not self._chosen_by_hand:
                chosen = 1 if counts else 0
            self.setCurrentIndex(max(chosen, 0))
        self._show_tip(counts)
        if (self.currentIndex(), self.currentData()) != (before, label):
            self._refreshing = True
            self.currentIndexChanged.emit(self.currentIndex())
            self._refreshing = False

    @property
    def _chosen_by_hand(self) -> bool:
        capture = self._captures.layer
        return capture is not None and self._chosen_for == capture.unique_id

    def _on_index(self, _: int) -> None:
        capture = self._captures.layer
        if capture is not None and not self._refreshing:
            self._chosen_for = capture.unique_id

    def _show_tip(self, counts: dict[int, int]) -> None:
        layer = self._workspace.regions.layer(self._captures.layer)
        if layer is None or not counts:
            self.setToolTip(f"{_TIP} Nothing is painted yet.")
            return
        painted = f'{sum(counts.values()):,} texels are painted in the layer "{layer.name}"'
        self.setToolTip(plain(f"{_TIP} {painted}."))
