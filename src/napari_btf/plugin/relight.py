"""Dock *Relight*: any light, any view, while the sliders move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFileDialog, QFormLayout, QPushButton, QVBoxLayout, QWidget
from superqt import QLabeledDoubleSlider
from superqt.utils import qthrottled

from napari_btf.codec.storage import load
from napari_btf.errors import BTFError
from napari_btf.plugin._note import Note
from napari_btf.plugin.layers import TAG, for_display, is_kind
from napari_btf.plugin.workspace import workspace_of
from napari_btf.relighting import default_view, limits, relight
from napari_btf.values import to_display

if TYPE_CHECKING:
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_btf.codec.model import CompressedBTF

__all__ = ["Relight"]

_NO_MODEL = "Train a model first (dock Train), or load one."


class Relight(QWidget):
    """Angles of light and view; one Image layer follows them."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)
        self.load_button = QPushButton("Load model...")
        self.about = Note()
        self.light_theta = _slider(0.0, 90.0, "Angle of the light from the surface normal")
        self.light_phi = _slider(0.0, 360.0, "Azimuth of the light, counter-clockwise from right")
        self.view_theta = _slider(0.0, 90.0, "Angle of the viewer from the surface normal")
        self.view_phi = _slider(0.0, 360.0, "Azimuth of the viewer, counter-clockwise from right")

        form = QFormLayout()
        form.addRow("light θ", self.light_theta)
        form.addRow("light φ", self.light_phi)
        form.addRow("view θ", self.view_theta)
        form.addRow("view φ", self.view_phi)
        column = QVBoxLayout(self)
        column.addWidget(self.load_button)
        column.addWidget(self.about)
        column.addLayout(form)
        column.addStretch()

        # One image per screen refresh at most, the last position always shown.
        self._follow = qthrottled(self.render_image, timeout=16)
        for slider in self._sliders:
            slider.valueChanged.connect(self._on_moved)
        self.load_button.clicked.connect(self._ask_load)
        self._show_model()

    @property
    def _sliders(self) -> tuple[QLabeledDoubleSlider, ...]:
        return self.light_theta, self.light_phi, self.view_theta, self.view_phi

    @property
    def light(self) -> tuple[float, float]:
        """(theta, phi) of the light, degrees."""
        return self.light_theta.value(), self.light_phi.value()

    @property
    def view(self) -> tuple[float, float]:
        """(theta, phi) of the viewer, degrees."""
        return self.view_theta.value(), self.view_phi.value()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow the model."""
        super().showEvent(event)
        self._workspace.model_changed.connect(self._on_model)
        self._on_model()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop following it."""
        super().hideEvent(event)
        self._workspace.model_changed.disconnect(self._on_model, missing_ok=True)

    def load(self, path: str) -> None:
        """Load a model; what is wrong becomes a notification."""
        try:
            self._workspace.model = load(path)
        except BTFError as error:
            show_error(str(error))
            return
        self._on_model()

    def image_layer(self) -> Any:
        """The layer that follows the sliders, or None."""
        viewer = self._workspace.viewer
        layers = [] if viewer is None else [x for x in viewer.layers if is_kind(x, "relit")]
        return layers[-1] if layers else None

    def render_image(self) -> None:
        """Decode the current directions into the layer; a deleted layer comes back."""
        model, viewer = self._workspace.model, self._workspace.viewer
        if model is None or viewer is None:
            return
        pixels = to_display(relight(model, self.light, self.view))
        self._workspace.show_relit_angles(self.light, self.view)
        pixels, colour = for_display(pixels), model.channels == 3
        ndim = pixels.ndim - colour
        layer = self.image_layer()
        if layer is not None and (layer.ndim, layer.rgb, layer.data.dtype) != (
            ndim,
            colour,
            pixels.dtype,
        ):
            # Between colour, grey and spectral, 8 and 16 bits napari needs another layer.
            viewer.layers.remove(layer)
            layer = None
        if layer is not None:
            layer.data = pixels
            return
        viewer.add_layer(
            Image(
                pixels,
                name=f"relit {model.source}".strip(),
                rgb=colour,
                contrast_limits=(0, int(np.iinfo(pixels.dtype).max)),
                metadata={TAG: {"kind": "relit"}},
                translate=(0,) * (ndim - 1) + (self._workspace.free_column(),),
            )
        )
        # Later: the dock that is being opened still takes its room from the canvas.
        QTimer.singleShot(0, self._show_all)

    def _show_all(self) -> None:
        viewer = self._workspace.viewer
        if viewer is not None:
            viewer.reset_view()

    def _on_moved(self, _: float) -> None:
        self._follow()

    def _on_model(self) -> None:
        self._show_model()
        self.render_image()

    def _show_model(self) -> None:
        model = self._workspace.model
        self.about.setText(_NO_MODEL if model is None else _describe(model))
        for slider in self._sliders:
            slider.setEnabled(model is not None)
        if model is None:
            return
        most_light, most_view = limits(model)
        _set_maximum(self.light_theta, most_light)
        _set_maximum(self.view_theta, most_view)
        for slider in (self.view_theta, self.view_phi):
            slider.setEnabled(not model.fixed_view)
        if model.fixed_view:
            _set_quietly(self.view_theta, default_view(model)[0])
            _set_quietly(self.view_phi, default_view(model)[1])

    def _ask_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load model", "", "Model (*.safetensors)")
        if path:
            self.load(path)


def _slider(low: float, high: float, tooltip: str) -> QLabeledDoubleSlider:
    slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setDecimals(1)
    slider.setSingleStep(1)
    slider.setToolTip(tooltip)
    return slider


def _set_maximum(slider: QLabeledDoubleSlider, high: float) -> None:
    slider.blockSignals(True)
    slider.setRange(0.0, max(high, 0.1))
    slider.blockSignals(False)


def _set_quietly(slider: QLabeledDoubleSlider, value: float) -> None:
    slider.blockSignals(True)
    slider.setValue(value)
    slider.blockSignals(False)


def _describe(model: CompressedBTF) -> str:
    views = "one view" if model.fixed_view else f"views up to {limits(model)[1]:.4g}°"
    return (
        f"{model.source or 'model'}: {model.width} × {model.height} texels, "
        f"{model.latent_count} latents, {views}"
    )
