"""What decodes the images: this processor, or a graphics processor by way of torch."""

from __future__ import annotations

import sys

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

__all__ = ["DecoderBox"]

_TIP = "What computes the images. A graphics processor is worth it for large or glossy surfaces"


class DecoderBox(QWidget):
    """A choice of devices.

    Signals
    -------
    changed
        Another one is chosen.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.choice = QComboBox()
        self.choice.addItem("processor", None)
        self.choice.addItem("graphics card (CUDA)", "cuda")
        if sys.platform == "darwin":
            self.choice.addItem("graphics processor (Metal)", "mps")
        self.choice.setToolTip(_TIP)
        self.choice.setAccessibleName("decoded by")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("decoded by"))
        row.addWidget(self.choice, 1)
        self.choice.currentIndexChanged.connect(lambda _: self.changed.emit())

    @property
    def device(self) -> str | None:
        """A torch device, or None to do without torch."""
        name: str | None = self.choice.currentData()
        return name

    def reset(self) -> None:
        """Go back to this processor, which always works."""
        self.choice.setCurrentIndex(0)
