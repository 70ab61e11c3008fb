"""A combo box of texels to learn from: the whole image, all painted texels, or one region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox

from napari_btf.plugin.viewer.layers import TAG
from napari_btf.plugin.viewer.painted import default_name
from napari_btf.texels.sampling import masked_texels, region_counts, sampled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.plugin.viewer.choosers import CaptureChooser
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["PAINTED", "WHOLE", "TexelChooser"]

WHOLE, PAINTED = "whole image", "painted texels"


class TexelChooser(QComboBox):
    """Lists the regions that are painted over the chosen capture when the list opens."""

    def __init__(self, workspace: Workspace, captures: CaptureChooser) -> None:
        super().__init__()
        self._workspace, self._captures = workspace, captures
        self.addItem(WHOLE)
        self.addItem(PAINTED)
        captures.chosen.connect(self.refresh)

    def showPopup(self) -> None:
        """List the present regions."""
        self.refresh()
        super().showPopup()

    def texels(self) -> NDArray[np.intp] | None:
        """The chosen texels, rows (y, x), or None for all of them."""
        if self.currentIndex() <= 0:
            return None
        label = self.currentData()
        if label is None:
            return self._workspace.regions.selected_texels(self._captures.layer)
        regions = self._workspace.regions.layer(self._captures.layer)
        if regions is None:
            return np.empty((0, 2), dtype=np.intp)
        region = np.asarray(regions.data) == label
        return masked_texels(
            sampled(region, self._workspace.regions.sampling(self._captures.layer))
        )

    def refresh(self) -> None:
        """List the present regions; the chosen one stays, unless it is gone."""
        before, label = self.currentIndex(), self.currentData()
        regions = self._workspace.regions.layer(self._captures.layer)
        found = [] if regions is None else list(region_counts(regions.data))
        names = {} if regions is None else regions.metadata[TAG].get("names", {})
        with QSignalBlocker(self):
            while self.count() > 2:
                self.removeItem(2)
            for i in found:
                self.addItem(names.get(i) or default_name(i), i)
            chosen = before if label is None else self.findData(label)
            self.setCurrentIndex(max(chosen, 0))
        if self.currentData() != label:
            self.currentIndexChanged.emit(self.currentIndex())
