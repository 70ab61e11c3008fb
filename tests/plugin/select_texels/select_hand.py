"""A user of the dock Select texels, and a mouse over the surface, for tests."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from napari_btf.plugin.select_texels import SelectTexels

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QPushButton


ALL = 24 * 32
NOTHING = f"Nothing is painted yet: all {ALL} texels would be used."
SQUARE = np.array([[3, 5], [3, 14], [12, 14], [12, 5]])
"""Corners of 10 x 10 texels."""
BAND = np.array([[18, 0], [18, 31], [21, 31], [21, 0]])
"""Corners of 4 x 32 texels."""


def chosen(number: int, regions: int = 1) -> str:
    return f"{number} of {ALL} texels, {regions} region" + "s" * (regions != 1)


class Hand:
    """A user of one dock: clicks its buttons and reads its count."""

    def __init__(self, qtbot: QtBot, dock: SelectTexels) -> None:
        self.qtbot = qtbot
        self.dock = dock

    def click(self, button: QPushButton) -> None:
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def choose(self, capture: str) -> None:
        box = self.dock.captures
        self.qtbot.keyClick(box, Qt.Key.Key_Home)
        while box.currentText() != capture and box.currentIndex() < box.count() - 1:
            self.qtbot.keyClick(box, Qt.Key.Key_Down)
        assert box.currentText() == capture

    def paint_two(self) -> Any:
        """Paint the square and the band; the layer."""
        self.click(self.dock.paint)
        regions = self.dock.regions_layer()
        regions.paint_polygon(SQUARE, regions.selected_label)
        self.click(self.dock.regions.new)
        regions.paint_polygon(BAND, regions.selected_label)
        self.reads(chosen(228, 2))
        return regions

    def rows(self) -> list[tuple[str, str]]:
        table = self.dock.table
        return [(table.item(i, 0).text(), table.item(i, 1).text()) for i in range(table.rowCount())]

    def types(self, row: int, name: str) -> None:
        """Edit the name of a region, as a double click does."""
        table = self.dock.table
        table.editItem(table.item(row, 0))
        editor = table.findChild(QLineEdit)
        editor.selectAll()
        self.qtbot.keyClicks(editor, name)
        self.qtbot.keyClick(editor, Qt.Key.Key_Return)
        # Qt takes what was typed a moment later.
        self.qtbot.waitUntil(lambda: table.findChild(QLineEdit) is None)

    def reads(self, text: str) -> None:
        # Counting is throttled.
        self.qtbot.waitUntil(lambda: self.dock.count.text() == text)


def press(viewer: ViewerModel, y: float, x: float, *modifiers: str, drag: float = 0.0) -> None:
    """Press the mouse at a texel, move it by some pixels, let go."""
    event = SimpleNamespace(
        type="mouse_press",
        button=1,
        modifiers=modifiers,
        position=(0, 0, y, x),
        pos=np.array([50.0, 50.0]),
        is_dragging=False,
    )
    mouse_press_callbacks(viewer, ReadOnlyWrapper(event))
    moved = {**vars(event), "pos": event.pos + drag, "is_dragging": True}
    mouse_move_callbacks(viewer, SimpleNamespace(**{**moved, "type": "mouse_move"}))
    mouse_release_callbacks(viewer, SimpleNamespace(**{**moved, "type": "mouse_release"}))


def point_at(viewer: ViewerModel, y: float, x: float) -> None:
    event = SimpleNamespace(type="mouse_move", is_dragging=False, position=(0, 0, y, x))
    mouse_move_callbacks(viewer, event)


def shown(hand: Hand) -> np.ndarray:
    """Which texels are lit up, as coordinates."""
    return np.argwhere(hand.dock.overlay.layer.data)


class GatedFrames:
    """Observations that can be read while a gate is open."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames, self.shape, self.dtype = frames, frames.shape, frames.dtype
        self.gate = Event()
        self.gate.set()

    def __getitem__(self, i: int) -> np.ndarray:
        assert self.gate.wait(30)
        return self.frames[i]
