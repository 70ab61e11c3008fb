"""The dock Relight: what moves by itself, photographs beside the image, and coming to an end."""

from __future__ import annotations

import gc
import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import napari_btf
from napari_btf.directions import angle_between, angles_to_vectors
from napari_btf.plugin.jobs.threads import wait_for_all
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.viewer.layers import is_kind
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.relighting.motion import Pose, along, circle, sweep

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

    from napari_btf import CompressedBTF

Angles = tuple[float, float]


def angle(a: Angles, b: Angles) -> float:
    return float(angle_between(angles_to_vectors(*a), angles_to_vectors(*b)))


def set_light(dock: Relight, theta: float, phi: float) -> None:
    dock.light_theta.setValue(theta)
    dock.light_phi.setValue(phi)


def photographs(viewer: ViewerModel) -> list[Any]:
    return [layer for layer in viewer.layers if is_kind(layer, "photograph")]


# --------------------------------------------------------------------------- ways


def test_a_circle_keeps_theta() -> None:
    way = circle((30, 350), 60)
    assert way.length == 360
    assert way.at(20) == Pose(light=(30, 10))
    # Near the normal there is no circle to see: a usual one, within reach.
    assert circle((0, 0), 60).at(90)[0] == (45, 90)
    assert circle((1, 0), 20).at(90)[0] == (20, 90)


def test_a_sweep_goes_to_the_other_side_and_back() -> None:
    way = sweep((40, 30), 60)
    assert way.at(0)[0] == way.at(way.length)[0] == (40, 30)
    assert way.at(40)[0] == (0, 30)
    assert way.at(100)[0] == (60, 210)
    assert way.at(110)[0] == (50, 210)
    assert way.at(220)[0] == (60, 30)
    # Evenly, a degree for a degree.
    places = [way.at(degrees)[0] for degrees in range(241)]
    steps = [angle(a, b) for a, b in pairwise(places)]
    np.testing.assert_allclose(steps, 1, atol=1e-6)


def test_keyframes_are_joined_by_great_circles() -> None:
    keys = [
        Pose((60.0, 0.0), (0.0, 0.0)),
        Pose((60.0, 180.0), (10.0, 90.0)),
        Pose((60.0, 180.0), (0.0, 0.0)),
    ]
    way = along(keys)
    assert way.length == pytest.approx(120 + 15)
    assert way.at(0) == keys[0]
    assert way.at(120)[0] == pytest.approx(keys[1][0])
    assert way.at(way.length) == keys[2]
    light, view, _ = way.at(30)
    assert light == pytest.approx((30, 0))
    assert view == pytest.approx((2.5, 90))
    assert way.at(60)[0][0] == pytest.approx(0, abs=1e-6)
    # Back to the first one.
    assert along(keys, closed=True).length == pytest.approx(120 + 15 + 120)
    # Opposite points of the horizon: over the normal.
    half = along([Pose((90.0, 0.0), (0.0, 0.0)), Pose((90.0, 180.0), (0.0, 0.0))]).at(45)[0]
    assert half == pytest.approx((45, 0))


# --------------------------------------------------------------------------- playing


def test_the_light_circles_until_it_is_stopped(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    set_light(dock, 40, 10)
    dock.player.speed.setValue(240)
    assert dock.player.stop_button.toolTip() == "Nothing moves"
    dock.player.circle.click()
    qtbot.waitUntil(lambda: 50 < dock.light[1] < 300)
    assert dock.light[0] == 40
    # The other direction may be moved meanwhile.
    dock.view_theta.setValue(9)
    assert dock.player.playing
    dock.player.stop_button.click()
    assert not dock.player.playing
    light = dock.light
    expected = napari_btf.relight(model, light, (9, 0))
    qtbot.waitUntil(lambda: np.array_equal(dock.image_layer().data, expected))
    assert dock.light == light


def test_a_hand_on_the_light_stops_it(qtbot: QtBot, dock: Relight) -> None:
    dock.player.sweep.click()
    qtbot.waitUntil(lambda: dock.light[0] > 1)
    dock.light_theta.setValue(33)
    assert not dock.player.playing
    assert dock.light[0] == 33


def test_without_loop_it_ends_where_it_began(qtbot: QtBot, dock: Relight) -> None:
    set_light(dock, 20, 70)
    dock.player.loop.setChecked(False)
    dock.player.speed.setValue(240)
    with qtbot.waitSignal(dock.player.stopped):
        dock.player.sweep.click()
    assert angle(dock.light, (20, 70)) < 0.02


def test_keyframes_are_played(qtbot: QtBot, dock: Relight) -> None:
    player = dock.player
    assert player.along.toolTip() == "Add two keyframes first"
    keys = [Pose((10.0, 0.0), (0.0, 0.0)), Pose((50.0, 0.0), (15.0, 90.0))]
    for light, view, _ in keys:
        set_light(dock, *light)
        dock.view_theta.setValue(view[0])
        dock.view_phi.setValue(view[1])
        player.add.click()
    assert player.keyframes == tuple(keys)
    assert player.list.item(1).text() == "2   light 50°, 0°   view 15°, 90°"
    player.list.itemActivated.emit(player.list.item(0))
    assert (dock.light, dock.view) == keys[0][:2]

    player.loop.setChecked(False)
    player.speed.setValue(240)
    seen: list[Angles] = []
    dock.scene.changed.connect(lambda: seen.append(dock.light))
    with qtbot.waitSignal(player.stopped):
        player.along.click()
    assert (dock.light, dock.view) == keys[1][:2]
    assert all(10 <= theta <= 50 for theta, _ in seen)
    player.clear.click()
    assert player.keyframes == ()
    assert not player.along.isEnabled()


def test_a_lock_holds_against_playing(qtbot: QtBot, dock: Relight) -> None:
    player = dock.player
    for theta in (0.0, 12.0):
        dock.light_theta.setValue(2 * theta)
        dock.view_theta.setValue(theta)
        player.add.click()
    dock.light_box.lock.click()
    player.along.click()
    qtbot.waitUntil(lambda: 0 < dock.view[0] < 12)
    assert dock.light == (24, 0)
    dock.view_box.lock.click()
    assert not player.playing
    assert player.along.toolTip() == "Light and view are locked"


def test_nothing_moves_in_a_hidden_dock(qtbot: QtBot, dock: Relight) -> None:
    dock.player.circle.click()
    qtbot.waitUntil(lambda: dock.light[1] > 0)
    dock.hide()
    assert not dock.player.playing
    light, pixels = dock.light, dock.image_layer().data.copy()
    qtbot.wait(100)
    assert dock.light == light
    np.testing.assert_array_equal(dock.image_layer().data, pixels)
    assert not dock.renderer.busy


def test_another_model_stops_it(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, one_view_model: CompressedBTF
) -> None:
    dock.player.circle.click()
    workspace_of(loaded).models.current = one_view_model
    assert not dock.player.playing
    expected = napari_btf.relight(one_view_model, dock.light)[..., 0]
    qtbot.waitUntil(lambda: np.array_equal(dock.image_layer().data, expected))
    dock.player.circle.click()
    workspace_of(loaded).models.current = None
    assert not dock.player.playing
    assert not dock.player.circle.isEnabled()


def test_dragging_leaks_nothing(qtbot: QtBot, dock: Relight) -> None:
    def drag(count: int) -> int:
        for i in range(count):
            set_light(dock, 10.0 + i % 40, 7.0 * i % 360)
            if i % 5 == 0:
                qtbot.waitUntil(lambda: not dock.renderer.busy)
        qtbot.waitUntil(lambda: not dock.renderer.busy)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    drag(40)
    tracemalloc.start()
    try:
        drag(40)
        used = [drag(50) for _ in range(4)]
        # An image that is kept each time would be 2.3 kB, 115 kB a round. What is loaded or cached
        # once is in one round alone.
        assert np.diff(used).min() < 50_000
    finally:
        # A thread that ends frees memory, and CPython 3.11 crashes if tracing stops at that
        # moment (https://github.com/python/cpython/issues/128679).
        assert wait_for_all(120)
        tracemalloc.stop()


# --------------------------------------------------------------------------- photographs


def test_the_nearest_photograph_stands_beside_the_image(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, capture: Any
) -> None:
    set_light(dock, 30, 100)
    active = loaded.layers.selection.active
    dock.photograph.box.click()
    assert dock.photograph.note.text() == ("light 30°, 90°, 5.0° away\nview 0°, 0°, the same")
    qtbot.waitUntil(lambda: bool(photographs(loaded)))
    (layer,) = photographs(loaded)
    assert loaded.layers.selection.active == active
    # Views outermost; light 30, 90 is the third of the nine.
    np.testing.assert_array_equal(layer.data, capture.frames[2])
    assert layer.translate[-1] > dock.image_layer().extent.world[1][-1]

    dock.view_theta.setValue(15)
    dock.view_phi.setValue(80)
    qtbot.waitUntil(lambda: np.array_equal(layer.data, capture.frames[9 + 2]))
    assert dock.photograph.note.text().endswith("view 15°, 90°, 2.6° away")
    dock.photograph.box.click()
    assert not photographs(loaded)


def test_a_deleted_photograph_is_not_wanted_any_more(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight
) -> None:
    dock.photograph.box.click()
    qtbot.waitUntil(lambda: bool(photographs(loaded)))
    loaded.layers.remove(photographs(loaded)[0])
    assert not dock.photograph.box.isChecked()
    set_light(dock, 60, 180)
    qtbot.waitUntil(lambda: not dock.renderer.busy)
    assert not photographs(loaded)


def test_without_the_capture_there_are_no_photographs(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight
) -> None:
    dock.photograph.box.click()
    qtbot.waitUntil(lambda: bool(photographs(loaded)))
    loaded.layers.remove(loaded.layers["cloth"])
    qtbot.waitUntil(lambda: not photographs(loaded))
    assert dock.photograph.box.toolTip() == "Open the capture of this model to see its photographs."
    assert not dock.photograph.box.isEnabled()


def test_a_photograph_that_cannot_be_read_is_told(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, capture: Any
) -> None:
    damaged = capture.truncate(8)
    set_light(dock, 60, 270)
    dock.photograph.box.click()
    qtbot.waitUntil(lambda: damaged.name in dock.photograph.note.text())
    set_light(dock, 60, 180)
    qtbot.waitUntil(lambda: bool(photographs(loaded)))


# --------------------------------------------------------------------------- ends


def test_all_layers_may_go_while_it_plays(qtbot: QtBot, loaded: ViewerModel, dock: Relight) -> None:
    dock.photograph.box.click()
    qtbot.waitUntil(lambda: bool(photographs(loaded)))
    dock.player.circle.click()
    qtbot.waitUntil(lambda: dock.renderer.busy)
    loaded.layers.clear()
    qtbot.wait(100)
    assert len(loaded.layers) == 0
    assert not dock.player.playing


def test_a_dock_may_go_while_it_plays(
    qtbot: QtBot, loaded: ViewerModel, model: CompressedBTF
) -> None:
    workspace_of(loaded).models.current = model
    dock = Relight(loaded)
    dock.show()
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    dock.photograph.box.click()
    dock.player.circle.click()
    qtbot.waitUntil(lambda: dock.light[1] > 0)
    with qtbot.waitSignal(dock.destroyed):
        dock.close()
        dock.deleteLater()
    qtbot.waitUntil(lambda: wait_for_all(0))
    # What it listened to goes on without it.
    workspace_of(loaded).models.current = None
    loaded.layers.clear()
