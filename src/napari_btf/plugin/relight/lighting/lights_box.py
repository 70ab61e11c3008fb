"""The list of lamps, and the colour and intensity of the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QColorDialog,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_btf.plugin.relight.scene import MOST_LAMPS
from napari_btf.plugin.widgets.section import allow

if TYPE_CHECKING:
    from napari_btf.plugin.relight.scene import Lamp, Scene

__all__ = ["LightsBox"]

_SWATCH = 14
#: Milliseconds until the list shows a new direction, because each text composes the window again.
_LATER = 150
_LIST_TIP = (
    "The handle of the light moves the chosen light; the check box switches a light on and off"
)
_ONE = "There is only one light. Add another light first."


class LightsBox(QWidget):
    """A list that chooses, adds, removes and switches the lamps of the scene.

    Parameters
    ----------
    scene : Scene
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self._written: tuple[Lamp, ...] = ()
        self.list = QListWidget()
        self.list.setFixedHeight(84)
        self.list.setIconSize(QSize(_SWATCH, _SWATCH))
        self.list.setAccessibleName("lights")
        self.add, self.remove = QPushButton("Add light"), QPushButton("Remove")
        self.colour = QPushButton("Colour...")
        self.intensity = QDoubleSpinBox()
        self.intensity.setRange(0.0, 100.0)
        self.intensity.setSingleStep(0.1)
        self.intensity.setPrefix("× ")
        self.intensity.setKeyboardTracking(False)
        self.intensity.setMinimumWidth(76)
        self.intensity.setAccessibleName("intensity")
        self._lay_out()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_LATER)
        self._later.timeout.connect(self._write_all)
        self.list.currentRowChanged.connect(self._on_row)
        self.list.itemChanged.connect(self._on_checked)
        self.add.clicked.connect(lambda _: scene.add_lamp())
        self.remove.clicked.connect(lambda _: scene.remove_lamp())
        self.colour.clicked.connect(self._ask_colour)
        self.intensity.valueChanged.connect(scene.dim_lamp)
        scene.allowed.connect(self._show)
        scene.changed.connect(self._on_changed)
        self._show()

    def _lay_out(self) -> None:
        buttons, look = QHBoxLayout(), QHBoxLayout()
        for row in (buttons, look):
            row.setSpacing(4)
        buttons.addWidget(self.add, 1)
        buttons.addWidget(self.remove, 1)
        look.addWidget(self.colour, 1)
        look.addWidget(QLabel("intensity"))
        look.addWidget(self.intensity, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.list)
        column.addLayout(buttons)
        column.addLayout(look)

    def set_colour(self, colour: QColor) -> None:
        """Give the chosen lamp a colour, as a person does."""
        self._scene.colour_lamp((colour.redF(), colour.greenF(), colour.blueF()))

    def _on_row(self, row: int) -> None:
        if row >= 0:
            self._scene.choose_lamp(row)

    def _on_checked(self, item: QListWidgetItem) -> None:
        is_on = item.checkState() == Qt.CheckState.Checked
        self._scene.switch_lamp(self.list.row(item), is_on)

    def _ask_colour(self) -> None:
        before = QColor.fromRgbF(*self._scene.lamp.colour)
        colour = QColorDialog.getColor(before, self, "Colour of the light")
        if colour.isValid():
            self.set_colour(colour)

    # ----------------------------------------------------------------- how it looks

    def _on_changed(self) -> None:
        # Everything but directions was shown when the scene told what is allowed.
        if self._scene.lamps != self._written and not self._later.isActive():
            self._later.start()

    def _show(self) -> None:
        scene = self._scene
        with QSignalBlocker(self.list):
            if self.list.count() != len(scene.lamps):
                self._written = ()
                self.list.clear()
                self.list.addItems([""] * len(scene.lamps))
            self.list.setCurrentRow(scene.chosen)
        self._write_all()
        with QSignalBlocker(self.intensity):
            self.intensity.setValue(scene.lamp.intensity)
        self._allow()

    def _write_all(self) -> None:
        before, self._written = self._written, self._scene.lamps
        for row, lamp in enumerate(self._written):
            if not before or lamp != before[row]:
                self._write(row, lamp)

    def _write(self, row: int, lamp: Lamp) -> None:
        (theta, phi), times = lamp.direction, f"   × {lamp.intensity:g}"
        item = self.list.item(row)
        with QSignalBlocker(self.list):
            item.setText(f"{row + 1}   {theta:.4g}°, {phi:.4g}°{times * (lamp.intensity != 1)}")
            item.setIcon(_swatch(lamp.colour))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if lamp.is_on else Qt.CheckState.Unchecked)
        self.list.update(self.list.indexFromItem(item))

    def _allow(self) -> None:
        scene = self._scene
        no, count = scene.why_no_light, len(scene.lamps)
        full = f"A scene has {MOST_LAMPS} lights at most" if count >= MOST_LAMPS else ""
        allow(self.list, _LIST_TIP, no)
        allow(self.add, "Add a light in the same direction as the chosen one", no or full)
        allow(self.remove, "Remove the chosen light", no or (_ONE if count == 1 else ""))
        grey = "" if scene.has_colours else "Only images of three channels show coloured light"
        allow(self.colour, "The colour of the chosen light", no or grey)
        allow(self.intensity, "1 is the intensity of the captured lights; light adds linearly", no)


def _swatch(colour: tuple[float, float, float]) -> QIcon:
    pixels = QPixmap(_SWATCH, _SWATCH)
    pixels.fill(QColor.fromRgbF(*colour))
    icon = QIcon()
    # The swatch keeps its colour while its row is selected.
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(pixels, mode)
    return icon
