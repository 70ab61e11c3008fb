"""The form of the dock *Train*: the options of a training."""

from __future__ import annotations

from dataclasses import replace
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

from napari_btf.codec.choice import CODECS, plan
from napari_btf.codec.fitting.settings import FitSettings, NetworkSettings
from napari_btf.errors import UsageError
from napari_btf.files import check_place
from napari_btf.plugin.train.in_thread import Plan
from napari_btf.plugin.train.texels_box import TexelChooser
from napari_btf.plugin.viewer.choosers import CaptureChooser
from napari_btf.plugin.widgets.section import Section
from napari_btf.plugin.writer import named
from napari_btf.training import hold_out_lights

if TYPE_CHECKING:
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["BUDGETS", "TrainingForm"]


class _Budget(NamedTuple):
    """One of the ways to limit the size of a model."""

    setting: str
    usual: float
    tooltip: str


BUDGETS = {
    "bytes per texel": _Budget(
        "bytes_per_texel",
        8.0,
        "Size of the file: so many bytes a texel, and at most 64 KiB more for the decoder",
    ),
    "quality in dB": _Budget(
        "target_psnr", 32.0, "The smallest file of this quality: PSNR on the captured directions"
    ),
    "latents per texel": _Budget(
        "latents", 16.0, "Latents: the numbers that the model keeps for each texel"
    ),
}
_NONE = "none"


class _Row(NamedTuple):
    """One option of the form: the name under which it is remembered, and its control."""

    key: str
    label: str
    control: QWidget
    tip: str


class TrainingForm(QWidget):
    """The options of a training with sensible defaults; those for experts are folded away.

    Signals
    -------
    changed
        The user chose something else.
    """

    changed = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.captures = CaptureChooser(workspace)
        self.texels = TexelChooser(workspace, self.captures)
        self.budget, self.amount = _combo(*BUDGETS), _number(0.1, 1000.0)
        self.path, self.browse = QLineEdit(), QToolButton()
        self.path.setPlaceholderText("kept in napari until saved")
        self.browse.setText("...")
        self.seconds = _number(0.0, 36000.0, "as the codec needs")
        self.hold_out = _whole(1, 1000, _NONE)
        self.hold_out.setPrefix("1 light of ")
        self.codec = _combo("auto", *CODECS)
        self.epochs = _whole(0, 1_000_000, "by seconds")
        self.device = _combo("auto", "cpu", "cuda")
        self.device.setEditable(True)
        self.seed = _whole(0, 2**31 - 1)
        #: The options of every training, and those for experts. A new option is a row here, and a
        #: line in `settings`.
        self._usual = [
            _Row("seconds", "seconds", self.seconds, _SECONDS),
            _Row(
                "hold_out",
                "hold out",
                self.hold_out,
                "Lights the training never sees: how well does the model predict them?",
            ),
        ]
        self._expert = [
            _Row(
                "codec",
                "codec",
                self.codec,
                "auto: parallax for many views and images, else neural-basis. neural-basis is a "
                "weighted sum of basis functions of light and view; parallax also learns where "
                "each view ray meets the surface",
            ),
            _Row(
                "passes",
                "passes",
                self.epochs,
                "How often to go through the capture, instead of seconds",
            ),
            _Row(
                "device",
                "device",
                self.device,
                "Where to compute; auto takes a CUDA GPU if there is one",
            ),
            _Row(
                "seed",
                "seed",
                self.seed,
                "Seed of all random choices: the same seed gives the same model",
            ),
        ]
        self.experts = Section("Codec, device, seed", self._expert_rows())
        self._usual_values = {row.key: _value(row.control) for row in self._expert}
        #: The codec that was remembered from an earlier session, until somebody chooses one.
        self._recalled = ""
        #: What was changed of the remembered choices, and why; mostly nothing.
        self.note = ""
        self._lay_out()
        self._connect()
        self._on_budget()

    def _lay_out(self) -> None:
        form = _rows()
        _add_row(form, "capture", self.captures, "The capture to compress")
        _add_row(
            form,
            "texels",
            self.texels,
            "The texels to learn from; the whole image is encoded in any case. A texel is one "
            "point of the surface: the same pixel of all images",
        )
        _add_row(form, "size by", _side_by_side(self.budget, self.amount), _SIZE)
        for row in self._usual:
            _add_row(form, row.label, row.control, row.tip)
        _add_row(form, "save as", _side_by_side(self.path, self.browse), _PATH)
        self.budget.setToolTip(_SIZE)
        self.path.setToolTip(_PATH)
        self.browse.setToolTip("Choose the file")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addWidget(self.experts)

    def _expert_rows(self) -> QWidget:
        rows = QWidget()
        form = _rows(rows)
        for row in self._expert:
            _add_row(form, row.label, row.control, row.tip)
        return rows

    def _connect(self) -> None:
        self.captures.chosen.connect(self._on_change)
        self.budget.currentIndexChanged.connect(self._on_budget)
        self.epochs.valueChanged.connect(self._on_epochs)
        self.codec.currentTextChanged.connect(self._on_codec)
        self.browse.clicked.connect(self._ask_path)
        self.texels.currentIndexChanged.connect(self._on_change)
        self.path.textChanged.connect(self._on_change)
        for control in (self.amount, *(row.control for row in (*self._usual, *self._expert))):
            _changed(control).connect(self._on_change)

    @property
    def settings(self) -> FitSettings:
        """The settings for `napari_btf.training.train`."""
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
        """One of this many lights is held out; 0 holds out none."""
        every = self.hold_out.value()
        return 0 if every == 1 else every

    def plan(self) -> Plan:
        """Return the training that was chosen.

        Raises
        ------
        UsageError
            If it cannot be done, or the model could not be saved there.
        """
        btf = self.captures.btf
        if btf is None:
            raise UsageError(None, "no capture is open")
        coords = self.texels.texels()
        if coords is not None and not len(coords):
            raise UsageError(None, "nothing is painted there", "paint in Select texels first")
        name = self.path.text().strip()
        path = _unused(named(Path(name).expanduser())) if name else None
        if path is not None:
            check_place(path)
        return Plan(
            btf,
            coords,
            self.settings,
            hold_out_lights(btf, self.held_out),
            path,
        )

    @property
    def _remembered(self) -> dict[str, QWidget]:
        """The controls by the names under which their values are remembered.

        The budget comes before its amount, because a new budget sets the amount.
        """
        rows = {row.key: row.control for row in (*self._usual, *self._expert)}
        return {"size_by": self.budget, "amount": self.amount, **rows}

    def values(self) -> dict[str, Any]:
        """The values that are worth remembering until the next session."""
        found = {key: _value(control) for key, control in self._remembered.items()}
        codec = self._recalled or self.codec.currentText()
        return {**found, "codec": codec, "hold_out": self.held_out}

    def set_values(self, values: dict[str, Any]) -> None:
        """Choose the values that `values` returned."""
        for key, control in self._remembered.items():
            _set_value(control, max(1, values[key]) if key == "hold_out" else values[key])
        self._recalled = values["codec"]
        self._on_change()

    def _on_change(self, _: object = None) -> None:
        self._suit_codec()
        rows = [row for row in self._expert if _value(row.control) != self._usual_values[row.key]]
        self.experts.set_detail(", ".join(f"{row.label} {_value(row.control)}" for row in rows))
        self.changed.emit()

    def _on_codec(self, _: str) -> None:
        self._recalled = ""

    def _suit_codec(self) -> None:
        """Take the remembered codec where it suits the capture, else an automatic one."""
        btf, wanted = self.captures.btf, self._recalled
        self.note = ""
        if btf is None or wanted in ("", "auto"):
            return
        codec = wanted
        try:
            plan(btf, replace(self.settings, codec=wanted))
        except UsageError as error:
            codec = "auto"
            self.note = (
                f"The codec {wanted} was chosen earlier, but does not fit this capture and size "
                f"({error.problem}): the codec is chosen automatically."
            )
        with QSignalBlocker(self.codec):
            self.codec.setCurrentText(codec)

    def _on_budget(self, _: int = 0) -> None:
        budget = BUDGETS[self.budget.currentText()]
        with QSignalBlocker(self.amount):
            self.amount.setDecimals(0 if budget.setting == "latents" else 1)
            self.amount.setValue(budget.usual)
        self.amount.setToolTip(budget.tooltip)
        self._on_change()

    def _on_epochs(self, epochs: int) -> None:
        self.seconds.setEnabled(not epochs)
        self.seconds.setToolTip(
            "The number of passes, chosen below, says how long to train" if epochs else _SECONDS
        )

    def _ask_path(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the model as", self.path.text() or "model.safetensors", _FILES
        )
        if path:
            self.path.setText(path)


_FILES = "Model (*.safetensors)"
_SIZE = "What decides how large and how good the model gets"
_PATH = "File of the model; leave it empty to save the model when you like it"
_SECONDS = "How long to train, in seconds; 0 lets the codec decide"


def _combo(*choices: str) -> QComboBox:
    box = QComboBox()
    box.addItems(list(choices))
    return box


def _number(least: float, most: float, special: str = "") -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(least, most)
    box.setDecimals(1)
    box.setSpecialValueText(special)
    return box


def _whole(least: int, most: int, special: str = "") -> QSpinBox:
    box = QSpinBox()
    box.setRange(least, most)
    box.setSpecialValueText(special)
    return box


def _value(control: Any) -> Any:
    return control.currentText() if isinstance(control, QComboBox) else control.value()


def _set_value(control: Any, value: Any) -> None:
    if isinstance(control, QComboBox):
        control.setCurrentText(value)
    else:
        control.setValue(value)


def _changed(control: Any) -> Any:
    """Return the signal of a control that reports a new value."""
    return control.currentTextChanged if isinstance(control, QComboBox) else control.valueChanged


def _side_by_side(wide: QWidget, narrow: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(wide, 1)
    row.addWidget(narrow)
    return row


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


def _unused(path: Path) -> Path:
    """Return the path, or a similar one without a file, because a model never replaces another."""
    found, number = path, 2
    while found.exists():
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return found
