"""The directions of light and view side by side, and whether they go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_btf.directions import angle_between, angles_to_vectors, group_directions
from napari_btf.plugin.relight.direction_box import DirectionBox
from napari_btf.plugin.widgets.section import allow
from napari_btf.relighting import default_view, limits

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

    from napari_btf.codec.model import CompressedBTF

__all__ = ["DirectionPair"]

Angles = tuple[float, float]

_ONE_VIEW = "The model knows one view only."
_LINK_TIP = "A flash on the camera: the light comes from where the viewer is"
#: Milliseconds that handles wait for their image.
_PATIENCE = 40
#: Degrees from which on another direction than that of a handle is marked.
_ELSEWHERE = 0.15


class DirectionPair(QWidget):
    """Two boxes and a link between them.

    Signals
    -------
    moved
        A hand moved something; whether the light went with it.
    rested
        The mouse let go of a handle.
    locked
        A lock was opened or closed.
    """

    moved = Signal(bool)
    rested = Signal()
    locked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._why_not = self._light_why_not = ""
        self._one_view = False
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
            box.locked.connect(self._on_locked)
        self.light_box.moved.connect(self._on_light)
        self.view_box.moved.connect(self._on_view)
        self.link.toggled.connect(self._on_link)

    @property
    def light(self) -> Angles:
        """(theta, phi) of the light, degrees."""
        return self.light_box.angles

    @property
    def view(self) -> Angles:
        """(theta, phi) of the viewer, degrees."""
        return self.view_box.angles

    @property
    def held(self) -> tuple[bool, bool]:
        """Whether the light and the view are to stay where they are."""
        return not self.light_box.is_free, not self.view_box.is_free

    @property
    def why_not_view(self) -> str:
        """Why the view does not move, or nothing."""
        one_view = _ONE_VIEW if self._one_view else ""
        return one_view or ("The view is locked" * self.view_box.lock.isChecked())

    def set_model(self, model: CompressedBTF | None, why_not: str = "") -> None:
        """Show the directions a model was trained on; without one, disable all for a reason."""
        self._why_not = why_not if model is None else ""
        self._one_view = model is not None and model.fixed_view
        for i, box in enumerate((self.light_box, self.view_box)):
            if model is None:
                box.set_captured(np.empty((0, 3)), 90.0)
            else:
                captured = (model.light, model.view)[i]
                box.set_captured(group_directions(captured).vectors, limits(model)[i])
            box.disk.set_shown(None)
        if model is not None and model.fixed_view:
            self.view_box.set_angles(*default_view(model))
        self._allow()

    def mark_shown(self, model: CompressedBTF) -> None:
        """Mark the directions a model shows where others are asked for."""
        asked = angles_to_vectors(*self.light), angles_to_vectors(*self.view)
        boxes = self.light_box, self.view_box
        for box, wanted, shown in zip(boxes, asked, model.shown(*asked), strict=True):
            is_other = angle_between(wanted, shown) > _ELSEWHERE
            box.disk.set_shown(shown if is_other else None)

    def set_light_why_not(self, why_not: str) -> None:
        """Keep the light where it is for a reason, or let it go again."""
        if why_not != self._light_why_not:
            self._light_why_not = why_not
            self._allow()

    def go_to(self, light: Angles | None, view: Angles | None) -> None:
        """Move what is free (None stays); if they are linked, one goes with the other."""
        light, view = self.after(light, view)
        self.light_box.set_angles(*light)
        self.view_box.set_angles(*view)

    def after(self, light: Angles | None, view: Angles | None) -> tuple[Angles, Angles]:
        """Where `go_to` would have light and view."""
        if self.link.isChecked():
            light = view = light or view
        free = self.light_box.is_free, self.view_box.is_free
        return (
            light if light is not None and free[0] else self.light,
            view if view is not None and free[1] else self.view,
        )

    def hold(self) -> None:
        """Paint nothing until the image of these directions is there, or for a moment.

        What a window paints at two times it composes twice, its canvas included: where graphics
        are drawn in software that takes longer than the image.
        """
        if not self._is_due:
            self.setUpdatesEnabled(False)
            self._patience.start()

    def release(self) -> None:
        """Paint what has changed."""
        self._patience.stop()
        if not self.updatesEnabled():
            # Held again only after it was painted: it would seem frozen else.
            self._is_due = True
            self.setUpdatesEnabled(True)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Nothing is due any more."""
        self._is_due = False
        super().paintEvent(event)

    def _on_light(self) -> None:
        if self.link.isChecked():
            self.view_box.set_angles(*self.light)
        self.moved.emit(True)

    def _on_view(self) -> None:
        if self.link.isChecked():
            self.light_box.set_angles(*self.view)
        self.moved.emit(self.link.isChecked())

    def _on_link(self, is_linked: bool) -> None:
        if is_linked:
            self.light_box.set_angles(*self.view)
            self.moved.emit(True)

    def _on_locked(self) -> None:
        self._allow()
        self.locked.emit()

    def _allow(self) -> None:
        one_view = _ONE_VIEW if self._one_view else ""
        self.light_box.set_why_not(self._why_not or self._light_why_not)
        self.view_box.set_why_not(self._why_not or one_view)
        is_locked = self.light_box.lock.isChecked() or self.view_box.lock.isChecked()
        why_not = self._why_not or one_view or ("Unlock light and view first" * is_locked)
        if why_not:
            self.link.setChecked(False)
        allow(self.link, _LINK_TIP, why_not or self._light_why_not)
