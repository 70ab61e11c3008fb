from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

import napari_btf
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification
    from pytestqt.qtbot import QtBot

    from napari_btf import CompressedBTF


@pytest.fixture
def dock(loaded: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF) -> Relight:
    """The dock beside a capture and its model."""
    workspace_of(loaded).model = model
    return open_dock(Relight, loaded)


def sliders(dock: Relight) -> tuple[Any, ...]:
    return dock.light_theta, dock.light_phi, dock.view_theta, dock.view_phi


def move(
    dock: Relight,
    light: tuple[float, float],
    view: tuple[float, float] = (0.0, 0.0),
) -> None:
    for slider, degrees in zip(sliders(dock), (*light, *view), strict=True):
        slider.setValue(degrees)


def is_showing(viewer: ViewerModel, expected: np.ndarray) -> bool:
    """Whether the topmost layer has exactly these pixels."""
    return np.array_equal(viewer.layers[-1].data, expected)


def test_without_a_model_it_says_what_it_needs(
    loaded: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> None:
    dock = open_dock(Relight, loaded)
    assert dock.about.text() == "Train a model first (dock Train), or load one."
    assert not any(slider.isEnabled() for slider in sliders(dock))
    assert dock.load_button.isEnabled()
    assert len(loaded.layers) == 1

    workspace_of(loaded).model = model
    assert dock.about.text() == "cloth: 32 × 24 texels, 4 latents, views up to 15°"
    assert all(slider.isEnabled() for slider in sliders(dock))
    assert dock.light_theta.maximum() == pytest.approx(60)
    assert dock.view_theta.maximum() == pytest.approx(15)
    assert is_showing(loaded, napari_btf.relight(model, (0, 0), (0, 0)))


def test_one_layer_follows_the_sliders(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    layer = dock.image_layer()
    assert layer.rgb
    for light, view in (((30, 0), (0, 0)), ((59.5, 123), (15, 90)), ((12, 359), (7, 200))):
        move(dock, light, view)
        expected = napari_btf.relight(model, light, view)
        qtbot.waitUntil(lambda expected=expected: is_showing(loaded, expected))
        assert list(loaded.layers) == [loaded.layers["cloth"], layer]
    assert "relit  light 12°, 359°   view 7°, 200°" in loaded.canvas.overlays.text.text


def test_the_last_of_many_moves_is_shown(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    for theta in np.linspace(0, 50, 200):
        dock.light_theta.setValue(float(theta))
    qtbot.waitUntil(lambda: is_showing(loaded, napari_btf.relight(model, (50, 0), (0, 0))))


def test_the_image_stands_beside_the_capture(loaded: ViewerModel, dock: Relight) -> None:
    capture, relit = loaded.layers["cloth"], dock.image_layer()
    assert relit.extent.world[0][-1] > capture.extent.world[1][-1]
    assert relit.extent.world[0][-2] == capture.extent.world[0][-2]


def test_a_deleted_layer_comes_back(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    loaded.layers.remove(dock.image_layer())
    move(dock, (45, 10))
    expected = napari_btf.relight(model, (45, 10), (0, 0))
    qtbot.waitUntil(lambda: dock.image_layer() is not None and is_showing(loaded, expected))
    assert len(loaded.layers) == 2


def test_a_renamed_layer_still_follows(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    dock.image_layer().name = "mine"
    move(dock, (20, 70))
    expected = napari_btf.relight(model, (20, 70), (0, 0))
    qtbot.waitUntil(lambda: is_showing(loaded, expected))
    assert [layer.name for layer in loaded.layers] == ["cloth", "mine"]


def test_a_model_of_one_view_fixes_the_view(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, one_view_model: CompressedBTF
) -> None:
    move(dock, (30, 40), (15, 90))
    workspace_of(loaded).model = one_view_model
    assert [slider.isEnabled() for slider in sliders(dock)] == [True, True, False, False]
    assert dock.view == (0.0, 0.0)
    assert dock.about.text() == "slate: 32 × 24 texels, 4 latents, one view"
    # Grey now, where the layer before was in colour.
    layer = dock.image_layer()
    assert not layer.rgb
    assert len(loaded.layers) == 2
    expected = napari_btf.relight(one_view_model, (30, 40))[..., 0]
    qtbot.waitUntil(lambda: is_showing(loaded, expected))
    assert layer.contrast_limits == [0, 255]


def test_a_grey_model_of_16_bits_gets_its_own_limits(
    loaded: ViewerModel, open_dock: Callable[..., Any], one_view_model: CompressedBTF
) -> None:
    workspace_of(loaded).model = one_view_model
    dock = open_dock(Relight, loaded)
    assert dock.image_layer().contrast_limits == [0, 255]
    deep = replace(one_view_model, dtype=np.dtype(np.uint16))
    workspace_of(loaded).model = deep
    assert dock.image_layer().contrast_limits == [0, 65535]
    assert is_showing(loaded, napari_btf.relight(deep, (0, 0))[..., 0])
    assert len(loaded.layers) == 2


def test_a_model_is_loaded_from_its_file(
    qtbot: QtBot,
    loaded: ViewerModel,
    open_dock: Callable[..., Any],
    model: CompressedBTF,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[Notification],
) -> None:
    path = model.save(tmp_path / "cloth.safetensors")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(path), ""))
    dock = open_dock(Relight, loaded)
    qtbot.mouseClick(dock.load_button, Qt.MouseButton.LeftButton)
    move(dock, (33, 44))
    expected = napari_btf.relight(model, (33, 44), (0, 0))
    qtbot.waitUntil(lambda: is_showing(loaded, expected))
    assert not notifications


def test_a_file_that_is_no_model_changes_nothing(
    loaded: ViewerModel,
    dock: Relight,
    model: CompressedBTF,
    tmp_path: Path,
    notifications: list[Notification],
) -> None:
    path = tmp_path / "letter.safetensors"
    path.write_text("Dear reader, this is a letter.")
    dock.load(str(path))
    assert [str(path) in note.message for note in notifications] == [True]
    assert notifications[0].severity.value == "error"
    assert workspace_of(loaded).model is model


def test_a_hidden_dock_does_not_follow(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: Relight,
    model: CompressedBTF,
    one_view_model: CompressedBTF,
) -> None:
    dock.hide()
    workspace_of(loaded).model = one_view_model
    assert is_showing(loaded, napari_btf.relight(model, (0, 0), (0, 0)))
    dock.show()
    expected = napari_btf.relight(one_view_model, (0, 0))[..., 0]
    qtbot.waitUntil(lambda: is_showing(loaded, expected))


def test_the_image_needs_no_capture(
    qtbot: QtBot, viewer: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> None:
    workspace_of(viewer).model = model
    dock = open_dock(Relight, viewer)
    move(dock, (60, 180))
    expected = napari_btf.relight(model, (60, 180), (0, 0))
    qtbot.waitUntil(lambda: is_showing(viewer, expected))
    assert viewer.canvas.overlays.text.text == "relit  light 60°, 180°   view 0°, 0°"
    dock.image_layer().visible = False
    assert not viewer.canvas.overlays.text.visible
