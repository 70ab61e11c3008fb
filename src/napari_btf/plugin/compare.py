"""The dock *Compare*: captured, decoded and error side by side, while the sliders move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QFormLayout, QVBoxLayout, QWidget

from napari_btf.btf.value_range import range_note
from napari_btf.directions import directions_text
from napari_btf.errors import BTFError
from napari_btf.evaluate.comparison import check_match
from napari_btf.evaluate.metrics import psnr
from napari_btf.plugin.frame import as_dock
from napari_btf.plugin.jobs.background import Latest
from napari_btf.plugin.settings import recall, remember
from napari_btf.plugin.viewer.choosers import NO_CAPTURE, CaptureChooser, ModelChooser
from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.viewer.layers import observation_at
from napari_btf.plugin.viewer.placing import free_place
from napari_btf.plugin.viewer.shown_image import ShownImage
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.plugin.widgets.section import allow
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.values import to_display

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.progress import Job

__all__ = ["Compare"]

_NO_MODEL = "Train a model first (dock Train), or open one."
_KINDS = ("decoded", "error")


@dataclass(frozen=True, eq=False)
class _Pair:
    """One observation, and the image that the model decodes for it."""

    light: NDArray[np.float64]
    view: NDArray[np.float64]
    decoded: NDArray[Any]
    error: NDArray[np.float32] | None
    psnr: float


class Compare(QWidget):
    """Two Image layers right of a capture follow its sliders."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)
        self._pair: _Pair | None = None
        self._images = {kind: ShownImage(self._workspace, kind) for kind in _KINDS}
        self.captures = CaptureChooser(self._workspace)
        self.models = ModelChooser(self._workspace)
        self.compare = QCheckBox("Show decoded and error beside the capture")
        self.gain = QDoubleSpinBox()
        self.gain.setRange(1.0, 100.0)
        self.gain.setDecimals(0)
        self.gain.setPrefix("× ")
        self.gain.setToolTip("How much brighter the error is shown than it is")
        self.gain.setValue(recall("comparing").get("gain", 5.0))
        self.figures = Note()

        form = QFormLayout()
        form.addRow("capture", self.captures)
        form.addRow("model", self.models)
        form.addRow("error", self.gain)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.compare)
        column.addWidget(self.figures)
        column.addStretch()
        as_dock(self, "Compare", self._workspace)

        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._close_up)
        self._latest = Latest(self)
        self._latest.done.connect(self._on_pair)
        self._latest.failed.connect(self.figures.setText)
        self.captures.chosen.connect(self._on_choice)
        self.compare.toggled.connect(self._on_toggled)
        self.gain.valueChanged.connect(self._on_gain)
        viewer = self._workspace.viewer
        follow_while_shown(
            self,
            {
                self._workspace.models.changed: self._on_choice,
                viewer.dims.events.current_step: self._ask,
                viewer.layers.events.removed: self._close_up_later,
            },
        )
        self._show_state()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Show the current model."""
        super().showEvent(event)
        self._on_choice()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Leave the layers where they are, and remember the gain."""
        super().hideEvent(event)
        self._later.stop()
        remember("comparing", {"gain": self.gain.value()})

    def layer(self, kind: str) -> Any:
        """The layer "decoded" or "error", or None."""
        return self._images[kind].layer

    @property
    def why_not(self) -> str:
        """The reason why nothing can be compared, or ""."""
        btf, model = self.captures.btf, self._workspace.models.current
        if btf is None:
            return NO_CAPTURE
        if model is None:
            return _NO_MODEL
        try:
            check_match(model, btf)
        except BTFError as error:
            return str(error)
        return ""

    def _on_choice(self) -> None:
        self._show_state()
        self._ask()

    def _show_state(self) -> None:
        why_not = self.why_not
        allow(self.compare, "Two layers that follow the sliders of the capture", why_not)
        if why_not:
            self._latest.cancel()
        if why_not or not self.compare.isChecked():
            self.figures.setText(why_not)

    def _on_toggled(self, wanted: bool) -> None:
        if wanted:
            self._ask()
            return
        self._latest.cancel()
        self.figures.setText("")
        for image in self._images.values():
            image.remove()

    def _ask(self, event: Any = None) -> None:
        btf, layer, model = self.captures.btf, self.captures.layer, self._workspace.models.current
        viewer = self._workspace.viewer
        if not self.compare.isChecked() or viewer is None or self.why_not:
            return
        # While a layer goes, the sliders move before the chooser knows of it.
        if btf is None or model is None or layer not in viewer.layers:
            return
        if viewer.dims.ndim < layer.ndim:
            return
        self._latest.want(partial(_compare, model, btf, self._workspace.captures.step(btf)))

    def _on_pair(self, pair: _Pair) -> None:
        viewer, layer = self._workspace.viewer, self.captures.layer
        if viewer is None or layer is None or not self.compare.isChecked():
            return
        self._pair = pair
        self._paint("decoded", to_display(pair.decoded))
        self._on_gain()
        directions = directions_text(pair.light, pair.view)
        if pair.error is None:
            self.figures.setText(f"{directions}\nnot captured: there is nothing to compare with")
        else:
            self.figures.setText(f"{directions}\nPSNR of this image: {pair.psnr:.2f} dB")

    def _on_gain(self, _: float = 0.0) -> None:
        if self._pair is None or not self.compare.isChecked():
            return
        error = self._pair.error
        if error is None:
            error = np.zeros(self._pair.decoded.shape, dtype=np.float32)
        shown = np.clip(255 * self.gain.value() * error, 0, 255).astype(np.uint8)
        self._paint("error", shown)

    def _paint(self, kind: str, pixels: NDArray[Any]) -> None:
        viewer, image = self._workspace.viewer, self._images[kind]
        height, width, _ = pixels.shape
        column = free_place(viewer, height, width, but=[image.layer])[1]
        if image.show(pixels, kind, column, select=False) and kind == _KINDS[-1]:
            viewer.reset_view()

    def _close_up_later(self, event: Any = None) -> None:
        # Not while the layer list is being changed.
        self._later.start()

    def _close_up(self) -> None:
        """Close the gap that another layer left; layers that people moved stay."""
        viewer = self._workspace.viewer
        images = [image for image in self._images.values() if image.is_in_place]
        left = [image.layer for image in images]
        for image in images:
            layer = image.layer
            height, width = layer.data.shape[-3 if layer.rgb else -2 :][:2]
            column = free_place(viewer, height, width, but=left)[1]
            left.remove(layer)
            image.make_room(column)


def _compare(model: CompressedBTF, btf: BTF, step: tuple[int, ...]) -> Job[_Pair]:
    yield from ()  # There is nothing to report on the way.
    light, view, i = observation_at(btf, step)
    image = model.image(light, view)
    if i < 0:
        return _Pair(light, view, image, None, float("nan"))
    fitted = [btf.values.encode(x) for x in (image, btf.frame(i))]
    # Of radiance the errors of its logarithm count, as in training, up to the largest one here.
    peak = max(float(fitted[1].max()), 1e-6) if btf.values.is_float or range_note(btf) else 1.0
    error = np.abs(fitted[0] - fitted[1]) / np.float32(peak)
    return _Pair(light, view, image, error, psnr(fitted[0] / peak, fitted[1] / peak))
