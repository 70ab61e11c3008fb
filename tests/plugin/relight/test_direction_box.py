"""One direction as a handle, as numbers and on sliders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QSlider, QStyle, QStyleOptionSlider

import napari_btf
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.relight.direction_box import DirectionBox
from napari_btf.plugin.relight.scene import Direction
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def box(qtbot: QtBot) -> DirectionBox:
    box = DirectionBox("light")
    qtbot.addWidget(box)
    box.resize(140, 300)
    with qtbot.waitExposed(box):
        box.show()
    return box


@pytest.fixture
def moves(box: DirectionBox) -> list[tuple[float, float]]:
    """The angles at each move that the box tells of."""
    moves: list[tuple[float, float]] = []
    box.moved.connect(moves.append)
    return moves


def handle_of(slider: QSlider) -> QPoint:
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    style = slider.style()
    assert style is not None
    control, handle = QStyle.ComplexControl.CC_Slider, QStyle.SubControl.SC_SliderHandle
    return style.subControlRect(control, option, handle, slider).center()


def test_a_slider_is_dragged(
    qtbot: QtBot, box: DirectionBox, moves: list[tuple[float, float]]
) -> None:
    rests: list[None] = []
    box.rested.connect(lambda: rests.append(None))
    box.set_direction(Direction(30, 0))
    slider, start = box.theta_slider, handle_of(box.theta_slider)
    qtbot.mousePress(slider, LEFT, pos=start)
    for step in (5, 10, 20):
        qtbot.mouseMove(slider, start + QPoint(step, 0))
    assert len(moves) == 3
    assert not rests
    qtbot.mouseRelease(slider, LEFT, pos=start + QPoint(20, 0))
    assert len(rests) == 1
    theta, phi = moves[-1]
    assert theta > 40
    assert phi == 0
    assert [theta for theta, _ in moves] == sorted(theta for theta, _ in moves)
    assert (box.theta.value(), box.phi.value()) == (theta, phi)
    assert slider.value() == round(100 * theta)


def test_numbers_sliders_and_handle_say_the_same(
    qtbot: QtBot, box: DirectionBox, moves: list[tuple[float, float]]
) -> None:
    for number, slider, value in (
        (box.theta, box.theta_slider, 33.37),
        (box.phi, box.phi_slider, 359.99),
    ):
        number.setValue(value)
        assert slider.value() == round(100 * value)
        # A slider that follows does not round.
        assert number.value() == value
    assert moves == [(33.37, 0.0), (33.37, 359.99)]
    qtbot.keyClick(box.theta_slider, Qt.Key.Key_Right)
    qtbot.keyClick(box.phi_slider, Qt.Key.Key_PageDown)
    assert moves[-1] == (34.37, 349.99)
    assert (box.theta.value(), box.phi.value()) == moves[-1]
    qtbot.keyClick(box.disk, Qt.Key.Key_Home)
    assert box.theta_slider.value() == 0
    assert len(moves) == 5


def test_the_wheel_scrolls_the_dock_over_a_slider(
    box: DirectionBox, moves: list[tuple[float, float]]
) -> None:
    slider = box.phi_slider
    place = QPointF(slider.rect().center())
    no_button, no_key = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    wheel = QWheelEvent(
        place,
        slider.mapToGlobal(place),
        QPoint(),
        QPoint(0, 120),
        no_button,
        no_key,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(slider, wheel)
    assert not wheel.isAccepted()
    assert not moves


def test_who_is_shown_angles_does_not_tell(
    box: DirectionBox, moves: list[tuple[float, float]]
) -> None:
    box.set_direction(Direction.of(12.5, 721))
    assert (box.theta_slider.value(), box.phi_slider.value()) == (1250, 100)
    assert not moves


def test_a_locked_box_has_no_sliders_to_move(box: DirectionBox) -> None:
    sliders = box.theta_slider, box.phi_slider
    assert all(slider.isEnabled() for slider in sliders)
    assert box.theta_slider.toolTip() == box.theta.toolTip()
    box.lock.click()
    for slider in sliders:
        assert not slider.isEnabled()
        assert slider.toolTip() == "The light is locked"
    box.lock.click()
    assert all(slider.isEnabled() for slider in sliders)


def test_the_image_follows_a_slider(
    qtbot: QtBot,
    loaded: ViewerModel,
    open_dock: Callable[..., Any],
    model: napari_btf.CompressedBTF,
) -> None:
    workspace_of(loaded).models.current = model
    dock: Relight = open_dock(Relight, loaded)
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    for link, light, view in (
        (False, (50.0, 0.0), (0.0, 0.0)),
        (True, (12.0, 30.0), (12.0, 30.0)),
    ):
        dock.pair.link.setChecked(link)
        box = dock.pair.view_box if link else dock.pair.light_box
        box.theta_slider.setValue(round(100 * light[0]))
        box.phi_slider.setValue(round(100 * light[1]))
        expected = napari_btf.relight(model, light, view)
        qtbot.waitUntil(lambda expected=expected: np.array_equal(dock.image_layer().data, expected))
        assert (dock.light, dock.view) == (light, view)
