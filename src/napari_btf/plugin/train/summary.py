"""The results of a training, next to those of classical codecs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from napari_btf.plugin.notices import show_error
from napari_btf.plugin.widgets.progress_bar import ProgressBar
from napari_btf.plugin.widgets.section import allow
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.running.phases import phase_named
from napari_btf.training.outlook import duration, size

if TYPE_CHECKING:
    from napari_btf.evaluate import Evaluation
    from napari_btf.plugin.train.in_thread import Outcome
    from napari_btf.plugin.train.training import Training
    from napari_btf.progress import Progress

__all__ = ["Summary"]

_COMPARE = "Compare with classical codecs"
_COMPARE_TIP = "Fit classical codecs of the same size to the same images, and measure them"


class Summary(QWidget):
    """The results of the last training; the classical codecs are fitted on request."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self._training = training
        #: The results that are shown.
        self.outcome: Outcome | None = None
        self.table = QLabel()
        self.table.setAccessibleName("summary")
        self.compare_button = QPushButton(_COMPARE)
        self.bar = ProgressBar()
        self.bar.setTextVisible(False)
        self.classical = Note()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for part in (self.table, self.compare_button, self.bar, self.classical):
            column.addWidget(part)
        self._jobs = training.comparison
        self._jobs.progressed.connect(self._on_progress)
        self._jobs.done.connect(self._on_done)
        self._jobs.failed.connect(self._on_failed)
        self._jobs.changed.connect(self._show_state)
        self.compare_button.clicked.connect(self.toggle_comparison)
        self._show_state()

    @property
    def comparing(self) -> bool:
        """Whether classical codecs are being fitted."""
        return self._jobs.running

    def show_outcome(self, outcome: Outcome | None) -> None:
        """Show the results of a training, and the comparison if there is one."""
        self.outcome = outcome
        compared = self._training.compared
        self.classical.setText("" if compared is None else _verdict(compared))
        self.table.setText("" if outcome is None else _table(outcome))
        self._show_state()

    def toggle_comparison(self) -> None:
        """Fit the classical codecs, or stop fitting them."""
        if self._jobs.running:
            self._jobs.cancel()
            self.classical.setText("The comparison was cancelled.")
        else:
            self.classical.setText("")
            self._training.compare()

    def _on_progress(self, progress: Progress) -> None:
        self.bar.show_step(progress.step, progress.total)
        self.classical.setText(phase_named(progress.phase).label)

    def _on_done(self, found: Evaluation) -> None:
        self.classical.setText(_verdict(found))

    def _on_failed(self, problem: str) -> None:
        self.classical.setText(problem)
        show_error(problem)

    def _show_state(self) -> None:
        running, there = self._jobs.running, self.outcome is not None
        self.setVisible(there)
        self.bar.setVisible(running)
        self.bar.clear()
        self.compare_button.setText("Cancel the comparison" if running else _COMPARE)
        allow(self.compare_button, _COMPARE_TIP, "" if there else "Train a model first.")
        self.classical.setVisible(running or bool(self.classical.text()))


def _table(outcome: Outcome) -> str:
    report, model = outcome.report, outcome.model
    rows: list[tuple[str, str]] = [("PSNR, captured directions", f"{report.psnr_train:.2f} dB")]
    if report.psnr_held_out is not None:
        rows.append(("PSNR, held-out lights", f"{report.psnr_held_out:.2f} dB"))
    if np.isfinite(outcome.ssim):
        rows.append(("SSIM, some image centres", f"{outcome.ssim:.3f}"))
    ratio = report.bytes_capture / model.file_size
    decoder, texels = model.file_size - model.latent_bytes, model.height * model.width
    rows += [
        ("file", f"{size(model.file_size)}, {ratio:.3g} : 1"),
        # Short, because a wide table makes the dock wide.
        ("bytes a texel", f"{model.file_size / texels:.3g}, decoder {decoder / texels:.2g}"),
        ("codec", f"{report.codec}, {report.latents} latents"),
        ("time", duration(report.seconds)),
    ]
    cells = "".join(
        f"<tr><td>{escape(name)}&nbsp;&nbsp;</td><td><b>{escape(value)}</b></td></tr>"
        for name, value in rows
    )
    return f"<table>{cells}</table>"


def _verdict(found: Evaluation) -> str:
    """Compare the model with the best classical codec that is no larger."""
    totals = found.scores.totals()
    lines = []
    for key, what in (("psnr_seen", "captured directions"), ("psnr_unseen", "held-out lights")):
        if np.isnan(totals[key]):
            continue
        rows: list[tuple[float, str]] = [
            (row.scores.totals()[key], row.name)
            for row in found.baselines
            if row.scores is not None and row.nbytes is not None and row.nbytes <= found.bytes_model
        ]
        if not rows:
            return "No classical codec is as small as this model."
        best, name = max(rows)
        gain: Any = totals[key] - best
        lines.append(
            f"Best classical codec of this size on {what}: {name}, {best:.2f} dB "
            f"(the model: {gain:+.2f} dB)."
        )
    return " ".join(lines)
