"""What a training is to be: the form of the dock *Train*."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_btf.codec.choice import CODECS
from napari_btf.codec.fitting.settings import FitSettings, NetworkSettings
from napari_btf.errors import UsageError
from napari_btf.plugin.train.in_thread import Plan
from napari_btf.plugin.train.texels_box import TexelChooser
from napari_btf.plugin.viewer.chooser import CaptureChooser
from napari_btf.plugin.widgets.section import Section
from napari_btf.training import hold_out_lights

if TYPE_CHECKING:
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["BUDGETS", "TrainingForm"]


class _Budget(NamedTuple):
    """A way to say how large a model may be."""

    setting: str
    usual: float
    tooltip: str


BUDGETS = {
    "bytes per texel": _Budget(
        "bytes_per_texel", 8.0, "Size of the file: bytes for each texel, and 64 KiB on top"
    ),
    "quality in dB": _Budget(
        "target_psnr", 32.0, "The smallest file of this quality: PSNR on the captured directions"
    ),
    "latents per texel": _Budget(
        "latents", 16.0, "Numbers kept for each texel, as fine as is worth it"
    ),
}
_NONE = "none"


class TrainingForm(QWidget):
    """Choices with sensible defaults; those for experts are folded away.

    Signals
    -------
    changed
        Something else was chosen.
    """

    changed = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.captures = CaptureChooser(workspace)
        self.texels = TexelChooser(workspace, self.captures)
        self.budget = QComboBox()
        self.budget.addItems(list(BUDGETS))
        self.amount = QDoubleSpinBox()
        self.amount.setRange(0.1, 1000.0)
        self.seconds = QDoubleSpinBox()
        self.seconds.setRange(0.0, 36000.0)
        self.seconds.setDecimals(1)
        self.seconds.setSpecialValueText("as the codec needs")
        self.hold_out = QSpinBox()
        self.hold_out.setRange(1, 1000)
        self.hold_out.setSpecialValueText(_NONE)
        self.hold_out.setPrefix("1 light of ")
        self.path = QLineEdit()
        self.path.setPlaceholderText("kept in napari until saved")
        self.browse = QToolButton()
        self.browse.setText("...")
        self.codec = QComboBox()
        self.codec.addItems(["auto", *CODECS])
        self.epochs = QSpinBox()
        self.epochs.setRange(0, 1_000_000)
        self.epochs.setSpecialValueText("by seconds")
        self.device = QComboBox()
        self.device.addItems(["auto", "cpu", "cuda"])
        self.device.setEditable(True)
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.experts = Section("Codec, device, seed", self._expert_rows())
        self._lay_out()
        self._connect()
        self._on_budget()

    def _lay_out(self) -> None:
        size, place = QHBoxLayout(), QHBoxLayout()
        size.addWidget(self.budget, 1)
        size.addWidget(self.amount)
        place.addWidget(self.path, 1)
        place.addWidget(self.browse)
        form = _rows()
        for name, part, tip in (
            ("capture", self.captures, "The capture to compress"),
            ("texels", self.texels, "What to learn from; the whole image is encoded in any case"),
            ("size by", size, "What decides how large and how good the model gets"),
            ("seconds", self.seconds, "How long to train; 0 lets the codec decide"),
            ("hold out", self.hold_out, "Lights the training never sees: how good is the rest?"),
            ("save as", place, "File of the model; empty: save it when you like it"),
        ):
            _add_row(form, name, part, tip)
        self.budget.setToolTip("What decides how large and how good the model gets")
        self.path.setToolTip("File of the model; empty: save it when you like it")
        self.browse.setToolTip("Choose the file")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addWidget(self.experts)

    def _expert_rows(self) -> QWidget:
        rows = QWidget()
        form = _rows(rows)
        for name, part, tip in (
            ("codec", self.codec, "auto: parallax for many views and images, else neural-basis"),
            ("passes", self.epochs, "How often to go through the capture, instead of seconds"),
            ("device", self.device, "Where to compute; auto takes a CUDA GPU if there is one"),
            ("seed", self.seed, "Of all random choices: the same seed gives the same model"),
        ):
            _add_row(form, name, part, tip)
        return rows

    def _connect(self) -> None:
        self.captures.chosen.connect(self.changed)
        self.budget.currentIndexChanged.connect(self._on_budget)
        self.epochs.valueChanged.connect(self._on_epochs)
        self.browse.clicked.connect(self._ask_path)
        for box in (self.amount, self.seconds, self.hold_out, self.seed):
            box.valueChanged.connect(self._on_change)
        for combo in (self.texels, self.codec):
            combo.currentIndexChanged.connect(self._on_change)
        for text in (self.path.textChanged, self.device.currentTextChanged):
            text.connect(self._on_change)

    @property
    def settings(self) -> FitSettings:
        """What `napari_btf.training.train` is to do."""
        seconds = self.seconds.value() or None
        network = NetworkSettings(
            epochs=self.epochs.value() or None,
            seconds=None if self.epochs.value() else seconds,
            device=self.device.currentText().strip() or "auto",
            seed=self.seed.value(),
        )
        name, amount = BUDGETS[self.budget.currentText()].setting, self.amount.value()
        chosen: dict[str, Any] = {name: round(amount) if name == "latents" else amount}
        return FitSettings(network=network, codec=self.codec.currentText(), **chosen)

    @property
    def held_out(self) -> int:
        """One of so many lights is held out; 0 for none."""
        every = self.hold_out.value()
        return 0 if every == 1 else every

    def plan(self) -> Plan:
        """What was chosen.

        Raises
        ------
        UsageError
            If it cannot be done.
        """
        btf = self.captures.btf
        if btf is None:
            raise UsageError(None, "no capture is open")
        coords = self.texels.texels()
        if coords is not None and not len(coords):
            raise UsageError(None, "nothing is painted there", "paint in Select texels first")
        path = self.path.text().strip()
        return Plan(
            btf,
            coords,
            self.settings,
            hold_out_lights(btf, self.held_out),
            _unused(_named(Path(path).expanduser())) if path else None,
        )

    def values(self) -> dict[str, Any]:
        """What is worth remembering until the next session."""
        return {
            "size_by": self.budget.currentText(),
            "amount": self.amount.value(),
            "seconds": self.seconds.value(),
            "hold_out": self.held_out,
            "codec": self.codec.currentText(),
            "passes": self.epochs.value(),
            "device": self.device.currentText(),
            "seed": self.seed.value(),
        }

    def set_values(self, values: dict[str, Any]) -> None:
        """Choose what `values` gave."""
        self.budget.setCurrentText(values["size_by"])
        self.amount.setValue(values["amount"])
        self.seconds.setValue(values["seconds"])
        self.hold_out.setValue(max(1, values["hold_out"]))
        self.codec.setCurrentText(values["codec"])
        self.epochs.setValue(values["passes"])
        self.device.setCurrentText(values["device"])
        self.seed.setValue(values["seed"])

    def _on_change(self, _: object = None) -> None:
        self.changed.emit()

    def _on_budget(self, _: int = 0) -> None:
        budget = BUDGETS[self.budget.currentText()]
        with QSignalBlocker(self.amount):
            self.amount.setDecimals(0 if budget.setting == "latents" else 1)
            self.amount.setValue(budget.usual)
        self.amount.setToolTip(budget.tooltip)
        self.changed.emit()

    def _on_epochs(self, epochs: int) -> None:
        self.seconds.setEnabled(not epochs)
        tip = "How long to train; 0 lets the codec decide"
        self.seconds.setToolTip("Passes are chosen below: they say how long" if epochs else tip)
        self.changed.emit()

    def _ask_path(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the model as", self.path.text() or "model.safetensors", _FILES
        )
        if path:
            self.path.setText(path)


_FILES = "Model (*.safetensors)"


def _rows(parent: QWidget | None = None) -> QFormLayout:
    form = QFormLayout() if parent is None else QFormLayout(parent)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(4)
    return form


def _add_row(form: QFormLayout, name: str, part: Any, tip: str) -> None:
    label = QLabel(name)
    label.setToolTip(tip)
    if isinstance(part, QWidget):
        part.setToolTip(tip)
        part.setAccessibleName(name)
    form.addRow(label, part)


def _named(path: Path) -> Path:
    return path if path.suffix == ".safetensors" else path.with_name(f"{path.name}.safetensors")


def _unused(path: Path) -> Path:
    """The path, or one beside it that no file has: a model never takes another one's place."""
    found, number = path, 2
    while found.exists():
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return found
