"""How images are computed and shown: exposure and gamma, and the device that decodes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QLabel, QWidget

if TYPE_CHECKING:
    from napari_btf.plugin.relight.scene import Scene

__all__ = ["DecoderBox", "ExposureBox"]

#: The value of the spin box that stands for sRGB.
_SRGB = 0.9
_DECODER_TIP = (
    "The device that computes the images. "
    "A graphics processor is faster for large or glossy surfaces"
)


class ExposureBox(QWidget):
    """Spin boxes for exposure and gamma; each is shown only where it makes a difference.

    Parameters
    ----------
    scene : Scene
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self.exposure = QDoubleSpinBox()
        self.exposure.setRange(-16.0, 16.0)
        self.exposure.setSingleStep(0.5)
        self.exposure.setDecimals(2)
        self.exposure.setToolTip("Exposure in stops: each stop doubles the light")
        self.gamma = QDoubleSpinBox()
        self.gamma.setRange(_SRGB, 4.0)
        self.gamma.setSingleStep(0.1)
        self.gamma.setDecimals(2)
        self.gamma.setSpecialValueText("sRGB")
        self.gamma.setToolTip(
            "How linear light is converted to the values of the screen: by the sRGB curve, "
            "or as a power with the exponent 1 / gamma"
        )
        self._labels: dict[QDoubleSpinBox, QLabel] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for name, number in (("exposure", self.exposure), ("gamma", self.gamma)):
            number.setKeyboardTracking(False)
            number.setMinimumWidth(70)
            number.setAccessibleName(name)
            self._labels[number] = QLabel(name)
            row.addWidget(self._labels[number])
            row.addWidget(number, 1)
        self.exposure.valueChanged.connect(scene.expose)
        self.gamma.valueChanged.connect(self._on_gamma)
        scene.allowed.connect(self._allow)
        self._allow()

    def _on_gamma(self, gamma: float) -> None:
        self._scene.set_gamma(gamma if gamma > _SRGB else None)

    def _allow(self) -> None:
        has_exposure, has_gamma = self._scene.has_exposure, self._scene.has_gamma
        for number, is_shown in ((self.exposure, has_exposure), (self.gamma, has_gamma)):
            number.setVisible(is_shown)
            self._labels[number].setVisible(is_shown)
        self.setVisible(has_exposure or has_gamma)


class DecoderBox(QWidget):
    """A choice between the devices that can decode images.

    Signals
    -------
    changed
        Another device is chosen.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.choice = QComboBox()
        self.choice.addItem("processor", None)
        self.choice.addItem("graphics card (CUDA)", "cuda")
        if sys.platform == "darwin":
            self.choice.addItem("graphics processor (Metal)", "mps")
        self.choice.setToolTip(_DECODER_TIP)
        self.choice.setAccessibleName("decoded by")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("decoded by"))
        row.addWidget(self.choice, 1)
        self.choice.currentIndexChanged.connect(lambda _: self.changed.emit())

    @property
    def device(self) -> str | None:
        """A torch device, or None for the processor without torch."""
        name: str | None = self.choice.currentData()
        return name

    def reset(self) -> None:
        """Choose the processor again, which always works."""
        self.choice.setCurrentIndex(0)
