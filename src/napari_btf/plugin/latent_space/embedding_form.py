"""The form of an embedding: method, texels, seed. A view."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_btf.plugin.widgets.progress_bar import ProgressBar
from napari_btf.plugin.widgets.section import allow
from napari_btf.running.phases import phase_named
from napari_btf.texels.sampling import all_texels, every_nth, masked_texels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_btf.embedding import Method
    from napari_btf.progress import Progress

__all__ = ["ALL", "PAINTED", "STEP", "EmbeddingForm"]

_METHODS: dict[str, Method] = {"t-SNE": "tsne", "PCA": "pca", "UMAP": "umap"}
ALL, PAINTED, STEP = "all texels", "painted texels", "one texel of"

_START = "Place the texels in the plane so that alike ones lie together"


class EmbeddingForm(QWidget):
    """The options of an embedding, its buttons and its progress bar.

    Signals
    -------
    started, cancelled
    """

    started = Signal()
    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._why_not = ""
        self.method = QComboBox()
        self.method.setToolTip("t-SNE and UMAP keep neighbours together; PCA takes no time")
        for name, method in _METHODS.items():
            # An extra: not everyone has it, and it takes seconds to import.
            if method != "umap" or find_spec("umap") is not None:
                self.method.addItem(name, method)
        self.texels = QComboBox()
        self.texels.addItems([ALL, PAINTED, STEP])
        self.texels.setToolTip("Which texels become points")
        self.step = QSpinBox()
        self.step.setRange(2, 1000)
        self.step.setToolTip("Of how many rows and columns one is taken")
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setToolTip("Of all random choices: the same seed gives the same picture")
        self._seed_label = QLabel("seed")
        self.start = QPushButton("Compute")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop here and keep the picture as it is")
        self.bar = ProgressBar()
        self._lay_out()
        self.texels.currentTextChanged.connect(lambda text: self.step.setVisible(text == STEP))
        self.start.clicked.connect(self.started)
        self.cancel.clicked.connect(self.cancelled)
        self.set_running(False)

    def _lay_out(self) -> None:
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.method, 2)
        first.addWidget(self.texels, 3)
        first.addWidget(self.step)
        self.step.hide()
        second.addWidget(self._seed_label)
        second.addWidget(self.seed)
        second.addWidget(self.bar, 1)
        second.addStretch()
        second.addWidget(self.start)
        second.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(first)
        column.addLayout(second)

    def coords(self, height: int, width: int, regions: NDArray[Any]) -> NDArray[np.intp] | None:
        """Return the texels that become points, rows (y, x), or None for all of them.

        Parameters
        ----------
        height, width : int
            Of the surface in texels.
        regions : ndarray of int, shape (H, W)
            Painted regions, 0 for none.
        """
        which = self.texels.currentText()
        if which == PAINTED:
            return masked_texels(regions)
        return every_nth(all_texels(height, width), self.step.value()) if which == STEP else None

    def set_method(self, method: str) -> None:
        """Choose a method, if it is in the list."""
        self.method.setCurrentIndex(max(0, self.method.findData(method)))

    def set_allowed(self, why_not: str) -> None:
        """Enable the computation, or say why it is not possible."""
        self._why_not = why_not
        allow(self.start, _START, why_not)

    def set_running(self, running: bool) -> None:
        """Show the controls of a running job, or those that start one."""
        self.start.setVisible(not running)
        self.cancel.setVisible(running)
        self.bar.setVisible(running)
        # What is being done takes the room of what can no longer be chosen.
        for part in (self._seed_label, self.seed):
            part.setVisible(not running)
        self.bar.show_step(0, 0)

    def show_progress(self, progress: Progress) -> None:
        """Show the progress of a job."""
        self.bar.show_step(progress.step, progress.total)
        self.bar.setFormat(f"{phase_named(progress.phase).label} %p%")
