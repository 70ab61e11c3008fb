"""The choice of the points' colours, with a legend. A view."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from napari_btf.plugin.latent_space.map.legend import Legend

__all__ = ["BY", "ColourBox"]

#: What the core calls it, and what people read.
BY = {
    "mean": "mean colour",
    "center": "distance to the centre",
    "position": "position in the image",
    "region": "painted region",
    "latent": "latent",
    "cluster": "material",
}


class ColourBox(QWidget):
    """The choice of what colours the points, with the number of a latent if that is a latent.

    Below it is a legend.

    Signals
    -------
    changed
        Something else was chosen.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.choice = QComboBox()
        for name, text in BY.items():
            self.choice.addItem(text, name)
        self.choice.setToolTip("What the colours of the points mean")
        # With the number of a latent beside it the dock is to be no wider than without.
        policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.choice.setSizeAdjustPolicy(policy)
        self.choice.setMinimumContentsLength(10)
        self.latent = QSpinBox()
        self.latent.setToolTip("The number of the latent, from 0")
        self.legend = Legend()
        row = QHBoxLayout()
        row.addWidget(QLabel("colour by"))
        row.addWidget(self.choice, 1)
        row.addWidget(self.latent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.legend)
        self.latent.hide()
        self.choice.currentIndexChanged.connect(self._on_choice)
        self.latent.valueChanged.connect(lambda _: self.changed.emit())

    @property
    def by(self) -> str:
        """One of the keys of `BY`."""
        return str(self.choice.currentData())

    def set_by(self, by: str) -> None:
        """Choose one of the keys of `BY`."""
        self.choice.setCurrentIndex(self.choice.findData(by))

    def set_latents(self, count: int) -> None:
        """Set the number of latents to choose from."""
        with QSignalBlocker(self.latent):
            self.latent.setRange(0, max(0, count - 1))

    def _on_choice(self) -> None:
        self.latent.setVisible(self.by == "latent")
        self.changed.emit()
