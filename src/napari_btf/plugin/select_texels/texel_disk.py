"""The ABRDF of the texel under the mouse: a dot for each light, in the captured colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_btf.directions import angle_between, format_angles
from napari_btf.plugin.jobs.background import Background
from napari_btf.plugin.viewer.following import MouseEvents, follow_while_shown
from napari_btf.plugin.viewer.layers import capture_of, observation_at, step_at, texel_at
from napari_btf.plugin.widgets.disk import Disk
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.texels.abrdf import (
    Patch,
    area_to_read,
    patch_in_memory,
    read_patch,
    under_view,
    value_colours,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_btf.btf import BTF
    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.progress import Progress

__all__ = ["TexelDisk"]

_HINT = "Move the mouse over the capture to see a texel under all lights."
#: Files are read once the mouse rests for so long (milliseconds).
_REST = 120


class TexelDisk(QWidget):
    """Follows the mouse over a capture while it is shown."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._capture: Any = None
        self._texel: tuple[int, int] | None = None
        self._view: NDArray[np.float64] | None = None
        self._patch: Patch | None = None
        self._wanted: NDArray[np.intp] = np.empty(0, dtype=np.intp)
        self._reading: tuple[NDArray[np.intp], tuple[slice, slice]] | None = None
        self.disk = Disk()
        self.disk.setMinimumSize(180, 190)
        self.disk.setAccessibleName("ABRDF")
        self.note = Note(_HINT)
        self.note.setToolTip(
            "ABRDF, apparent BRDF: how bright one texel is for each light and view, with the "
            "shadows and the highlights of its neighbourhood"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.note)
        column.addWidget(self.disk, 1)

        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST)
        self._rest.timeout.connect(self._read)
        self.jobs = Background(self)
        self.jobs.progressed.connect(self._on_progress)
        self.jobs.done.connect(self._on_read)
        self.jobs.failed.connect(self._on_failed)
        self.disk.picked.connect(self._go_to_light)
        viewer = workspace.viewer
        follow_while_shown(
            self,
            {
                MouseEvents(viewer, "mouse_move_callbacks"): self._on_mouse,
                viewer.dims.events.current_step: self._on_sliders,
            },
        )

    @property
    def texel(self) -> tuple[int, int] | None:
        """The texel (y, x) that is shown, or None."""
        return self._texel

    @property
    def btf(self) -> BTF | None:
        """The capture of the layer, with its present directions."""
        viewer = self._workspace.viewer
        if self._capture is None or viewer is None or self._capture not in viewer.layers:
            return None
        return capture_of(self._capture)

    def set_capture(self, capture: Any) -> None:
        """Follow another capture layer, or none."""
        if capture != self._capture:
            self._capture = capture
            self._forget()
        self._on_sliders()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Show the view of the sliders."""
        super().showEvent(event)
        self._on_sliders()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop reading."""
        super().hideEvent(event)
        self._rest.stop()
        self.jobs.cancel()

    def look_at(self, y: int, x: int) -> None:
        """Show a texel, at once if its values are in memory, else when they are read."""
        self._texel = (y, x)
        self._show()

    def _forget(self) -> None:
        self._texel = self._view = self._patch = None
        self._rest.stop()
        self.jobs.cancel()
        self.disk.set_directions(np.empty((0, 3)))
        self.note.setText(_HINT)

    def _on_mouse(self, _: Any, event: Any) -> None:
        btf = self.btf
        if btf is None:
            return
        found = texel_at(self._capture, event.position)
        if found is not None and found != self._texel:
            self.look_at(*found)

    def _on_sliders(self, event: Any = None) -> None:
        btf = self.btf
        if btf is None or not self.isVisible():
            return
        light, view, _ = observation_at(btf, self._workspace.captures.step(btf))
        if self._view is None or angle_between(view, self._view) > 0 or self._is_stale(btf):
            self._view = view
            self._wanted = under_view(btf, view)
            self._patch = None
            self._show()
        self._mark(light)

    def _is_stale(self, btf: BTF) -> bool:
        """Whether the directions of the capture have changed since."""
        shown = self.disk.vectors
        return bool(len(shown)) and not np.array_equal(shown, btf.light[self._wanted])

    def _show(self) -> None:
        btf = self.btf
        if btf is None or self._texel is None:
            return
        if self._view is None:
            self._on_sliders()
            return
        y, x = self._texel
        self._patch = patch_in_memory(btf, self._wanted, y, x) or self._patch
        patch = self._patch
        if patch is None or not patch.covers(y, x):
            self._rest.start()
            return
        self._rest.stop()
        light, view, _ = observation_at(btf, self._workspace.captures.step(btf))
        lights = btf.light[patch.observations]
        self.disk.set_directions(lights, value_colours(patch.at(y, x)))
        self._mark(light)
        self.note.setText(
            f"x {x}, y {y} under {len(lights):,} light{'s' * (len(lights) != 1)}, "
            f"view {format_angles(view)}"
        )

    def _mark(self, light: NDArray[np.float64]) -> None:
        shown = self.disk.vectors
        if len(shown):
            self.disk.set_marked(int(np.argmin(angle_between(shown, light))))

    # ----------------------------------------------------------------- reading

    def _read(self) -> None:
        btf = self.btf
        if btf is None or self._texel is None:
            return
        if self.jobs.running and self._reading is not None:
            observations, area = self._reading
            inside = all(
                part.start <= i < part.stop for part, i in zip(area, self._texel, strict=True)
            )
            if inside and observations is self._wanted:
                return
        self._reading = self._wanted, area_to_read(btf, self._wanted, *self._texel)
        self.jobs.start(read_patch(btf, self._wanted, *self._texel))

    def _on_progress(self, progress: Progress) -> None:
        self.note.setText(f"Reading {progress.step:,} of {progress.total:,}")

    def _on_read(self, patch: Patch) -> None:
        if np.array_equal(patch.observations, self._wanted):
            self._patch = patch
            self._show()

    def _on_failed(self, problem: str) -> None:
        self.note.setText(problem)

    def _go_to_light(self, i: int) -> None:
        btf = self.btf
        if btf is not None and i < len(self.disk.vectors):
            k = int(np.argmin(angle_between(btf.grid.lights, self.disk.vectors[i])))
            self._workspace.captures.go_to(
                btf, step_at(btf, self._workspace.captures.step(btf), light=k)
            )
