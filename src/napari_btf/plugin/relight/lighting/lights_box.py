"""The lights of a scene: a list, and what the chosen one is like."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from qtpy.QtCore import QSignalBlocker, QSize, Qt, QTimer, Signal
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

from napari_btf.plugin.widgets.section import allow
from napari_btf.relighting import Light
from napari_btf.values import to_linear

__all__ = ["Lamp", "LightsBox"]

Angles = tuple[float, float]
Colour = tuple[float, float, float]

WHITE: Colour = (1.0, 1.0, 1.0)
_SWATCH = 14
_MOST_LIGHTS = 16
#: Milliseconds until the list says where a light has gone: the window is composed once more then.
_LATER = 150
_LIST_TIP = "The handle of the light moves the chosen one; the box switches it on and off"
_ONE = "There is one light; add others first"


@dataclass(frozen=True)
class Lamp:
    """A light of the list.

    Parameters
    ----------
    angles : (theta, phi)
        Degrees.
    colour : (red, green, blue)
        sRGB, 0 to 1.
    intensity : float
        1 is a light of the capture.
    is_on : bool
    """

    angles: Angles
    colour: Colour = WHITE
    intensity: float = 1.0
    is_on: bool = True

    @property
    def light(self) -> Light:
        """As it shines; one that is off does so with nothing, so that its image is kept."""
        red, green, blue = to_linear(np.array(self.colour, dtype=np.float32)).tolist()
        intensity = self.intensity if self.is_on else 0.0
        return Light(*self.angles, (red, green, blue), intensity)


class LightsBox(QWidget):
    """A list of lights, of which one is moved by whoever owns this.

    Signals
    -------
    chosen
        A hand chose another light: its theta and phi.
    changed
        A hand changed colours, intensities, or what is on or there.
    """

    chosen = Signal(float, float)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._lamps: list[Lamp] = [Lamp((0.0, 0.0))]
        self._has_colours, self._why_not = True, ""
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
        self._later.timeout.connect(self._write_chosen)
        self.list.currentRowChanged.connect(self._on_row)
        self.list.itemChanged.connect(self._on_checked)
        self.add.clicked.connect(self._on_add)
        self.remove.clicked.connect(self._on_remove)
        self.colour.clicked.connect(self._ask_colour)
        self.intensity.valueChanged.connect(lambda value: self._change(intensity=value))
        self._fill(0)

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

    # ----------------------------------------------------------------- what there is

    @property
    def lamps(self) -> tuple[Lamp, ...]:
        """All lights."""
        return tuple(self._lamps)

    @property
    def current(self) -> int:
        """Which one is chosen."""
        return max(0, self.list.currentRow())

    def lights(self, chosen_at: Angles | None = None) -> tuple[Light, ...] | None:
        """How they shine; None for a single one that is like those of the capture.

        Parameters
        ----------
        chosen_at : (theta, phi), optional
            Where the chosen one is, if that is elsewhere than `lamps` says.
        """
        lamps = list(self._lamps)
        if chosen_at is not None:
            lamps[self.current] = replace(lamps[self.current], angles=chosen_at)
        if lamps == [Lamp(lamps[0].angles)]:
            return None
        return tuple(lamp.light for lamp in lamps)

    @property
    def others(self) -> tuple[tuple[Angles, QColor], ...]:
        """Where the lights are that are not chosen, and their colours; those alone that are on."""
        return tuple(
            (lamp.angles, QColor.fromRgbF(*lamp.colour))
            for i, lamp in enumerate(self._lamps)
            if i != self.current and lamp.is_on
        )

    def set_angles(self, angles: Angles) -> None:
        """The chosen light is elsewhere; nobody is told."""
        if angles != self._lamps[self.current].angles:
            self._lamps[self.current] = replace(self._lamps[self.current], angles=angles)
            if not self._later.isActive():
                self._later.start()

    def set_has_colours(self, has_colours: bool) -> None:
        """Whether the images have three channels: a light is coloured on these alone."""
        self._has_colours = has_colours
        self._allow()

    def set_why_not(self, why_not: str) -> None:
        """Disable everything for a reason, or enable it again."""
        self._why_not = why_not
        self._allow()

    # ----------------------------------------------------------------- what a hand does

    def _on_row(self, row: int) -> None:
        if row >= 0:
            self._write_all()
            self._show_chosen()
            self.chosen.emit(*self._lamps[row].angles)

    def _on_checked(self, item: QListWidgetItem) -> None:
        row = self.list.row(item)
        is_on = item.checkState() == Qt.CheckState.Checked
        if is_on != self._lamps[row].is_on:
            self._lamps[row] = replace(self._lamps[row], is_on=is_on)
            self.changed.emit()

    def _on_add(self) -> None:
        # At the present direction: there it is seen at once, and the handle is on it.
        self._lamps.append(Lamp(self._lamps[self.current].angles))
        self._fill(len(self._lamps) - 1)
        self.chosen.emit(*self._lamps[-1].angles)
        self.changed.emit()

    def _on_remove(self) -> None:
        row = self.current
        del self._lamps[row]
        self._fill(min(row, len(self._lamps) - 1))
        self.chosen.emit(*self._lamps[self.current].angles)
        self.changed.emit()

    def _ask_colour(self) -> None:
        before = QColor.fromRgbF(*self._lamps[self.current].colour)
        colour = QColorDialog.getColor(before, self, "Colour of the light")
        if colour.isValid():
            self.set_colour(colour)

    def set_colour(self, colour: QColor) -> None:
        """Give the chosen light a colour, as a hand does."""
        self._change(colour=(colour.redF(), colour.greenF(), colour.blueF()))

    def _change(self, **what: float | Colour) -> None:
        row = self.current
        lamp = replace(self._lamps[row], **what)  # type: ignore[arg-type]
        if lamp != self._lamps[row]:
            self._lamps[row] = lamp
            self._write(row)
            self.changed.emit()

    # ----------------------------------------------------------------- how it looks

    def _fill(self, row: int) -> None:
        with QSignalBlocker(self.list):
            self.list.clear()
            for _ in self._lamps:
                self.list.addItem(QListWidgetItem())
            self.list.setCurrentRow(row)
        self._write_all()
        self._show_chosen()

    def _write_all(self) -> None:
        for i in range(len(self._lamps)):
            self._write(i)

    def _write_chosen(self) -> None:
        self._write(self.current)

    def _write(self, row: int) -> None:
        lamp = self._lamps[row]
        (theta, phi), times = lamp.angles, f"   × {lamp.intensity:g}"
        item = self.list.item(row)
        with QSignalBlocker(self.list):
            item.setText(f"{row + 1}   {theta:.4g}°, {phi:.4g}°{times * (lamp.intensity != 1)}")
            item.setIcon(_swatch(lamp.colour))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if lamp.is_on else Qt.CheckState.Unchecked)
        self.list.update(self.list.indexFromItem(item))

    def _show_chosen(self) -> None:
        with QSignalBlocker(self.intensity):
            self.intensity.setValue(self._lamps[self.current].intensity)
        self._allow()

    def _allow(self) -> None:
        no = self._why_not
        full = "These are as many as there may be" if len(self._lamps) >= _MOST_LIGHTS else ""
        allow(self.list, _LIST_TIP, no)
        allow(self.add, "One more light, where this one is", no or full)
        allow(self.remove, "Take the chosen light away", no or (_ONE * (len(self._lamps) == 1)))
        grey = "" if self._has_colours else "Only images of three channels show colours of light"
        allow(self.colour, "The colour of the chosen light", no or grey)
        allow(self.intensity, "1 is a light of the capture; light adds up linearly", no)


def _swatch(colour: Colour) -> QIcon:
    pixels = QPixmap(_SWATCH, _SWATCH)
    pixels.fill(QColor.fromRgbF(*colour))
    icon = QIcon()
    # The same while its row is chosen.
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(pixels, mode)
    return icon
