"""The scene of Relight, without a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_btf import CompressedBTF
from napari_btf.plugin.relight.lamp import Lamp
from napari_btf.plugin.relight.scene import MOST_LAMPS, NO_MODEL, NORMAL, Direction, Scene
from napari_btf.relighting import Environment, find_environment
from napari_btf.relighting.looks import Look, Shape
from napari_btf.relighting.motion import Pose


@pytest.fixture
def scene(model: CompressedBTF) -> Scene:
    scene = Scene()
    scene.set_model(model)
    return scene


@pytest.fixture
def heard(scene: Scene) -> list[str]:
    """The signals of the scene, in order."""
    heard: list[str] = []
    scene.moved.connect(lambda *parts: heard.append(f"moved {parts}"))
    scene.replaced.connect(lambda: heard.append("replaced"))
    scene.allowed.connect(lambda: heard.append("allowed"))
    scene.changed.connect(lambda: heard.append("changed"))
    return heard


def test_a_direction_keeps_its_azimuth_at_the_normal() -> None:
    assert Direction.of(-3, 721.004) == (0, 1)
    np.testing.assert_allclose(Direction.of(0, 90).vector, (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(Direction(90, 90).vector, (0, 1, 0), atol=1e-12)


def test_a_move_is_told_before_the_change(scene: Scene, heard: list[str]) -> None:
    scene.move_light(Direction(40, 20))
    assert heard == ["moved (True, False, False)", "changed"]
    heard.clear()
    scene.go_to(Pose(view=(10.004, 370.0)))
    assert (scene.light, scene.view) == ((40, 20), (10, 10))
    assert heard == ["changed"]


def test_a_link_moves_both_until_something_is_locked(scene: Scene, heard: list[str]) -> None:
    scene.move_view(Direction(10, 90))
    scene.link(True)
    assert scene.light == (10, 90)
    scene.move_light(Direction(5, 5))
    assert scene.view == (5, 5)
    scene.lock_light(True)
    assert not scene.is_linked
    assert scene.limits.light == "The light is locked"
    heard.clear()
    scene.move_light(Direction(50, 0))
    assert scene.light == (5, 5)
    # The widget that asked shows where the light has stayed.
    assert heard == ["changed"]
    scene.lock_view(True)
    assert scene.limits.everything == "Light and view are locked"


def test_lamps_are_added_chosen_and_removed(scene: Scene, heard: list[str]) -> None:
    assert scene.shot().lighting is None
    scene.move_light(Direction(40, 20))
    heard.clear()
    scene.add_lamp()
    assert heard == ["replaced", "allowed", "changed"]
    scene.move_light(Direction(50, 0))
    scene.choose_lamp(0)
    assert scene.light == (40, 20)
    scene.switch_lamp(0, False)
    lighting = scene.shot().lighting
    assert isinstance(lighting, tuple)
    assert [(x.theta, x.intensity) for x in lighting] == [(40, 0), (50, 0.5)]
    scene.switch_lamp(0, True)
    scene.remove_lamp()
    scene.remove_lamp()
    assert [lamp.direction for lamp in scene.lamps] == [(50, 0)]
    for _ in range(20):
        scene.add_lamp()
    assert len(scene.lamps) == MOST_LAMPS


def test_a_light_that_is_added_keeps_the_brightness(scene: Scene) -> None:
    scene.dim_lamp(1.5)
    scene.add_lamp()
    scene.add_lamp()
    assert [lamp.intensity for lamp in scene.lamps] == [0.5, 0.5, 0.5]
    scene.switch_lamp(0, False)
    scene.remove_lamp()
    assert [lamp.intensity for lamp in scene.lamps] == [0.5, 1.0]
    scene.remove_lamp()
    assert scene.lamps == (Lamp(intensity=0.5, is_on=False),)


def test_a_look_belongs_to_one_light_and_one_surface(
    scene: Scene, heard: list[str], one_view_model: CompressedBTF
) -> None:
    shape = Shape(np.zeros((1, 1, 3), np.float32), np.zeros((1, 1, 3), np.uint8))
    look = Look("normals", shape)
    scene.set_look(look)
    assert heard == ["changed"]
    assert scene.shot().look is look
    scene.add_lamp()
    assert "one white light" in scene.why_no_look
    assert scene.shot().look is None
    scene.remove_lamp()
    assert scene.shot().look is look
    scene.set_model(one_view_model)
    assert scene.shot().look is None


def test_an_environment_takes_the_place_of_the_lamps(scene: Scene, heard: list[str]) -> None:
    studio = find_environment("studio")
    scene.surround(studio)
    assert heard == ["replaced", "allowed", "changed"]
    scene.turn_to(370)
    shown = scene.shot().lighting
    assert isinstance(shown, Environment)
    assert (shown.name, shown.turn) == (studio.name, 10.0)
    turned = scene.shot(Pose(turn=-10)).lighting
    assert isinstance(turned, Environment)
    assert turned.turn == 350.0
    assert scene.pose.turn == 10
    assert not scene.is_light_free
    scene.surround(None)
    assert scene.pose == (NORMAL, NORMAL, None)


def test_exposure_and_gamma_count_only_where_they_are_offered(
    scene: Scene, model: CompressedBTF
) -> None:
    scene.expose(-1.5)
    scene.set_gamma(2.0)
    assert (scene.shot().exposure, scene.shot().gamma) == (0, None)
    scene.add_lamp()
    assert (scene.shot().exposure, scene.shot().gamma) == (-1.5, None)
    scene.set_model(replace(model, dtype=np.dtype(np.float32)))
    assert (scene.shot().exposure, scene.shot().gamma) == (-1.5, 2.0)


def test_the_model_says_what_may_move(
    scene: Scene, model: CompressedBTF, one_view_model: CompressedBTF
) -> None:
    scene.link(True)
    scene.move_view(Direction(12, 3))
    scene.set_model(one_view_model)
    assert (scene.view, scene.is_linked, scene.is_view_free) == (NORMAL, False, False)
    scene.set_model(None)
    assert scene.limits.everything == NO_MODEL
    edited = replace(model)
    shown = Scene(lambda _: edited)
    shown.set_model(model)
    assert shown.model is model
    assert shown.shot().model is edited
