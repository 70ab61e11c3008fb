"""The link between the sliders of the capture and the handles of *Relight*, in both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_btf.directions import angle_between, angles_to_vectors, vectors_to_angles
from napari_btf.plugin.relight.lamp import Direction
from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.viewer.layers import capture_of, observation_at, step_at
from napari_btf.plugin.widgets.section import allow
from napari_btf.relighting.motion import Pose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.plugin.relight.scene import Scene
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["SliderLink"]

_TIP = (
    "The sliders of the capture move the handles, and the sliders go to the captured image nearest "
    "to the handles"
)
_NO_CAPTURE = "Open the capture of this model first"
#: Milliseconds without a move after which the sliders follow, because each slice has to be read.
_REST = 120


class SliderLink(QWidget):
    """A check box; while it is checked, sliders and handles follow one another.

    Parameters
    ----------
    workspace : Workspace
    scene : Scene
    """

    def __init__(self, workspace: Workspace, scene: Scene) -> None:
        super().__init__()
        self._workspace, self._scene = workspace, scene
        # While one of the two follows, the other one stays.
        self._is_following = False
        self.box = QCheckBox("follow the sliders")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.box)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_REST)
        self._later.timeout.connect(self._move_sliders)
        self.box.toggled.connect(self._on_sliders)
        scene.changed.connect(self._on_scene)
        scene.allowed.connect(self._allow)
        follow_while_shown(
            self,
            {
                workspace.captures.changed: self._allow,
                workspace.viewer.dims.events.current_step: self._on_sliders,
            },
        )
        self._allow()

    def _capture(self) -> BTF | None:
        model = self._scene.model
        layers = [] if model is None else self._workspace.captures.of_model(model)
        return capture_of(layers[0]) if layers else None

    def _allow(self) -> None:
        missing = "" if self._capture() is not None else _NO_CAPTURE
        allow(self.box, _TIP, self._scene.no_model or missing)

    def _on_sliders(self, _: Any = None) -> None:
        btf = self._capture()
        if btf is None or not self.box.isChecked() or self._is_following:
            return
        light, view, _i = observation_at(btf, self._workspace.captures.step(btf))
        self._is_following = True
        try:
            self._scene.go_to(Pose(_direction(light), _direction(view)))
        finally:
            self._is_following = False

    def _on_scene(self) -> None:
        if self.box.isChecked() and not self._is_following:
            self._later.start()

    def _move_sliders(self) -> None:
        btf = self._capture()
        if btf is None or not self.box.isChecked() or not self.isVisible():
            return
        light, view = (angles_to_vectors(*x) for x in (self._scene.light, self._scene.view))
        self._is_following = True
        try:
            self._workspace.captures.go_to(btf, self._nearest(btf, light, view))
        finally:
            self._is_following = False

    def _nearest(self, btf: BTF, light: Any, view: Any) -> tuple[int, ...]:
        if not btf.is_grid:
            return (btf.nearest(light, view),)
        grid, step = btf.grid, self._workspace.captures.step(btf)
        k, v = (
            int(np.argmin(angle_between(there, wanted)))
            for there, wanted in ((grid.lights, light), (grid.views, view))
        )
        return step_at(btf, step_at(btf, step, light=k), view=v)


def _direction(vector: NDArray[np.float64]) -> Direction:
    theta, phi = vectors_to_angles(vector)
    return Direction.of(float(theta), float(phi))
