from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_btf.plugin.latent_space.map.canvas import MapCanvas
from napari_btf.plugin.latent_space.map.picture import MapView, map_picture
from napari_btf.plugin.viewer.selection import LIT

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

LEFT = Qt.MouseButton.LeftButton
NO_KEY = Qt.KeyboardModifier.NoModifier
#: Five points: four corners of a square and its middle.
POINTS = np.array([(0, 0), (10, 0), (10, 10), (0, 10), (5, 5)], dtype=np.float32)
COLOURS = np.array(
    [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 255), (255, 0, 255)], dtype=np.uint8
)


@pytest.fixture
def canvas(qtbot: QtBot) -> MapCanvas:
    canvas = MapCanvas()
    qtbot.addWidget(canvas)
    canvas.resize(300, 260)
    canvas.set_points(POINTS, COLOURS, np.zeros(5, dtype=bool))
    with qtbot.waitExposed(canvas):
        canvas.show()
    return canvas


def drag(canvas: MapCanvas, *places: QPointF, button: Any = LEFT, key: Any = NO_KEY) -> None:
    QTest.mousePress(canvas, button, key, places[0].toPoint())
    for start, end in itertools.pairwise(places):
        for share in np.linspace(0, 1, 6)[1:]:
            place = start + (end - start) * float(share)
            moved = QMouseEvent(
                QEvent.Type.MouseMove, place, canvas.mapToGlobal(place), button, button, key
            )
            QApplication.sendEvent(canvas, moved)
    QTest.mouseRelease(canvas, button, key, places[-1].toPoint())


def move(canvas: MapCanvas, place: QPointF) -> None:
    """The mouse moves, no button pressed: in a test no window manager tells it."""
    moved = QMouseEvent(
        QEvent.Type.MouseMove,
        place,
        canvas.mapToGlobal(place),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        NO_KEY,
    )
    QApplication.sendEvent(canvas, moved)


def around(canvas: MapCanvas, *numbers: int) -> list[QPointF]:
    """A way around some points: a square of 24 pixels about each of them, joined."""
    places = [canvas.place_of(i) for i in numbers]
    left, right = (f(p.x() for p in places) for f in (min, max))
    top, bottom = (f(p.y() for p in places) for f in (min, max))
    return [
        QPointF(left - 12, top - 12),
        QPointF(right + 12, top - 12),
        QPointF(right + 12, bottom + 12),
        QPointF(left - 12, bottom + 12),
    ]


def heard(canvas: MapCanvas) -> list[tuple[list[int], str]]:
    found: list[tuple[list[int], str]] = []
    canvas.chosen.connect(lambda mask, how: found.append((np.flatnonzero(mask).tolist(), how)))
    return found


def test_a_lasso_takes_what_it_goes_around(canvas: MapCanvas) -> None:
    chosen = heard(canvas)
    drag(canvas, *around(canvas, 2, 3))
    drag(canvas, *around(canvas, 4), key=Qt.KeyboardModifier.ShiftModifier)
    drag(canvas, *around(canvas, 2), key=Qt.KeyboardModifier.AltModifier)
    assert chosen == [([2, 3], "replace"), ([4], "add"), ([2], "subtract")]


def test_a_lasso_is_no_rectangle(canvas: MapCanvas) -> None:
    # An L around three corners: the fourth one and the middle are in its rectangle alone.
    chosen = heard(canvas)
    top_left, _, bottom_right, bottom_left = around(canvas, 0, 1, 2, 3)
    inner = canvas.place_of(4) + QPointF(-20, 20)
    top, right = QPointF(inner.x(), top_left.y()), QPointF(bottom_right.x(), inner.y())
    drag(canvas, top_left, top, inner, right, bottom_right, bottom_left)
    assert chosen == [([0, 1, 3], "replace")]
    canvas.set_mode("rectangle")
    box = around(canvas, 0, 1, 2, 3)
    drag(canvas, box[0], box[2])
    assert chosen[-1] == ([0, 1, 2, 3, 4], "replace")


def test_a_click_takes_the_nearest_point(canvas: MapCanvas) -> None:
    chosen, picked = heard(canvas), []
    canvas.picked.connect(picked.append)
    canvas.set_mode("click")
    QTest.mouseClick(canvas, LEFT, NO_KEY, (canvas.place_of(2) + QPointF(-5, 4)).toPoint())
    assert (chosen, picked) == ([([2], "replace")], [2])
    # Where there is none, nothing is selected any more; and with Shift what was stays.
    nowhere = (canvas.place_of(4) + QPointF(40, 0)).toPoint()
    QTest.mouseClick(canvas, LEFT, Qt.KeyboardModifier.ShiftModifier, nowhere)
    QTest.mouseClick(canvas, LEFT, NO_KEY, nowhere)
    assert chosen[1:] == [([], "replace")]
    assert picked == [2]


def test_the_mouse_says_what_it_is_at(canvas: MapCanvas) -> None:
    found: list[int] = []
    canvas.hovered.connect(found.append)
    for i in (3, 1):
        move(canvas, canvas.place_of(i) + QPointF(2, 2))
    move(canvas, canvas.place_of(4) + QPointF(40, 0))
    assert found == [3, 1, -1]


def test_the_wheel_keeps_what_is_below_it_and_a_double_click_shows_all(canvas: MapCanvas) -> None:
    before = [canvas.place_of(i) for i in range(5)]
    place = before[2]
    wheel = QWheelEvent(
        place,
        canvas.mapToGlobal(place),
        QPoint(0, 0),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        NO_KEY,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas, wheel)
    assert wheel.isAccepted()
    after = canvas.place_of(2)
    assert (after - place).manhattanLength() < 0.1
    apart = canvas.place_of(3) - after
    assert apart.manhattanLength() == pytest.approx(
        1.44 * (before[3] - place).manhattanLength(), rel=1e-3
    )
    drag(canvas, QPointF(100, 100), QPointF(130, 90), button=Qt.MouseButton.RightButton)
    moved = canvas.place_of(2) - after
    assert (moved.x(), moved.y()) == pytest.approx((30, -10), abs=0.1)
    QTest.mouseDClick(canvas, LEFT, NO_KEY, QPoint(150, 130))
    assert [canvas.place_of(i) for i in range(5)] == before


def test_the_pixels_show_colours_and_what_is_selected(canvas: MapCanvas) -> None:
    def pixel(i: int) -> tuple[int, ...]:
        colour = canvas.grab().toImage().pixelColor(canvas.place_of(i).toPoint())
        return colour.red(), colour.green(), colour.blue()

    for i, colour in enumerate(COLOURS.tolist()):
        assert np.abs(np.subtract(pixel(i), colour)).max() < 40
    canvas.set_selected(np.arange(5) == 4)
    assert pixel(4) == LIT
    # The others stay to be seen, but paler.
    ground = canvas.grab().toImage().pixelColor(5, 130)
    assert pixel(0) != LIT
    assert np.abs(np.subtract(pixel(0), (ground.red(), ground.green(), ground.blue()))).max() > 0


def test_other_points_leave_the_view_where_it_is(canvas: MapCanvas) -> None:
    # So a picture that is being computed does not jump about under the mouse.
    drag(canvas, QPointF(100, 100), QPointF(130, 90), button=Qt.MouseButton.RightButton)
    before = canvas.place_of(4)
    canvas.set_points(POINTS[::-1].copy(), COLOURS, np.zeros(5, dtype=bool))
    assert canvas.place_of(0) == before
    canvas.set_points(np.zeros((0, 2)), np.zeros((0, 3), np.uint8), np.zeros(0, bool))
    canvas.set_hint("nothing yet")
    assert not canvas.grab().isNull()


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(1e-2, 1e2), st.floats(0.2, 5.0))
def test_a_view_and_back(x: float, y: float, scale: float, factor: float) -> None:
    view = MapView((1.5, -2.0), scale, (320, 240))
    place = view.places(np.array([[x, y]]))[0]
    assert view.point(*place) == pytest.approx((x, y), rel=1e-3, abs=1e-3 + 1e-2 / scale)
    nearer = view.zoomed(factor, 100.0, 50.0)
    assert nearer.point(100.0, 50.0) == pytest.approx(
        view.point(100.0, 50.0), abs=1e-6 + 1e-6 / scale
    )
    assert nearer.scale == pytest.approx(factor * scale)


def test_many_points_become_their_mean_colour_and_no_dot_is_lost() -> None:
    rng = np.random.default_rng(0)
    view = MapView((0.0, 0.0), 1.0, (80, 60))
    points = np.concatenate([np.zeros((5000, 2)), rng.uniform(-25, 25, (50, 2))])
    colours = np.full((5050, 3), 200, dtype=np.uint8)
    colours[:2500] = 100
    picture = map_picture(view, points, colours, np.zeros(5050, dtype=bool))
    # The pile in the middle hides what is behind it, and is of both colours.
    assert picture[30, 40].tolist() == [150, 150, 150, 255]
    places = np.rint(view.places(points[5000:])).astype(int)
    assert (picture[places[:, 1], places[:, 0], 3] > 0).all()
    # Points far outside leave no trace at the edges.
    outside = map_picture(view, np.array([(1e6, 0), (0, -1e6)]), colours[:2], np.zeros(2, bool))
    assert not outside.any()
