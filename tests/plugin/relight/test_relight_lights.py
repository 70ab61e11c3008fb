"""The dock Relight: several lights, environments, what is visible, estimates of the surface."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor

import napari_btf
from napari_btf.plugin.jobs.renderer import Renderer
from napari_btf.plugin.jobs.threads import wait_for_all
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.relight.visible import visible
from napari_btf.plugin.viewer.layers import TAG, is_kind
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.progress import finish
from napari_btf.relighting import Light, Relighter, estimate_surface, find_environment
from napari_btf.relighting.shots import Shot
from napari_btf.values import to_display, to_linear

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification
    from pytestqt.qtbot import QtBot

    from napari_btf import CompressedBTF

Angles = tuple[float, float]
ORANGE = (1.0, 128 / 255, 0.0)


def set_light(dock: Relight, theta: float, phi: float) -> None:
    dock.light_theta.setValue(theta)
    dock.light_phi.setValue(phi)


def shows(qtbot: QtBot, dock: Relight, lighting: Any, view: Angles = (0, 0), **how: Any) -> None:
    """Wait until the layer has the image that a `Relighter` makes.

    A few values may be one level off, because either may be made by NumPy or by machine code, which
    is loaded in the background.
    """
    expected = Relighter(dock._workspace.models.current).frame(lighting, view, **how)
    if expected.shape[2] == 1:
        expected = expected[..., 0]

    def is_shown() -> bool:
        shown = dock.image_layer().data
        if shown.shape != expected.shape or shown.dtype != expected.dtype:
            return False
        apart = np.abs(shown.astype(float) - expected)
        return bool(apart.max() <= 1 and np.mean(apart > 0) < 0.01)

    qtbot.waitUntil(is_shown)


def orange(theta: float, phi: float, intensity: float = 1.0) -> Light:
    red, green, blue = to_linear(np.array(ORANGE, dtype=np.float32)).tolist()
    return Light(theta, phi, (red, green, blue), intensity)


def half(theta: float, phi: float) -> Light:
    """One of two lights that are together as bright as one light of the capture."""
    return Light(theta, phi, intensity=0.5)


# --------------------------------------------------------------------------- lights


def test_lights_are_added_moved_and_taken_away(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight
) -> None:
    lights = dock.lights
    assert not lights.remove.isEnabled()
    set_light(dock, 40, 20)
    shows(qtbot, dock, (40, 20))
    lights.add.click()
    # Two where one was, and as bright as the one.
    shows(qtbot, dock, [half(40, 20), half(40, 20)])
    set_light(dock, 55, 200)
    lights.set_colour(QColor(255, 128, 0))
    lights.intensity.setValue(0.4)
    shows(qtbot, dock, [half(40, 20), orange(55, 200, 0.4)])
    text = "relit  2 lights 40°, 20°; 55°, 200°\nview 0°, 0°"
    qtbot.waitUntil(lambda: text in loaded.canvas.overlays.text.text)
    qtbot.waitUntil(lambda: lights.list.item(1).text() == "2   55°, 200°   × 0.4")

    # The handle moves the chosen one, and is where that is.
    lights.list.setCurrentRow(0)
    assert dock.light == (40, 20)
    assert lights.intensity.value() == 0.5
    lights.intensity.setValue(0.6)
    set_light(dock, 10, 20)
    shows(qtbot, dock, [Light(10, 20, intensity=0.6), orange(55, 200, 0.4)])
    lights.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    shows(qtbot, dock, [Light(10, 20, intensity=0.6)])
    lights.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    qtbot.waitUntil(lambda: not dock.image_layer().data.any())
    qtbot.waitUntil(lambda: "all lights off" in loaded.canvas.overlays.text.text)
    lights.list.item(0).setCheckState(Qt.CheckState.Checked)

    # Back to one: as in the capture, where it was.
    lights.list.item(1).setCheckState(Qt.CheckState.Checked)
    lights.list.setCurrentRow(1)
    lights.remove.click()
    assert dock.light == (10, 20)
    shows(qtbot, dock, (10, 20))
    assert dock.development.isHidden()
    qtbot.waitUntil(lambda: "relit  light 10°, 20°" in loaded.canvas.overlays.text.text)


def test_a_single_light_has_a_colour_and_an_exposure(qtbot: QtBot, dock: Relight) -> None:
    set_light(dock, 30, 90)
    dock.lights.set_colour(QColor(255, 128, 0))
    shows(qtbot, dock, [orange(30, 90)])
    # Light that is summed may be too bright for 8 bits.
    assert dock.development.exposure.isVisible()
    assert not dock.development.gamma.isVisible()
    dock.development.exposure.setValue(-1)
    shows(qtbot, dock, [orange(30, 90)], exposure=-1)


def test_choosing_another_light_moves_none(qtbot: QtBot, dock: Relight) -> None:
    set_light(dock, 40, 20)
    dock.lights.add.click()
    dock.view_theta.setValue(12)
    dock.pair.link.click()
    assert [lamp.direction for lamp in dock.scene.lamps] == [(40, 20), (12, 0)]
    shows(qtbot, dock, [half(40, 20), half(12, 0)], (12, 0))
    dock.lights.list.setCurrentRow(0)
    assert not dock.pair.link.isChecked()
    assert (dock.light, dock.view) == ((40, 20), (12, 0))
    shows(qtbot, dock, [half(40, 20), half(12, 0)], (12, 0))


def test_grey_models_have_no_colours(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, one_view_model: CompressedBTF
) -> None:
    workspace_of(loaded).models.current = one_view_model
    dock.lights.add.click()
    set_light(dock, 50, 10)
    assert not dock.lights.colour.isEnabled()
    shows(qtbot, dock, [half(0, 0), half(50, 10)])


def test_lights_on_radiance(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    workspace_of(loaded).models.current = replace(model, dtype=np.dtype(np.float32))
    dock.lights.add.click()
    set_light(dock, 50, 10)
    dock.development.exposure.setValue(-2)
    dock.development.gamma.setValue(2)
    shows(qtbot, dock, [half(0, 0), half(50, 10)], exposure=-2, gamma=2)


def test_a_light_beyond_the_captured_ones_is_told(qtbot: QtBot, dock: Relight) -> None:
    dock.lights.add.click()
    set_light(dock, 85, 10)
    assert "Lights were captured up to 60° from the normal" in dock.note.text()
    dock.lights.list.setCurrentRow(0)
    assert "Lights were captured up to 60° from the normal" in dock.note.text()
    dock.lights.list.setCurrentRow(1)
    dock.lights.remove.click()
    assert dock.note.isHidden()


# --------------------------------------------------------------------------- environments


def choose(dock: Relight, name: str) -> None:
    """Choose an environment as a hand does."""
    box = dock.environment.choice
    box.setCurrentText(name)
    box.activated.emit(box.currentIndex())


def test_an_environment_and_back(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    set_light(dock, 33, 44)
    assert not dock.environment.turn.isEnabled()
    for name in ("overcast", "window", "studio"):
        choose(dock, name)
        shows(qtbot, dock, find_environment(name))
    dock.environment.turn.setValue(90)
    shows(qtbot, dock, find_environment("studio", 90))
    text = "relit  environment studio turned 90°\nview 0°, 0°"
    qtbot.waitUntil(lambda: text in loaded.canvas.overlays.text.text)
    # The view moves, what shines stays.
    dock.view_theta.setValue(10)
    shows(qtbot, dock, find_environment("studio", 90), (10, 0))
    assert not dock.light_theta.isEnabled()
    assert "environment" in dock.light_theta.toolTip()
    assert not dock.lights.add.isEnabled()
    dock.photograph.box.setChecked(True)
    assert not dock.photograph.box.isEnabled()
    assert not any(is_kind(layer, "photograph") for layer in loaded.layers)

    choose(dock, dock.environment.choice.itemText(0))
    assert dock.light == (33, 44)
    shows(qtbot, dock, (33, 44), (10, 0))
    assert dock.light_theta.isEnabled()
    qtbot.waitUntil(lambda: any(is_kind(layer, "photograph") for layer in loaded.layers))


def test_surroundings_turn_and_the_viewer_goes_around(qtbot: QtBot, dock: Relight) -> None:
    choose(dock, "window")
    assert dock.player.sweep.toolTip() == "An environment is turned, not swept"
    dock.player.speed.setValue(240)
    dock.player.circle.click()
    qtbot.waitUntil(lambda: dock.scene.turn > 30)
    light = dock.light
    dock.environment.turn.setValue(200)
    assert not dock.player.playing
    shows(qtbot, dock, find_environment("window", 200))
    dock.view_theta.setValue(12)
    dock.player.view.click()
    qtbot.waitUntil(lambda: dock.view[1] > 30)
    assert (dock.view[0], dock.light, dock.scene.turn) == (12, light, 200)
    dock.player.stop_button.click()
    shows(qtbot, dock, find_environment("window", 200), dock.view)


def test_surroundings_from_an_image(
    qtbot: QtBot, dock: Relight, tmp_path: Path, notifications: list[Notification]
) -> None:
    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:8, 4:9] = 255, 200, 90
    path = tmp_path / "sky.png"
    Image.fromarray(pixels).save(path)
    dock.environment.open_image(str(path))
    shows_it = find_environment(path)
    qtbot.waitUntil(lambda: dock.environment.choice.currentText() == "sky.png")
    shows(qtbot, dock, shows_it)
    Image.fromarray(pixels[:, :20]).save(tmp_path / "photo.png")
    dock.environment.open_image(str(tmp_path / "photo.png"))
    qtbot.waitUntil(lambda: bool(notifications))
    assert "no equirectangular image" in notifications[0].message
    assert dock.environment.choice.currentText() == "sky.png"


def test_only_what_changes_is_decoded_again(
    qtbot: QtBot, dock: Relight, model: CompressedBTF
) -> None:
    made: list[Any] = []
    dock.renderer.made.connect(made.append)
    choose(dock, "studio")
    shows(qtbot, dock, find_environment("studio"))
    dock.environment.turn.setValue(180)
    shows(qtbot, dock, find_environment("studio", 180))
    choose(dock, "overcast")
    shows(qtbot, dock, find_environment("overcast", 180))
    assert [frame.decoded for frame in made if frame.shot.is_whole] == [64, 0, 0]


def test_a_long_image_is_given_up_for_a_moving_hand(qtbot: QtBot, model: CompressedBTF) -> None:
    frames = Renderer()
    made: list[Any] = []
    frames.made.connect(made.append)
    sky = find_environment("overcast")
    frames.want(Shot(model, (0, 0), (0, 0)))
    qtbot.waitUntil(lambda: len(made) == 1)
    # As if this model took a minute a light.
    frames._cost._seconds = {1: 60.0}
    frames.want(Shot(model, (0, 0), (0, 0), lighting=sky))
    frames.budget = 1e-9
    frames.want(Shot(model, (0, 0), (0, 0), lighting=replace(sky, turn=50.0)), moving=True)
    qtbot.waitUntil(lambda: len(made) == 2)
    assert (made[1].shot.step, made[1].shot.lighting.turn) == (8, 50.0)
    qtbot.waitUntil(lambda: len(made) == 3)
    assert made[2].shot.is_whole
    assert wait_for_all(5)


# --------------------------------------------------------------------------- what is visible


class Seen:
    """A layer as napari draws it: its corners on the screen and how small it is."""

    rgb = True
    data = np.zeros((300, 400, 3), dtype=np.uint8)
    scale = np.array([1.0, 1.0])

    def __init__(self, corners: Any, scale_factor: float) -> None:
        self.corner_pixels, self.scale_factor = np.array(corners), scale_factor


def test_what_of_a_layer_is_on_the_screen() -> None:
    assert visible(Seen([[0, 0], [299, 399]], 0.4)) == (None, None, 1)
    rows, columns, step = visible(Seen([[70, 130], [100, 199]], 0.2))
    assert (rows, columns, step) == (slice(64, 128), slice(128, 256), 1)
    assert visible(Seen([[250, 390], [299, 399]], 2.5)) == (slice(192, 300), slice(384, 400), 2)
    assert visible(Seen([[0, 0], [299, 399]], 4.0), pixel_ratio=2.0).step == 2
    # Beside the screen, or not drawn yet.
    assert visible(Seen([[0, 0], [0, 0]], 1.0)) == (None, None, 1)


def test_only_the_visible_part_is_decoded_while_it_moves(
    qtbot: QtBot, dock: Relight, model: CompressedBTF
) -> None:
    large = workspace_of(dock._workspace.viewer)
    shots: list[Shot] = []
    dock.renderer.made.connect(lambda frame: shots.append(frame.shot))
    layer = dock.image_layer()
    before = layer.data.copy()
    # As if the window showed this much, at half the size.
    part = slice(8, 20), slice(4, 30)
    dock.renderer.want(
        replace(dock.scene.shot(), light=(50, 90), rows=part[0], columns=part[1]), True
    )
    whole = napari_btf.relight(large.models.current, (50, 90), (0, 0))
    mixed = before.copy()
    mixed[part] = whole[part]
    qtbot.waitUntil(lambda: np.array_equal(layer.data, mixed))
    qtbot.waitUntil(lambda: np.array_equal(layer.data, whole))
    assert [shot.is_whole for shot in shots] == [False, True]
    dock.renderer.want(
        replace(dock.scene.shot(), light=(20, 0), rows=part[0], columns=part[1], step=2), True
    )
    other = napari_btf.relight(large.models.current, (20, 0), (0, 0))
    mixed = whole.copy()
    mixed[part] = other[9:20:2, 5:30:2].repeat(2, axis=0).repeat(2, axis=1)
    qtbot.waitUntil(lambda: np.array_equal(layer.data, mixed))
    qtbot.waitUntil(lambda: np.array_equal(layer.data, other))


# --------------------------------------------------------------------------- estimates


def test_normals_and_albedo_become_layers(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF, tmp_path: Path
) -> None:
    dock.view_theta.setValue(15)
    dock.view_phi.setValue(90)
    assert not dock.surface.save_button.isEnabled()
    dock.surface.button.click()
    qtbot.waitUntil(lambda: any(is_kind(layer, "albedo") for layer in loaded.layers))
    normals, albedo = finish(estimate_surface(model, (15, 90)))
    shown = {layer.metadata[TAG]["kind"]: layer for layer in loaded.layers if layer.metadata}
    coded = shown["normals"].data
    assert coded.dtype == np.uint8
    np.testing.assert_allclose(coded / 127.5 - 1, normals, atol=1 / 255 + 1e-6)
    # Both ways to save them: the one of napari, and the one of the dock.
    shown["normals"].save(str(tmp_path / "layer.png"))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "layer.png")), coded)
    dock.surface.save(str(tmp_path / "fine"))
    fine = imagecodecs.imread(tmp_path / "fine.png")
    assert fine.dtype == np.uint16
    np.testing.assert_allclose(fine / 32767.5 - 1, normals, atol=1e-4)
    np.testing.assert_array_equal(shown["albedo"].data, to_display(albedo))
    for kind in ("normals", "albedo"):
        assert shown[kind].name == f"{kind} of cloth (estimate)"
        assert shown[kind].metadata[TAG]["estimate"] is True
        assert shown[kind].metadata[TAG]["view"] == "15°, 90°"
    # Beside all others, and the dock goes on.
    assert shown["albedo"].extent.world[0][-1] > shown["normals"].extent.world[1][-1]
    assert not dock.surface.running
    set_light(dock, 50, 10)
    shows(qtbot, dock, (50, 10), (15, 90))


def test_an_estimate_is_cancelled(qtbot: QtBot, loaded: ViewerModel, dock: Relight) -> None:
    before = list(loaded.layers)
    dock.surface.button.click()
    dock.surface.cancel_button.click()
    assert not dock.surface.running
    assert wait_for_all(5)
    qtbot.wait(50)
    assert list(loaded.layers) == before
    assert dock.surface.button.isEnabled()


def test_a_model_of_few_lights_has_no_estimate(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: Relight,
    make_capture: Callable[..., Any],
    notifications: list[Notification],
) -> None:
    pairs = [((0, 0), (theta, 0)) for theta in (0, 15, 30, 45, 60)]
    few = napari_btf.train(napari_btf.read(make_capture("line", pairs=pairs).folder))
    workspace_of(loaded).models.current = few
    dock.surface.button.click()
    qtbot.waitUntil(lambda: bool(notifications))
    assert "do not determine normals" in notifications[0].message
    assert dock.surface.button.isEnabled()


# --------------------------------------------------------------------------- two windows


def test_docks_of_two_viewers_share_nothing(
    qtbot: QtBot,
    viewer: ViewerModel,
    dock: Relight,
    open_dock: Callable[..., Any],
    model: CompressedBTF,
) -> None:
    from napari.components import ViewerModel as Viewer

    second = Viewer()
    workspace_of(second).models.current = model
    other = open_dock(Relight, second)
    qtbot.waitUntil(lambda: other.image_layer() is not None)
    choose(other, "studio")
    set_light(dock, 44, 55)
    shows(qtbot, other, find_environment("studio"))
    shows(qtbot, dock, (44, 55))
    assert other.light == (0, 0)
