"""One texel under the mouse, under all lights."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from select_hand import Hand, point_at

import napari_btf
from napari_btf.directions import AzimuthConvention, vectors_to_angles
from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.select_texels import SelectTexels
from napari_btf.plugin.viewer.layers import capture_layer_data
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification
    from pytestqt.qtbot import QtBot


def colours(hand: Hand) -> np.ndarray:
    return hand.dock.texel.disk.colours


def test_the_texel_below_the_mouse_under_all_lights(
    hand: Hand, loaded: ViewerModel, capture: Any
) -> None:
    texel = hand.dock.texel
    point_at(loaded, 5.2, 7.4)
    hand.qtbot.waitUntil(lambda: len(texel.disk.vectors) == 9)
    frames = np.array(capture.frames).reshape(2, 9, 24, 32, 3)
    view, light = loaded.dims.current_step[:2]
    # Lights are written in the order in which the capture arranges them.
    np.testing.assert_array_equal(colours(hand), frames[view, :, 5, 7])
    assert texel.disk.marked == light
    assert texel.note.text() == f"x 7, y 5 under 9 lights, view {('0°, 0°', '15°, 90°')[view]}"

    # The images of this view are read: no waiting any more.
    point_at(loaded, 20, 30)
    np.testing.assert_array_equal(colours(hand), frames[view, :, 20, 30])
    point_at(loaded, 200, 30)
    assert texel.texel == (20, 30)

    # Sliders and dots go together.
    loaded.dims.set_current_step(1, 4)
    assert texel.disk.marked == 4
    texel.disk.picked.emit(7)
    assert loaded.dims.current_step[1] == 7
    loaded.dims.set_current_step(0, 1 - view)
    hand.qtbot.waitUntil(lambda: np.array_equal(colours(hand), frames[1 - view, :, 20, 30]))


def test_the_mouse_moves_on_while_images_are_read(
    gated: tuple[Hand, Event], viewer: ViewerModel, capture: Any
) -> None:
    hand, gate = gated
    texel = hand.dock.texel
    point_at(viewer, 5, 7)
    hand.qtbot.waitUntil(lambda: texel.jobs.running)
    point_at(viewer, 9, 8)
    point_at(viewer, 20, 30)
    assert colours(hand) is None
    gate.set()
    hand.qtbot.waitUntil(lambda: colours(hand) is not None)
    frames = np.array(capture.frames).reshape(2, 9, 24, 32, 3)
    view = viewer.dims.current_step[0]
    np.testing.assert_array_equal(colours(hand), frames[view, :, 20, 30])


def test_captures_in_memory_are_looked_at_at_once(
    viewer: ViewerModel, capture: Any, open_dock: Callable[..., Any]
) -> None:
    btf = napari_btf.read(capture.folder).in_memory()
    data, options, _ = capture_layer_data(btf)
    viewer.add_image(data, **options)
    dock = open_dock(SelectTexels, viewer)
    point_at(viewer, 3, 4)
    view = viewer.dims.current_step[0]
    observations = btf.grid.observations[view]
    np.testing.assert_array_equal(dock.texel.disk.colours, btf.frames[observations, 3, 4])
    assert not dock.texel.jobs.running


def test_turning_the_capture_turns_the_dots(hand: Hand, loaded: ViewerModel) -> None:
    texel = hand.dock.texel
    point_at(loaded, 5, 7)
    hand.qtbot.waitUntil(lambda: len(texel.disk.vectors) == 9)
    workspace_of(loaded).captures.turn(loaded.layers["cloth"], AzimuthConvention(True, 0.0))
    btf = hand.dock.captures.btf
    hand.qtbot.waitUntil(lambda: np.allclose(texel.disk.vectors, btf.grid.lights, atol=1e-6))


def test_a_damaged_image_is_told_in_place(
    hand: Hand, loaded: ViewerModel, capture: Any, notifications: list[Notification]
) -> None:
    view = loaded.dims.current_step[0]
    path = capture.truncate(9 * view + 2)
    point_at(loaded, 5, 7)
    hand.qtbot.waitUntil(lambda: str(path) in hand.dock.texel.note.text())
    assert not notifications


def test_no_one_looks_at_texels_while_the_dock_is_hidden(hand: Hand, loaded: ViewerModel) -> None:
    texel = hand.dock.texel
    point_at(loaded, 5, 7)
    hand.dock.texel_section.collapse()
    point_at(loaded, 6, 7)
    assert texel.texel == (5, 7)
    hand.dock.texel_section.expand()
    point_at(loaded, 6, 7)
    assert texel.texel == (6, 7)
    hand.dock.hide()
    point_at(loaded, 8, 7)
    assert texel.texel == (6, 7)
    assert not loaded.mouse_move_callbacks
    hand.dock.show()
    del loaded.layers["cloth"]
    point_at(loaded, 8, 7)
    assert texel.texel is None
    assert not len(texel.disk.vectors)


def test_a_capture_without_a_grid(
    qtbot: QtBot,
    viewer: ViewerModel,
    make_capture: Callable[..., Any],
    open_dock: Callable[..., Any],
) -> None:
    # Every view has a light of its own, but for the last, which has three.
    pairs = [((10 * i, 20 * i), (60, 40 * i)) for i in range(5)]
    pairs += [((40, 80), (15, 0)), ((40, 80), (30, 0))]
    capture = make_capture(pairs=pairs)
    open_path(viewer, capture.folder)
    dock = open_dock(SelectTexels, viewer)
    disk = dock.texel.disk
    viewer.dims.set_current_step(0, 6)
    point_at(viewer, 3, 4)
    qtbot.waitUntil(lambda: len(disk.vectors) == 3)
    frames = np.array(capture.frames)
    theta = vectors_to_angles(disk.vectors)[0].round().astype(int).tolist()
    assert theta == [15, 30, 60]
    np.testing.assert_array_equal(disk.colours, frames[[5, 6, 4], 3, 4])
    assert disk.marked == 1
