"""Regions from the structure of the surface: a threshold with preview, superpixels to click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import qthrottled

from napari_btf.errors import BTFError
from napari_btf.plugin.jobs.background import Background
from napari_btf.plugin.notices import show_error
from napari_btf.plugin.select_texels.superpixels import Parts
from napari_btf.plugin.select_texels.threshold import Threshold
from napari_btf.plugin.viewer.choosers import NO_CAPTURE
from napari_btf.plugin.viewer.following import MouseEvents
from napari_btf.plugin.viewer.layers import capture_of, texel_at
from napari_btf.plugin.viewer.overlay import Overlay
from napari_btf.plugin.widgets.progress_bar import ProgressBar
from napari_btf.plugin.widgets.section import Section
from napari_btf.progress import Progress
from napari_btf.running.phases import phase_named
from napari_btf.texels.regions import (
    Surface,
    boundaries,
    superpixels,
    survey,
    toggled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.plugin.viewer.painted import Painted
    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.progress import Job

__all__ = ["Structure"]

_YELLOW = (1.0, 0.85, 0.1)


class Structure(QWidget):
    """Both tools, and the one job that measures the surface for them."""

    def __init__(self, workspace: Workspace, painted: Painted) -> None:
        super().__init__()
        self._workspace = workspace
        self._painted = painted
        self._capture: Any = None
        self._btf: BTF | None = None
        self._surface: Surface | None = None
        self._mouse = MouseEvents(workspace.viewer, "mouse_drag_callbacks")
        self.jobs = Background(self)
        self.threshold = Threshold()
        self.parts = Parts()
        self.preview = Overlay(workspace, "preview of the region", 0.6)
        self.edges = Overlay(workspace, "superpixels", 0.55)
        self.bar = ProgressBar()
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("End the job now; nothing is changed")
        self._job = QWidget()
        row = QHBoxLayout(self._job)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self.threshold_section = Section("Threshold over directions", self.threshold)
        self.parts_section = Section("Superpixels", self.parts)
        for part in (self.threshold_section, self.parts_section, self._job):
            column.addWidget(part)

        self._preview_soon = qthrottled(self._show_preview, timeout=30)
        self.jobs.changed.connect(self._show_job)
        self.jobs.progressed.connect(self._on_progress)
        self.jobs.done.connect(self._on_done)
        self.jobs.failed.connect(self._on_failed)
        self.cancel.clicked.connect(self._on_cancel)
        self.threshold.wanted.connect(self._on_preview)
        self.threshold.changed.connect(self._preview_soon)
        self.threshold.applied.connect(self._apply)
        self.parts.wanted.connect(self.find_superpixels)
        self.parts.clicking.connect(self._on_clicking)
        self.threshold_section.toggled.connect(lambda _: self.threshold.preview.setChecked(False))
        self.parts_section.toggled.connect(lambda _: self.parts.click.setChecked(False))
        self._show_job()
        self._show_state()

    def set_capture(self, capture: Any) -> None:
        """Work on another capture layer, or on none."""
        btf = None if capture is None else capture_of(capture)
        if btf is not self._btf or capture != self._capture:
            self.stop()
            self._capture, self._btf, self._surface = capture, btf, None
            self.threshold.forget()
            self.parts.set_found(None)
        # Someone may have deleted what is shown.
        if self.preview.was_deleted:
            self.threshold.preview.setChecked(False)
        if self.edges.was_deleted:
            self.parts.click.setChecked(False)
        self._show_state()

    def stop(self) -> None:
        """Abandon the job and remove everything from the canvas."""
        self.jobs.cancel()
        self.threshold.preview.setChecked(False)
        self.parts.click.setChecked(False)

    def region_changed(self) -> None:
        """Take the colour of the region that is painted."""
        if self.threshold.preview.isChecked():
            self._preview_soon()
        self._show_state()

    def _show_state(self) -> None:
        why_not = NO_CAPTURE if self._btf is None else ""
        if not why_not and not self._painted.label:
            why_not = "Choose a region first: label 0 erases."
        self.threshold.set_allowed(why_not)
        self.parts.set_allowed(why_not)

    # ----------------------------------------------------------------- the job

    def _show_job(self) -> None:
        self._job.setVisible(self.jobs.running)
        if not self.jobs.running:
            self.bar.clear()

    def _on_progress(self, progress: Progress) -> None:
        self.bar.show_step(progress.step, progress.total)
        self.bar.setFormat(f"{phase_named(progress.phase).label} %p%")

    def _on_done(self, found: tuple[Surface, NDArray[np.int32] | None]) -> None:
        self._surface, parts = found
        if parts is None:
            self.threshold.set_surface(self._surface)
            self._show_preview()
        else:
            self.parts.set_found(parts)
            self.parts.click.setChecked(True)

    def _on_failed(self, problem: str) -> None:
        self.threshold.preview.setChecked(False)
        show_error(problem)

    def _on_cancel(self) -> None:
        self.jobs.cancel()
        if not self.threshold.ready:
            self.threshold.preview.setChecked(False)

    # ----------------------------------------------------------------- threshold

    def _on_preview(self, wanted: bool) -> None:
        if not wanted:
            self.preview.hide()
        elif self._btf is not None:
            if self._surface is None:
                self.jobs.start(_look(self._btf))
                return
            self.threshold.set_surface(self._surface)
            self._show_preview()

    def _show_preview(self) -> None:
        mask = self.threshold.mask()
        # The preview is throttled: it may come after the dock was hidden.
        if mask is None or not self.threshold.preview.isChecked() or self._btf is None:
            return
        self.preview.show(self._capture, mask, self._painted.colour(self._painted.label))

    def _apply(self, as_new: bool) -> None:
        mask = self.threshold.mask()
        if mask is None or self._btf is None:
            return
        try:
            label = self._painted.new_region() if as_new else self._painted.label
        except BTFError as error:
            show_error(str(error))
            return
        self._painted.paint(mask, label)
        self.threshold.preview.setChecked(False)

    # ----------------------------------------------------------------- superpixels

    def find_superpixels(self) -> None:
        """Start the job that finds superpixels."""
        if self._btf is not None:
            self.parts.click.setChecked(False)
            self.jobs.start(
                _part(self._btf, self._surface, self.parts.number.value, self.parts.compact.value)
            )

    def _on_clicking(self, clicking: bool) -> None:
        viewer = self._workspace.viewer
        if viewer is None:
            return
        clicking = clicking and self.parts.found is not None and self._btf is not None
        if clicking and self.parts.found is not None:
            self._mouse.connect(self._on_mouse)
            # With the brush in hand a click would paint.
            self._painted.ensure().mode = "pan_zoom"
            self.edges.show(self._capture, boundaries(self.parts.found), _YELLOW)
        else:
            self._mouse.disconnect(self._on_mouse)
            self.edges.hide()

    def _on_mouse(self, viewer: Any, event: Any) -> Iterator[None]:
        """Handle a click; a press that moves before its release pans the canvas."""
        active = viewer.layers.selection.active
        if event.button != 1 or (active is not None and active.mode != "pan_zoom"):
            return
        place = np.array(event.pos if event.pos is not None else (0, 0), dtype=float)
        yield
        while event.type == "mouse_move":
            if np.abs(np.array(event.pos, dtype=float) - place).max() > 3:
                return
            yield
        self.click_at(event.position, remove="Shift" in event.modifiers)

    def click_at(self, position: Any, *, remove: bool = False) -> None:
        """Add the superpixel at a position of the world to the region, or remove it."""
        parts, label = self.parts.found, self._painted.label
        texel = None if self._btf is None else texel_at(self._capture, position)
        if parts is not None and texel is not None and label:
            part = parts == parts[texel]
            self._painted.change(toggled(self._painted.data, part, label, remove=remove))


def _look(btf: BTF) -> Job[tuple[Surface, None]]:
    return (yield from survey(btf)), None


def _part(
    btf: BTF, surface: Surface | None, count: int, compactness: float
) -> Job[tuple[Surface, NDArray[np.int32]]]:
    if surface is None:
        surface = yield from survey(btf)
    yield Progress("superpixels", 0, 0)
    return surface, superpixels(surface, count, compactness)
