"""Estimated normals and albedo of the surface, as layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_btf.directions import angles_to_vectors, format_angles
from napari_btf.errors import BTFError
from napari_btf.export.images import write_image
from napari_btf.plugin.jobs.task import Task
from napari_btf.plugin.viewer.layers import TAG, for_display
from napari_btf.plugin.viewer.own_layer import add_quietly
from napari_btf.plugin.viewer.placing import free_place
from napari_btf.plugin.widgets.section import allow
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.relighting import SurfaceEstimate, estimate_surface
from napari_btf.values import to_display

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.plugin.relight.scene import Scene
    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.progress import Job
    from napari_btf.relighting.shots import Shot

__all__ = ["Surface"]

_TIP = (
    "Photometric stereo over decoded images of the present view. It assumes that each texel (one "
    "pixel of the surface) is matte, so gloss and hollows distort the result."
)
_FILES = "Images (*.png *.tif *.tiff)"
_VALUES = "255 * (normal + 1) / 2: x right, y up, z out"
_SAVE_TIP = "Save the normals as colours, x right, y up, z out: .png and .tif with 16 bits"
_METHOD = "photometric stereo over decoded images (Woodham, 1980)"


class _Result(NamedTuple):
    estimate: SurfaceEstimate
    shot: Shot


class Surface(QWidget):
    """A button that estimates normals and albedo in a thread and adds two layers.

    Parameters
    ----------
    workspace : Workspace
    scene : Scene
        The estimate uses its model and its view.

    Signals
    -------
    failed
        A sentence that says what is wrong.
    """

    failed = Signal(str)

    def __init__(self, workspace: Workspace, scene: Scene) -> None:
        super().__init__()
        self._workspace, self._scene = workspace, scene
        self.button = QPushButton("Estimate normals and albedo")
        self.cancel_button = QPushButton("Cancel")
        self.save_button = QPushButton("Save normals...")
        self._normals: NDArray[np.float32] | None = None
        self.note = Note()
        self.note.setVisible(False)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.button, 1)
        row.addWidget(self.cancel_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.save_button)
        column.addWidget(self.note)
        self._task = Task(self)
        self._task.done.connect(self._on_done)
        self._task.failed.connect(self._on_failed)
        self._task.changed.connect(self._allow)
        self.button.clicked.connect(self._start)
        self.cancel_button.clicked.connect(self.cancel)
        self.save_button.clicked.connect(self._ask)
        scene.allowed.connect(self._allow)
        self._allow()

    @property
    def running(self) -> bool:
        """Whether an estimate is running."""
        return self._task.running

    def cancel(self) -> None:
        """Stop the estimate."""
        if self.running:
            self._task.cancel()
            self._say("Cancelled.")

    def save(self, path: str) -> None:
        """Write the estimated normals as an image; `failed` tells of problems."""
        if self._normals is None:
            return
        target = Path(path)
        target = target if target.suffix else target.with_suffix(".png")
        try:
            write_image(target, _coded(self._normals, np.uint16))
        except BTFError as error:
            self.failed.emit(str(error))
            return
        self._say(f"Wrote {target.name}.")

    def _ask(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save normals", "normals.png", _FILES)
        if path:
            self.save(path)

    def _start(self) -> None:
        shot = self._scene.shot()
        self._say("Decoding images of this view...")
        self._task.start(_estimate(shot), f"Estimating {shot.model.source}".strip())

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _on_done(self, result: _Result) -> None:
        viewer = self._workspace.viewer
        if viewer is None:
            return
        for kind, pixels in _images(result.estimate).items():
            add_quietly(viewer, _layer(viewer, kind, pixels, result.shot))
        self._normals = result.estimate.normals
        self._allow()
        self._say("Added two layers. They are estimates, not measurements.")
        viewer.reset_view()

    def _on_failed(self, problem: str) -> None:
        self._say("")
        self.failed.emit(problem)

    def _allow(self) -> None:
        busy = "An estimate is running" if self.running else ""
        allow(self.button, _TIP, self._scene.no_model or busy)
        idle = "" if self.running else "No estimate is running"
        allow(self.cancel_button, "Stop the estimate", idle)
        none = "" if self._normals is not None else "Estimate normals first"
        allow(self.save_button, _SAVE_TIP, none)


def _estimate(shot: Shot) -> Job[_Result]:
    return _Result((yield from estimate_surface(shot.model, shot.view)), shot)


def _images(estimate: SurfaceEstimate) -> dict[str, Any]:
    """The pixels of the layers by their kinds, (H, W, C)."""
    return {
        # Bytes, because PNG files hold no floats.
        "normals": _coded(estimate.normals, np.uint8),
        "albedo": to_display(estimate.albedo),
    }


def _coded(normals: NDArray[np.float32], dtype: type[np.unsignedinteger]) -> NDArray[Any]:
    """Map components from -1..1 to all values of an integer type."""
    largest = np.iinfo(dtype).max
    return np.rint((normals + 1.0) * (0.5 * largest)).astype(dtype)


def _layer(viewer: Any, kind: str, pixels: Any, shot: Shot) -> Image:
    height, width, channels = pixels.shape
    shown = for_display(pixels)
    view = angles_to_vectors(*shot.view)
    facts = {"estimate": True, "method": _METHOD, "view": format_angles(view)}
    facts["values"] = _VALUES if kind == "normals" else "sRGB"
    place = free_place(viewer, height, width)
    return Image(
        shown,
        name=f"{kind} of {shot.model.source or 'model'} (estimate)",
        rgb=channels == 3,
        contrast_limits=(0, 255),
        metadata={TAG: {"kind": kind, **facts}},
        translate=(0.0,) * (shown.ndim - (channels == 3) - 2) + place,
    )
