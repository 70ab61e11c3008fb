"""The disk of directions: where dots are, how they look, what the mouse does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QColor, QMouseEvent, QPalette
from qtpy.QtWidgets import QApplication, QToolTip

from napari_btf.directions import angles_to_vectors
from napari_btf.plugin.widgets.disk import Disk

COMPASS = angles_to_vectors([0, 45, 45, 60, 90], [0, 0, 90, 200, 315])

DARK, LIGHT = QColor(35, 36, 43), QColor(235, 231, 230)


@pytest.fixture
def disk(qtbot: QtBot) -> Disk:
    """A disk of 300 x 300 pixels with five directions, light on dark."""
    disk = Disk()
    qtbot.addWidget(disk)
    disk.setPalette(palette(DARK, LIGHT))
    disk.resize(300, 300)
    disk.set_directions(COMPASS)
    with qtbot.waitExposed(disk):
        disk.show()
    return disk


def palette(paper: QColor, ink: QColor) -> QPalette:
    colours = QPalette(paper)
    colours.setColor(QPalette.ColorRole.Window, paper)
    colours.setColor(QPalette.ColorRole.WindowText, ink)
    return colours


def pixel(disk: Disk, i: int, right: float = 0) -> NDArray[np.int64]:
    """The colour at a dot, or so many pixels to the right of its centre."""
    image = disk.grab().toImage()
    ratio, place = disk.devicePixelRatioF(), disk.place_of(i)
    colour = image.pixelColor(int((place.x() + right) * ratio), int(place.y() * ratio))
    return np.array(colour.getRgb()[:3])


def at(disk: Disk, i: int) -> QPoint:
    return disk.place_of(i).toPoint()


def move(disk: Disk, place: QPoint, pressed: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
    """Move the mouse, wherever the pointer of the screen is."""
    where, globally = QPointF(place), QPointF(disk.mapToGlobal(place))
    keys = Qt.KeyboardModifier.NoModifier
    moved = QMouseEvent(QEvent.Type.MouseMove, where, globally, pressed, pressed, keys)
    QApplication.sendEvent(disk, moved)


def is_orange(colour: NDArray[np.int64]) -> bool:
    return bool(colour[0] > 180 and colour[0] > 1.3 * colour[1] > 2 * colour[2])


@pytest.mark.parametrize("size", [(150, 150), (300, 300), (400, 250)])
def test_it_is_the_stereographic_projection_seen_from_above(
    disk: Disk, size: tuple[int, int]
) -> None:
    disk.resize(*size)
    places = np.array([(disk.place_of(i).x(), disk.place_of(i).y()) for i in range(5)])
    np.testing.assert_allclose(places[0], np.array(size) / 2)
    from_centre = places - places[0]
    rim = np.hypot(*from_centre[4])
    assert 0.3 < rim / min(size) < 0.5
    eighth, sixth = np.tan(np.deg2rad(22.5)), np.tan(np.deg2rad(30))
    np.testing.assert_allclose(from_centre[1] / rim, [eighth, 0], atol=1e-9)
    np.testing.assert_allclose(from_centre[2] / rim, [0, -eighth], atol=1e-9)
    azimuth = np.deg2rad(200)
    np.testing.assert_allclose(
        from_centre[3] / rim, [sixth * np.cos(azimuth), -sixth * np.sin(azimuth)], atol=1e-9
    )
    assert from_centre[4] == pytest.approx([rim * np.sqrt(0.5)] * 2)


def test_dots_have_the_colours_of_the_theme(disk: Disk) -> None:
    for paper, ink in ((DARK, LIGHT), (LIGHT, DARK)):
        disk.setPalette(palette(paper, ink))
        here, there = np.array(ink.getRgb()[:3]), np.array(paper.getRgb()[:3])
        for i in range(5):
            dot = pixel(disk, i)
            assert np.abs(dot - here).max() < 0.5 * np.abs(dot - there).max()
            np.testing.assert_allclose(pixel(disk, i, right=8)[0], there[0], atol=70)


def test_the_marked_dot_is_orange_and_hollow_dots_are_not_filled(disk: Disk) -> None:
    disk.set_hollow([False, False, False, True, False])
    np.testing.assert_array_equal(pixel(disk, 3), DARK.getRgb()[:3])
    assert pixel(disk, 3, right=4).min() > 100
    assert not is_orange(pixel(disk, 2))
    disk.set_marked(2)
    assert is_orange(pixel(disk, 2))
    disk.set_marked(3)
    assert not is_orange(pixel(disk, 2))
    # Marked and hollow: circles around nothing.
    np.testing.assert_array_equal(pixel(disk, 3), DARK.getRgb()[:3])
    assert is_orange(pixel(disk, 3, right=9))
    disk.set_marked(-1)
    assert not is_orange(pixel(disk, 3, right=9))


def test_dots_may_have_colours_of_their_own(disk: Disk) -> None:
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 255, 0], [9, 99, 199]])
    disk.set_directions(COMPASS, colours)
    for i, colour in enumerate(colours):
        np.testing.assert_array_equal(pixel(disk, i), colour)
    disk.set_hollow([False, True, False, False, False])
    np.testing.assert_array_equal(pixel(disk, 3), [0, 255, 0])
    assert pixel(disk, 1)[1] < 100


def test_a_measured_hemisphere_of_22801_colours(disk: Disk) -> None:
    count = 22801
    z = 1 - (np.arange(count) + 0.5) / count
    azimuth = np.rad2deg(np.arange(count) * np.pi * (3 - np.sqrt(5)))
    vectors = angles_to_vectors(np.rad2deg(np.arccos(z)), azimuth)
    colours = np.full((count, 3), 30, dtype=np.uint8)
    colours[:, 0] = np.where(vectors[:, 0] > 0, 220, 30)
    disk.set_directions(vectors, colours)
    image = disk.grab().toImage()
    side = image.width()
    red = np.array(
        [[image.pixelColor(x, side // 2 - 20).red() for x in range(side // 4, side // 4 * 3)]]
    )[0]
    assert red[: side // 4 - 3].mean() < 60
    assert red[side // 4 + 3 :].mean() > 120


def test_a_click_picks_the_nearest_dot(qtbot: QtBot, disk: Disk) -> None:
    for i in (0, 3, 2, 4, 1):
        with qtbot.waitSignal(disk.picked) as picked:
            qtbot.mouseClick(disk, Qt.MouseButton.LeftButton, pos=at(disk, i) + QPoint(5, -4))
        assert picked.args == [i]
    with qtbot.assertNotEmitted(disk.picked):
        qtbot.mouseClick(disk, Qt.MouseButton.RightButton, pos=at(disk, 0))


def test_the_pressed_mouse_picks_each_dot_it_comes_to_once(qtbot: QtBot, disk: Disk) -> None:
    picked: list[int] = []
    disk.picked.connect(picked.append)
    qtbot.mousePress(disk, Qt.MouseButton.LeftButton, pos=at(disk, 0))
    for step in np.linspace(0, 1, 8):
        place = disk.place_of(0) + step * (disk.place_of(1) - disk.place_of(0))
        move(disk, place.toPoint(), Qt.MouseButton.LeftButton)
    qtbot.mouseRelease(disk, Qt.MouseButton.LeftButton, pos=at(disk, 1))
    assert picked == [0, 1]


def test_the_dot_below_the_mouse_says_its_angles(disk: Disk) -> None:
    hovered: list[int] = []
    disk.hovered.connect(hovered.append)
    move(disk, at(disk, 3) + QPoint(2, 2))
    assert hovered == [3]
    assert QToolTip.text() == "60°, 200°"
    move(disk, at(disk, 2))
    assert hovered == [3, 2]
    assert QToolTip.text() == "45°, 90°"
    move(disk, QPoint(1, 1))
    assert hovered == [3, 2, -1]


@pytest.mark.parametrize("vectors", [np.empty((0, 3)), [[0, 0, -1]], angles_to_vectors(120, 80)])
def test_nothing_to_show_or_below_the_horizon(
    qtbot: QtBot, disk: Disk, vectors: NDArray[np.float64]
) -> None:
    disk.set_marked(2)
    disk.set_directions(vectors)
    assert disk.marked == -1
    disk.grab()
    move(disk, QPoint(150, 150))
    picked: list[int] = []
    disk.picked.connect(picked.append)
    qtbot.mouseClick(disk, Qt.MouseButton.LeftButton, pos=QPoint(150, 20))
    assert picked == [0] * len(disk.vectors)
    for i in range(len(disk.vectors)):
        assert disk.rect().contains(at(disk, i))
