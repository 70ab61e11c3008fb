"""The directions of light and view side by side, and the link between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSignalBlocker, QTimer, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_btf.directions import angle_between, angles_to_vectors, group_directions
from napari_btf.plugin.relight.direction_box import DirectionBox
from napari_btf.plugin.widgets.section import allow

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.relight.scene import Scene
    from napari_btf.relighting.shots import Shot

__all__ = ["DirectionPair"]

_LINK_TIP = "Move light and view together, like a camera with a flash"
#: The milliseconds that painting waits for an image at most.
_PATIENCE = 40
#: The angle from which on the shown direction is marked beside the handle, degrees.
_ELSEWHERE = 0.15


class DirectionPair(QWidget):
    """The boxes of light and view, and a check box that links them.

    Parameters
    ----------
    scene : Scene

    Signals
    -------
    rested
        A person released a handle or a slider.
    """

    rested = Signal()

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self._model: CompressedBTF | None = None
        self._is_due = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE)
        self._patience.timeout.connect(self.release)
        self.light_box, self.view_box = DirectionBox("light"), DirectionBox("view")
        self.link = QCheckBox("link light to view (flash)")
        row = QHBoxLayout()
        row.setSpacing(8)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self.link)
        for box in (self.light_box, self.view_box):
            row.addWidget(box, 1)
            box.rested.connect(self.rested)
        self.light_box.moved.connect(scene.move_light)
        self.view_box.moved.connect(scene.move_view)
        self.light_box.locked.connect(scene.lock_light)
        self.view_box.locked.connect(scene.lock_view)
        self.link.toggled.connect(scene.link)
        scene.allowed.connect(self._allow)
        scene.changed.connect(self._show)
        self._allow()
        self._show()

    def mark_shown(self, shot: Shot) -> None:
        """Mark the directions that the image shows where they differ from the chosen ones."""
        asked = angles_to_vectors(*shot.light), angles_to_vectors(*shot.view)
        boxes = self.light_box, self.view_box
        for box, wanted, shown in zip(boxes, asked, shot.model.shown(*asked), strict=True):
            is_other = angle_between(wanted, shown) > _ELSEWHERE
            box.disk.set_shown(shown if is_other else None)

    def hold(self) -> None:
        """Stop painting until the image of the new directions is there, or for a moment.

        What a window paints at two times is composed twice, together with the canvas. Where
        graphics are drawn in software, composing takes longer than the image.
        """
        if not self._is_due:
            self.setUpdatesEnabled(False)
            self._patience.start()

    def release(self) -> None:
        """Paint what has changed."""
        self._patience.stop()
        if not self.updatesEnabled():
            # Painting stops again only after this change was painted, or the dock would freeze.
            self._is_due = True
            self.setUpdatesEnabled(True)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Note that the last change has been painted."""
        self._is_due = False
        super().paintEvent(event)

    def _show(self) -> None:
        scene = self._scene
        self.light_box.set_direction(scene.light)
        self.view_box.set_direction(scene.view)
        others = () if scene.is_surrounded else scene.lamps
        self.light_box.disk.set_others(
            tuple(
                (lamp.direction, QColor.fromRgbF(*lamp.colour))
                for i, lamp in enumerate(others)
                if i != scene.chosen and lamp.is_on
            )
        )

    def _allow(self) -> None:
        scene = self._scene
        if scene.model is not self._model:
            self._model = scene.model
            self._show_captured()
        self.light_box.set_locked(scene.is_light_locked)
        self.view_box.set_locked(scene.is_view_locked)
        self.light_box.set_why_not(scene.why_no_light)
        self.view_box.set_why_not(scene.why_no_view)
        with QSignalBlocker(self.link):
            self.link.setChecked(scene.is_linked)
        allow(self.link, _LINK_TIP, scene.why_no_link)

    def _show_captured(self) -> None:
        model, nothing = self._model, np.empty((0, 3))
        captured = (nothing, nothing) if model is None else (model.light, model.view)
        boxes = self.light_box, self.view_box
        for box, vectors, reach in zip(boxes, captured, self._scene.reach, strict=True):
            box.set_captured(group_directions(vectors).vectors, reach)
            box.disk.set_shown(None)
