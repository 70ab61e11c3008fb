"""Dock *Train*: compress the chosen capture, with progress and cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from magicgui.widgets import ComboBox, FloatSpinBox
from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils.notifications import notification_manager, show_error, show_info
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_btf.codec.choice import FitSettings
from napari_btf.codec.network import NetworkSettings
from napari_btf.errors import BTFError
from napari_btf.plugin._chooser import NO_CAPTURE, CaptureChooser
from napari_btf.plugin._note import Note
from napari_btf.plugin.workspace import workspace_of
from napari_btf.training import train

if TYPE_CHECKING:
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.progress import Job, Progress
    from napari_btf.training import TrainingReport

__all__ = ["Train"]

_WHOLE, _PAINTED = "whole image", "painted texels"
_BYTES, _QUALITY, _LATENTS = "bytes per texel", "quality in dB", "latents per texel"


class _Budget(NamedTuple):
    """A way to say how large a model may be."""

    setting: str
    usual: float
    tooltip: str


_BUDGETS = {
    _BYTES: _Budget("bytes_per_texel", 8.0, "Size of the file: bytes for each texel, and 64 KiB"),
    _QUALITY: _Budget("target_psnr", 32.0, "The smallest file of this quality (PSNR)"),
    _LATENTS: _Budget("latents", 16.0, "Numbers kept for each texel, as fine as is worth it"),
}
_PHASES = {
    "read": "Reading images",
    "basis": "Finding the basis",
    "train": "Training",
    "imagine": "Imagining lights",
    "train slower": "Training with smaller steps",
    "encode": "Encoding texels",
    "quantise": "Compressing latents",
    "evaluate": "Measuring quality",
}


class Train(QWidget):
    """Choose texels, latents and time; watch; stop and keep, or cancel."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)
        self._worker: GeneratorWorker | None = None
        self._stop = False

        self.captures = CaptureChooser(self._workspace)
        self.texels = ComboBox(choices=(_WHOLE, _PAINTED), value=_WHOLE)
        self.texels.tooltip = "Which texels to learn from; the whole image is encoded in any case"
        self.budget = ComboBox(choices=tuple(_BUDGETS), value=_BYTES)
        self.budget.tooltip = "What decides how large and how good the model gets"
        self.amount = FloatSpinBox(min=0.1, max=1000.0)
        self.seconds = FloatSpinBox(value=20.0, min=0.5, max=36000.0, step=1.0)
        self.seconds.tooltip = "How long to train, in seconds"
        self.start_button = QPushButton("Train")
        self.keep_button = QPushButton("Stop and keep")
        self.keep_button.setToolTip("End the training now and keep the best so far")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("End the training now and keep nothing of it")
        self.bar = QProgressBar()
        self.message = Note()
        self.save_button = QPushButton("Save model...")

        buttons = QHBoxLayout()
        for button in (self.start_button, self.keep_button, self.cancel_button):
            buttons.addWidget(button)
        form = QFormLayout()
        form.addRow("capture", self.captures)
        form.addRow("texels", self.texels.native)
        size = QHBoxLayout()
        size.addWidget(self.budget.native, 1)
        size.addWidget(self.amount.native)
        form.addRow("size by", size)
        form.addRow("seconds", self.seconds.native)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addLayout(buttons)
        column.addWidget(self.bar)
        column.addWidget(self.message)
        column.addWidget(self.save_button)
        column.addStretch()

        self.budget.changed.connect(self._on_budget)
        self._on_budget()
        self.captures.chosen.connect(self._show_state)
        self.start_button.clicked.connect(self.start)
        self.keep_button.clicked.connect(self.stop_and_keep)
        self.cancel_button.clicked.connect(self.cancel)
        self.save_button.clicked.connect(self._ask_save)
        # The dock may be destroyed with its window while a thread still trains.
        self.destroyed.connect(lambda _=None, state=self.__dict__: _abandon(state))
        self._show_state()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow the model."""
        super().showEvent(event)
        self._workspace.model_changed.connect(self._show_state)
        self._show_state()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop following it."""
        super().hideEvent(event)
        self._workspace.model_changed.disconnect(self._show_state, missing_ok=True)

    @property
    def running(self) -> bool:
        """Whether a training runs."""
        return self._worker is not None

    def start(self) -> None:
        """Start training on the chosen capture; what is wrong becomes a notification."""
        btf = self.captures.btf
        if btf is None:
            show_error(NO_CAPTURE)
            return
        if self.running:
            return
        coords = None
        if self.texels.value == _PAINTED:
            coords = self._workspace.selected_texels(self.captures.layer)
            if not len(coords):
                show_error("Nothing is painted over this capture: paint in Select texels first.")
                return
        network = NetworkSettings(seconds=self.seconds.value)
        chosen: dict[str, Any] = {_BUDGETS[self.budget.value].setting: self.amount.value}
        if self.budget.value == _LATENTS:
            chosen = {"latents": round(self.amount.value)}
        settings = FitSettings(network=network, **chosen)
        self._stop = False
        # Its errors come to _on_error alone, else napari would show them a second time.
        worker = create_worker(
            _train,
            btf,
            coords,
            settings,
            stop=lambda: self._stop,
            _start_thread=False,
            _ignore_errors=True,
        )
        worker.yielded.connect(self._on_progress)
        worker.returned.connect(self._on_done)
        worker.errored.connect(self._on_error)
        worker.finished.connect(self._on_finished)
        self._worker = worker
        self.message.setText("Starting")
        self._show_state()
        worker.start()

    def _on_budget(self) -> None:
        budget = _BUDGETS[self.budget.value]
        self.amount.value = budget.usual
        self.amount.tooltip = budget.tooltip

    def stop_and_keep(self) -> None:
        """End the training now; encoding and measuring still follow."""
        self._stop = True

    def cancel(self) -> None:
        """End the job now and drop it; an earlier model stays."""
        if self._worker is not None:
            self._stop = True
            self._worker.quit()
            self.message.setText("Cancelled: nothing was changed.")

    def save(self, path: str) -> None:
        """Save the model; what is wrong becomes a notification."""
        model = self._workspace.model
        if model is None:
            show_error("There is no model to save yet: train one first.")
            return
        try:
            saved = model.save(path)
        except BTFError as error:
            show_error(str(error))
            return
        show_info(f"Model saved as {saved}.")

    @property
    def _cancelled(self) -> bool:
        return self._worker is None or self._worker.abort_requested

    def _on_progress(self, progress: Progress) -> None:
        if self._cancelled:
            return
        self.bar.setMaximum(progress.total)
        self.bar.setValue(progress.step)
        text = _PHASES.get(progress.phase, progress.phase)
        if progress.validation_error is not None:
            text += f": error {progress.validation_error:.2e} on directions left out as a check"
        self.message.setText(text)

    def _on_done(self, result: tuple[CompressedBTF, TrainingReport]) -> None:
        # The thread may have been faster than the click on Cancel.
        if self._cancelled:
            return
        model, report = result
        self._workspace.model = model
        # No file yet: the size it would have is what counts.
        ratio = report.bytes_capture / model.file_size
        self.message.setText(
            f"PSNR {report.psnr_train:.2f} dB on the captured directions, "
            f"{ratio:.0f} : 1 ({model.file_size / 1e6:.2f} MB), {report.seconds:.1f} s. "
            "Open Relight to move the light."
        )

    def _on_error(self, error: Exception) -> None:
        if isinstance(error, BTFError):
            self.message.setText(str(error))
            show_error(str(error))
        else:
            self.message.setText(f"The training failed: {error}")
            # A defect: napari shows its traceback on demand.
            notification_manager.receive_error(type(error), error, error.__traceback__)

    def _on_finished(self) -> None:
        self._worker = None
        self.bar.reset()
        self._show_state()

    def _show_state(self) -> None:
        ready = self.captures.btf is not None
        self.start_button.setEnabled(ready and not self.running)
        self.start_button.setToolTip("" if ready else NO_CAPTURE)
        self.keep_button.setEnabled(self.running)
        self.cancel_button.setEnabled(self.running)
        self.save_button.setEnabled(self._workspace.model is not None)
        if self.running:
            return
        # The outcome of a training stays, also if its capture was closed meanwhile.
        if ready and self.message.text() == NO_CAPTURE:
            self.message.setText("")
        elif not ready and not self.message.text():
            self.message.setText(NO_CAPTURE)

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save model", "model.safetensors", "Model (*.safetensors)"
        )
        if path:
            self.save(path)


class _UnforeseenError(Exception):
    """A RuntimeError of the training, under a name that reaches the dock."""


def _train(*args: Any, **options: Any) -> Job[tuple[CompressedBTF, TrainingReport]]:
    """`train` for a worker: torch raises RuntimeErrors, at which a worker ends without a signal."""
    try:
        return (yield from train(*args, **options))
    except RuntimeError as error:
        raise _UnforeseenError(str(error)) from error


def _abandon(state: dict[str, Any]) -> None:
    worker = state.get("_worker")
    if worker is not None:
        state["_stop"] = True
        worker.quit()
