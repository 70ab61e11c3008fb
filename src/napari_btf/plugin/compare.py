"""The dock *Compare*: captured, decoded and error side by side, while the sliders move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QSlider,
    QVBoxLayout,
    QWidget,
)

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
from napari_btf.relighting.shots import preview_name
from napari_btf.values import to_display

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.progress import Job

__all__ = ["Compare"]

_NO_MODEL = "Train a model first (dock Train), or open one."
_NO_OTHER = "There is no second model of this surface in the session."
_SWIPE_TIP = "Where the layer swipe changes from model A (left) to model B (right)"
_SAME_MODEL = "none"
#: The layers of model A, and those of model B and of the swipe between both.
_KINDS = ("decoded", "error")
_KINDS_OF_B = ("decoded B", "error B", "swipe")


@dataclass(frozen=True, eq=False)
class _Pair:
    """One observation, and the image that the model decodes for it."""

    light: NDArray[np.float64]
    view: NDArray[np.float64]
    decoded: NDArray[Any]
    error: NDArray[np.float32] | None
    psnr: float
    preview: str
    """The name of the method of a quick preview, or ""."""


class Compare(QWidget):
    """Image layers right of a capture follow its sliders: of one model, or of two and a swipe."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)
        self._pairs: tuple[_Pair, ...] = ()
        kinds = _KINDS + _KINDS_OF_B
        self._images = {kind: ShownImage(self._workspace, kind) for kind in kinds}
        self.captures = CaptureChooser(self._workspace)
        self.models = ModelChooser(self._workspace)
        self.other = QComboBox()
        self.other.setSizePolicy(self.models.sizePolicy())
        self.other.setMinimumContentsLength(12)
        self.other.setSizeAdjustPolicy(self.models.sizeAdjustPolicy())
        self.other.setAccessibleName("model B")
        self._others: list[CompressedBTF] = []
        self.swipe = QSlider(Qt.Orientation.Horizontal)
        self.swipe.setRange(0, 100)
        self.swipe.setValue(50)
        self.swipe.setAccessibleName("swipe")
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
        form.addRow("model A", self.models)
        form.addRow("model B", self.other)
        form.addRow("swipe", self.swipe)
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
        self._latest.done.connect(self._on_pairs)
        self._latest.failed.connect(self.figures.setText)
        self.captures.chosen.connect(self._on_choice)
        self.compare.toggled.connect(self._on_toggled)
        self.gain.valueChanged.connect(self._on_gain)
        self.other.activated.connect(lambda _: self._on_choice())
        self.swipe.valueChanged.connect(self._on_swipe)
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
        """The layer "decoded", "error", "decoded B", "error B" or "swipe", or None."""
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

    @property
    def model_b(self) -> CompressedBTF | None:
        """The model that is compared with the current one, or None."""
        i = self.other.currentIndex() - 1
        return self._others[i] if 0 <= i < len(self._others) else None

    def _on_choice(self) -> None:
        self._list_others()
        if self.model_b is None:
            self._remove(_KINDS_OF_B)
        self._show_state()
        self._ask()

    def _list_others(self) -> None:
        """List the models of the same surface beside the current one, and keep the choice."""
        chosen, current = self.model_b, self._workspace.models.current
        self._others = [
            model
            for model in self._workspace.models.all
            if current is not None and model is not current and _shape(model) == _shape(current)
        ]
        self.other.clear()
        self.other.addItems([_SAME_MODEL, *map(self.models.name_of, self._others)])
        if chosen in self._others:
            self.other.setCurrentIndex(1 + self._others.index(chosen))
        missing = "" if self._others else _NO_OTHER
        allow(self.other, "A second model, beside the first one", missing)
        allow(self.swipe, _SWIPE_TIP, "" if self.model_b is not None else "Choose a model B first")

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
        self._remove(tuple(self._images))

    def _remove(self, kinds: tuple[str, ...]) -> None:
        with self._workspace.viewer.layers.batched_update():
            for kind in kinds:
                self._images[kind].remove()

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
        models = (model,) if self.model_b is None else (model, self.model_b)
        self._latest.want(partial(_compare, models, btf, self._workspace.captures.step(btf)))

    def _on_pairs(self, pairs: tuple[_Pair, ...]) -> None:
        viewer, layer = self._workspace.viewer, self.captures.layer
        if viewer is None or layer is None or not self.compare.isChecked():
            return
        if (len(pairs) > 1) != (self.model_b is not None):
            return
        self._pairs = pairs
        for kind, pair in zip(("decoded", "decoded B"), pairs, strict=False):
            self._paint(kind, to_display(pair.decoded))
        self._on_gain()
        self._on_swipe()
        directions = directions_text(pairs[0].light, pairs[0].view)
        if pairs[0].error is None:
            self.figures.setText(f"{directions}\nnot captured: there is nothing to compare with")
        else:
            self.figures.setText("\n".join((directions, *_figures(pairs))))

    def _on_gain(self, _: float = 0.0) -> None:
        if not self.compare.isChecked():
            return
        for kind, pair in zip(("error", "error B"), self._pairs, strict=False):
            error = pair.error
            if error is None:
                error = np.zeros(pair.decoded.shape, dtype=np.float32)
            self._paint(kind, np.clip(255 * self.gain.value() * error, 0, 255).astype(np.uint8))

    def _on_swipe(self, _: int = 0) -> None:
        if len(self._pairs) < 2 or self.model_b is None or not self.compare.isChecked():
            return
        a, b = (to_display(pair.decoded) for pair in self._pairs)
        edge = round(self.swipe.value() / 100 * a.shape[1])
        self._paint("swipe", np.concatenate([a[:, :edge], b[:, edge:]], axis=1))

    def _paint(self, kind: str, pixels: NDArray[Any]) -> None:
        viewer, image = self._workspace.viewer, self._images[kind]
        height, width, _ = pixels.shape
        column = free_place(viewer, height, width, but=[image.layer])[1]
        if image.show(pixels, kind, column, select=False) and kind in (_KINDS[-1], _KINDS_OF_B[-1]):
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


def _shape(model: CompressedBTF) -> tuple[int, int, int, Any]:
    return model.height, model.width, model.channels, model.dtype


def _figures(pairs: tuple[_Pair, ...]) -> list[str]:
    names = ("",) if len(pairs) == 1 else ("A: ", "B: ")
    return [
        f"{name}PSNR of this image: {pair.psnr:.2f} dB{pair.preview and f' ({pair.preview})'}"
        for name, pair in zip(names, pairs, strict=True)
    ]


def _compare(
    models: tuple[CompressedBTF, ...], btf: BTF, step: tuple[int, ...]
) -> Job[tuple[_Pair, ...]]:
    yield from ()  # There is nothing to report on the way.
    return tuple(_pair_of(model, btf, step) for model in models)


def _pair_of(model: CompressedBTF, btf: BTF, step: tuple[int, ...]) -> _Pair:
    light, view, i = observation_at(btf, step)
    image, preview = model.image(light, view), preview_name(model)
    if i < 0:
        return _Pair(light, view, image, None, float("nan"), preview)
    fitted = [btf.values.encode(x) for x in (image, btf.frame(i))]
    # Of radiance the errors of its logarithm count, as in training, up to the largest one here.
    peak = max(float(fitted[1].max()), 1e-6) if btf.values.is_float or range_note(btf) else 1.0
    error = np.abs(fitted[0] - fitted[1]) / np.float32(peak)
    return _Pair(light, view, image, error, psnr(fitted[0] / peak, fitted[1] / peak), preview)
