"""The dock *Directions*: the lights and views of a capture, and the meaning of its azimuths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_btf.directions import AzimuthConvention, angle_between
from napari_btf.plugin.frame import as_dock
from napari_btf.plugin.viewer.choosers import NO_CAPTURE, CaptureChooser
from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.viewer.layers import (
    angles_text,
    azimuth_of,
    clipped,
    observation_at,
    step_at,
)
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.plugin.widgets.disk import Disk
from napari_btf.plugin.widgets.wrapped_text import Note

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent, QShowEvent

    from napari_btf.btf import BTF

__all__ = ["Directions"]

_COUNTED = ("counter-clockwise", "clockwise")
_SIDES = {
    azimuth: f"the {side} of the image"
    for azimuth, side in zip(
        (0.0, 90.0, 180.0, 270.0), ("right", "top", "left", "bottom"), strict=True
    )
}


class Directions(QWidget):
    """Two disks of directions that move the sliders, and the convention of azimuths."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)
        self._shown: BTF | None = None

        self.captures = CaptureChooser(self._workspace)
        self.lights, self.views = Disk(), Disk()
        self.about = Note()
        self.angles = Note()
        self.counted = QComboBox()
        self.counted.addItems(_COUNTED)
        self.zero = _Degrees()
        self.zero.setRange(-360.0, 360.0)
        self.zero.setSingleStep(90.0)
        # Every change orders the images anew: not at each digit that is typed.
        self.zero.setKeyboardTracking(False)
        self.meaning = Note()

        chooser = QFormLayout()
        chooser.addRow("capture", self.captures)
        azimuths = QFormLayout()
        azimuths.addRow("azimuths count", self.counted)
        azimuths.addRow("zero at", self.zero)
        column = QVBoxLayout(self)
        column.addLayout(chooser)
        column.addWidget(_Pair(_titled("lights", self.lights), _titled("views", self.views)), 1)
        column.addWidget(self.angles)
        column.addWidget(self.about)
        column.addLayout(azimuths)
        column.addWidget(self.meaning)
        as_dock(self, "Directions", self._workspace)

        self.captures.chosen.connect(self._on_capture)
        self.lights.picked.connect(self._go_to_light)
        self.views.picked.connect(self._go_to_view)
        self.counted.currentIndexChanged.connect(self._turn)
        self.zero.valueChanged.connect(self._turn)
        sliders = self._workspace.viewer.dims.events.current_step
        follow_while_shown(self, {sliders: self._on_sliders})
        self._on_capture()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Show the chosen capture with its present directions."""
        super().showEvent(event)
        self._on_capture()

    @property
    def convention(self) -> AzimuthConvention:
        """The convention of the azimuths that the controls show."""
        return AzimuthConvention(self.counted.currentText() == "clockwise", self.zero.value())

    def _on_capture(self) -> None:
        btf = self.captures.btf
        for control in (self.counted, self.zero):
            control.setEnabled(btf is not None)
        self.counted.setToolTip(_WHAT_COUNTS if btf is not None else NO_CAPTURE)
        self.zero.setToolTip(_WHAT_ZERO if btf is not None else NO_CAPTURE)
        if btf is not self._shown:
            self._shown = btf
            none = np.empty((0, 3))
            self.lights.set_directions(none if btf is None else btf.grid.lights)
            self.views.set_directions(none if btf is None else btf.grid.views)
        convention = AzimuthConvention() if btf is None else azimuth_of(self.captures.layer)
        self._show_convention(convention)
        self.about.setText(NO_CAPTURE if btf is None else _count(btf))
        self.angles.setVisible(btf is not None)
        self.meaning.setText("" if btf is None else _explain(convention))
        self._on_sliders()

    def _show_convention(self, convention: AzimuthConvention) -> None:
        for control in (self.counted, self.zero):
            control.blockSignals(True)
        self.counted.setCurrentIndex(int(convention.clockwise))
        self.zero.setValue(convention.zero)
        for control in (self.counted, self.zero):
            control.blockSignals(False)

    def _on_sliders(self, event: Any = None) -> None:
        btf = self.captures.btf
        # While a layer goes, sliders move before the chooser knows of it.
        if btf is None or btf is not self._shown:
            return
        step = self._workspace.captures.step(btf)
        self.angles.setText(angles_text(btf, step))
        grid = btf.grid
        if btf.is_grid:
            v, k = clipped(btf, step)
            self.lights.set_hollow(grid.observations[v] < 0)
            self.views.set_hollow(grid.observations[:, k] < 0)
        else:
            light, view, _ = observation_at(btf, step)
            v = int(np.argmin(angle_between(grid.views, view)))
            k = int(np.argmin(angle_between(grid.lights, light)))
        self.lights.set_marked(k)
        self.views.set_marked(v)

    def _go_to_light(self, k: int) -> None:
        btf = self.captures.btf
        if btf is not None:
            self._workspace.captures.go_to(
                btf, step_at(btf, self._workspace.captures.step(btf), light=k)
            )

    def _go_to_view(self, v: int) -> None:
        btf = self.captures.btf
        if btf is not None:
            self._workspace.captures.go_to(
                btf, step_at(btf, self._workspace.captures.step(btf), view=v)
            )

    def _turn(self, _: float) -> None:
        layer = self.captures.layer
        if layer is not None:
            self._workspace.captures.turn(layer, self.convention)


class _Degrees(QDoubleSpinBox):
    """An angle, written without trailing zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.setSuffix("°")

    def textFromValue(self, value: float) -> str:
        """Write the number."""
        return f"{value:g}"


_WHAT_COUNTS = "Which way the azimuths of the capture count, seen from above the surface"
_WHAT_ZERO = "Where they start: degrees counter-clockwise from the right of the image"


class _Pair(QWidget):
    """Two widgets side by side or one above the other, whichever gives them more room."""

    def __init__(self, first: QWidget, second: QWidget) -> None:
        super().__init__()
        self._layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        # The least size must not change with the direction, or the two would take turns.
        self._layout.setSizeConstraint(QBoxLayout.SizeConstraint.SetNoConstraint)
        self._layout.addWidget(first, 1)
        self._layout.addWidget(second, 1)
        self.setMinimumSize(260, 150)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        """Room for both widgets side by side."""
        return QSize(300, 170)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Choose the direction of the layout."""
        across = self.width() > self.height()
        kinds = QBoxLayout.Direction
        self._layout.setDirection(kinds.LeftToRight if across else kinds.TopToBottom)
        super().resizeEvent(event)


def _titled(title: str, disk: Disk) -> QWidget:
    part = QWidget()
    column = QVBoxLayout(part)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(QLabel(title), 0, Qt.AlignmentFlag.AlignHCenter)
    column.addWidget(disk, 1)
    disk.setAccessibleName(title)
    return part


def _count(btf: BTF) -> str:
    grid = btf.grid
    views, lights = len(grid.views), len(grid.lights)
    text = f"{_number(views, 'view')} × {_number(lights, 'light')}, {_number(len(btf), 'image')}"
    odd = [
        f"{count:,} {what}"
        for count, what in (
            (grid.missing_pairs, "pairs missing" if grid.missing_pairs > 1 else "pair missing"),
            (grid.duplicate_pairs, "duplicated"),
        )
        if count
    ]
    if odd:
        text += "; " + ", ".join(odd)
    return text


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _explain(convention: AzimuthConvention) -> str:
    if convention.is_identity:
        return "Directions as they were read."
    way = _COUNTED[convention.clockwise]
    zero = convention.zero % 360.0
    start = _SIDES.get(zero, f"{zero:g}° on the disks")
    return f"{convention}: the capture's azimuths are taken to count {way} from {start}."
