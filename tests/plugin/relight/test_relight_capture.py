"""The dock Relight and the open capture: a preview, looks, directions, sliders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_btf.baselines import QuickBTF
from napari_btf.directions import AzimuthConvention, angles_to_vectors
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.relight.capture.turn_box import OTHER_ANGLES, turned
from napari_btf.plugin.viewer.layers import azimuth_of, capture_of, observation_at
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

    from napari_btf import CompressedBTF

FLIPS = (AzimuthConvention(True, 180), AzimuthConvention(True), AzimuthConvention(False, 90))


def test_a_preview_needs_no_training(
    qtbot: QtBot, loaded: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> None:
    dock, models = open_dock(Relight, loaded), workspace_of(loaded).models
    dock.quick.button.click()
    assert not dock.quick.button.isEnabled()
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    assert isinstance(models.current, QuickBTF)
    assert dock.about.text().startswith("cloth, quick PCA: 32 × 24 texels")
    assert "Train a model" in dock.about.text()
    assert dock.image_layer().name == "relit cloth (quick PCA)"
    qtbot.waitUntil(lambda: "quick PCA" in loaded.canvas.overlays.text.text)
    # The same layer goes on with the trained model.
    layer = dock.image_layer()
    models.current = model
    qtbot.waitUntil(lambda: layer.name == "relit cloth")
    assert dock.image_layer() is layer
    assert dock.quick.isHidden()


def test_a_preview_needs_a_capture(viewer: ViewerModel, open_dock: Callable[..., Any]) -> None:
    dock = open_dock(Relight, viewer)
    assert "Open a BTF capture first" in dock.quick.button.toolTip()
    assert not dock.quick.button.isEnabled()


def test_a_look_of_a_model(qtbot: QtBot, dock: Relight, loaded: ViewerModel) -> None:
    captured = dock.image_layer().data.copy()
    dock.look.choice.setCurrentText("shaded normals")
    qtbot.waitUntil(lambda: "shaded normals" in loaded.canvas.overlays.text.text)
    shown = dock.image_layer().data
    assert np.ptp(shown, axis=-1).max() == 0
    assert not np.array_equal(shown, captured)
    # The normals are there, so another look needs no estimate.
    dock.look.choice.setCurrentText("specular enhancement")
    dock.look.strength.setValue(1.0)
    assert dock.scene.shot().look.strength == 1.0
    dock.lights.add.click()
    assert not dock.look.choice.isEnabled()
    dock.lights.remove.click()
    dock.look.choice.setCurrentText("as captured")
    qtbot.waitUntil(lambda: np.array_equal(dock.image_layer().data, captured))


@pytest.mark.parametrize("before", [AzimuthConvention(), AzimuthConvention(True, 30), FLIPS[2]])
@pytest.mark.parametrize("by", FLIPS)
def test_two_conventions_are_one(before: AzimuthConvention, by: AzimuthConvention) -> None:
    vectors = angles_to_vectors([20, 50], [10, 200])
    one_by_one = by.apply(before.apply(vectors))
    np.testing.assert_allclose(turned(before, by).apply(vectors), one_by_one, atol=1e-12)


def test_directions_are_turned_and_the_model_notices(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight
) -> None:
    layer = loaded.layers["cloth"]
    assert dock.turning.note.isHidden()
    # The set of lights is the same after a quarter turn, but each image has another one.
    dock.turning.buttons["rotate 90°"].click()
    assert azimuth_of(layer) == AzimuthConvention(False, 90)
    qtbot.waitUntil(lambda: dock.turning.note.text() == OTHER_ANGLES)
    assert dock.turning.note.isVisible()
    for _ in range(3):
        dock.turning.buttons["rotate 90°"].click()
    assert azimuth_of(layer).is_identity
    qtbot.waitUntil(lambda: dock.turning.note.isHidden())
    dock.turning.buttons["flip left/right"].click()
    dock.turning.buttons["flip up/down"].click()
    assert azimuth_of(layer) == AzimuthConvention(False, 180)


def test_sliders_and_handles_follow_one_another(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight
) -> None:
    btf, captures = capture_of(loaded.layers["cloth"]), workspace_of(loaded).captures
    assert btf is not None

    def is_at(light: tuple[float, float], view: tuple[float, float]) -> bool:
        there = observation_at(btf, captures.step(btf))[:2]
        return np.allclose(there, angles_to_vectors(*np.transpose([light, view])), atol=1e-6)

    captures.go_to(btf, (0, 0))
    dock.light_theta.setValue(58)
    assert is_at((0, 0), (0, 0))
    dock.sliders.box.setChecked(True)
    assert dock.light == (0, 0)
    # The handle keeps its place between captured directions; the sliders go to the nearest ones.
    dock.light_theta.setValue(55)
    dock.light_phi.setValue(100)
    dock.view_theta.setValue(14)
    dock.view_phi.setValue(90)
    qtbot.waitUntil(lambda: is_at((60, 90), (15, 90)))
    assert (dock.light, dock.view) == ((55, 100), (14, 90))
    captures.go_to(btf, (0, 1))
    light, view, _ = observation_at(btf, (0, 1))
    np.testing.assert_allclose(dock.scene.light.vector, light, atol=1e-4)
    np.testing.assert_allclose(dock.scene.view.vector, view, atol=1e-4)


def test_the_view_is_fitted_to_the_images_of_the_dock(loaded: ViewerModel, dock: Relight) -> None:
    loaded.fit_to_view()
    dock.fit_button.click()
    layer = dock.image_layer()
    middle = np.mean(layer.extent.world[:, -2:], axis=0)
    np.testing.assert_allclose(loaded.scene.camera.center[-2:], middle, atol=1)


def test_the_disks_tell_their_shortcuts(dock: Relight) -> None:
    assert "Arrow keys: move one degree" in dock.light_box.disk.toolTip()
    dock.light_box.lock.setChecked(True)
    assert dock.light_box.disk.toolTip() == "The light is locked"
