from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication, QFileDialog

import napari_btf
from napari_btf.directions import angle_between, angles_to_vectors, vectors_to_angles
from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.relight.handle_disk import HandleDisk
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.values import to_display

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification
    from pytestqt.qtbot import QtBot

    from napari_btf import CompressedBTF

LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier


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
    if not len(viewer.layers):
        return False
    shown = viewer.layers[-1].data
    return shown.shape == expected.shape and np.array_equal(shown, expected)


def test_without_a_model_it_says_what_it_needs(
    qtbot: QtBot, loaded: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> None:
    dock = open_dock(Relight, loaded)
    assert dock.about.text() == "Train a model first (dock Train), or load one."
    assert not any(slider.isEnabled() for slider in sliders(dock))
    assert dock.load_button.isEnabled()
    for control in (dock.save_button, dock.pair.link, dock.player.circle, dock.photograph.box):
        assert not control.isEnabled()
        assert control.toolTip() == "Train a model first (dock Train), or load one."
    assert len(loaded.layers) == 1

    workspace_of(loaded).models.current = model
    assert dock.about.text() == "cloth: 32 × 24 texels, 4 latents, views up to 15°"
    assert all(slider.isEnabled() for slider in sliders(dock))
    expected = napari_btf.relight(model, (0, 0), (0, 0))
    qtbot.waitUntil(lambda: is_showing(loaded, expected))


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
    angles = "relit  light 12°, 359°   view 7°, 200°"
    qtbot.waitUntil(lambda: angles in loaded.canvas.overlays.text.text)


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


def test_a_deleted_layer_comes_back_at_the_next_move(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    # Deleted while an image is on its way, and while the light moves by itself.
    dock.player.circle.click()
    qtbot.waitUntil(lambda: dock.renderer.busy)
    loaded.layers.remove(dock.image_layer())
    assert not dock.player.playing
    qtbot.wait(100)
    assert list(loaded.layers) == [loaded.layers["cloth"]]
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
    workspace_of(loaded).models.current = one_view_model
    assert [slider.isEnabled() for slider in sliders(dock)] == [True, True, False, False]
    assert dock.view == (0.0, 0.0)
    assert dock.about.text() == "slate: 32 × 24 texels, 4 latents, one view"
    # Grey now, where the layer before was in colour.
    expected = napari_btf.relight(one_view_model, (30, 40))[..., 0]
    qtbot.waitUntil(lambda: is_showing(loaded, expected))
    layer = dock.image_layer()
    assert not layer.rgb
    assert len(loaded.layers) == 2
    assert dock.view_theta.toolTip() == dock.pair.link.toolTip() == "The model knows only one view."
    assert layer.contrast_limits == [0, 255]


def test_a_grey_model_of_16_bits_gets_its_own_limits(
    qtbot: QtBot,
    loaded: ViewerModel,
    open_dock: Callable[..., Any],
    one_view_model: CompressedBTF,
) -> None:
    workspace_of(loaded).models.current = one_view_model
    dock = open_dock(Relight, loaded)
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    assert dock.image_layer().contrast_limits == [0, 255]
    deep = replace(one_view_model, dtype=np.dtype(np.uint16))
    workspace_of(loaded).models.current = deep
    expected = napari_btf.relight(deep, (0, 0))[..., 0]
    qtbot.waitUntil(lambda: is_showing(loaded, expected))
    assert dock.image_layer().contrast_limits == [0, 65535]
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
    assert workspace_of(loaded).models.current is model


def test_a_hidden_dock_does_not_follow(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: Relight,
    model: CompressedBTF,
    one_view_model: CompressedBTF,
) -> None:
    dock.hide()
    workspace_of(loaded).models.current = one_view_model
    assert is_showing(loaded, napari_btf.relight(model, (0, 0), (0, 0)))
    dock.show()
    expected = napari_btf.relight(one_view_model, (0, 0))[..., 0]
    qtbot.waitUntil(lambda: is_showing(loaded, expected))


def test_the_image_needs_no_capture(
    qtbot: QtBot, viewer: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> None:
    workspace_of(viewer).models.current = model
    dock = open_dock(Relight, viewer)
    move(dock, (60, 180))
    expected = napari_btf.relight(model, (60, 180), (0, 0))
    qtbot.waitUntil(lambda: is_showing(viewer, expected))
    angles = "relit  light 60°, 180°   view 0°, 0°"
    qtbot.waitUntil(lambda: viewer.canvas.overlays.text.text == angles)
    dock.image_layer().visible = False
    assert not viewer.canvas.overlays.text.visible


# --------------------------------------------------------------------------- by hand


def drag(qtbot: QtBot, disk: HandleDisk, *places: tuple[float, float]) -> None:
    """Press on the handle and move it over directions; the button stays down."""
    qtbot.mousePress(disk, LEFT, pos=disk.handle.toPoint())
    for theta, phi in places:
        send_move(disk, disk.place_at(theta, phi).toPoint())


def drop(qtbot: QtBot, disk: HandleDisk) -> None:
    qtbot.mouseRelease(disk, LEFT, pos=disk.handle.toPoint())


def send_move(
    disk: HandleDisk,
    place: QPoint,
    keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
    pressed: Qt.MouseButton = LEFT,
) -> None:
    """Move the mouse with keys held, wherever the pointer of the screen is."""
    where, globally = QPointF(place), QPointF(disk.mapToGlobal(place))
    kind = QEvent.Type.MouseMove
    QApplication.sendEvent(disk, QMouseEvent(kind, where, globally, pressed, pressed, keys))


def scroll(disk: HandleDisk, notches: int, keys: Qt.KeyboardModifier) -> None:
    place = disk.rect().center()
    event = QWheelEvent(
        QPointF(place),
        QPointF(disk.mapToGlobal(place)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(disk, event)


def angle(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float(angle_between(angles_to_vectors(*a), angles_to_vectors(*b)))


def test_the_image_follows_the_handles(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    drag(qtbot, dock.light_box.disk, (20, 10), (35, 60), (50, 120))
    # A pixel of the disk is a good degree.
    assert angle(dock.light, (50, 120)) < 2
    assert dock.light == (dock.light_theta.value(), dock.light_phi.value())
    expected = napari_btf.relight(model, dock.light, (0, 0))
    qtbot.waitUntil(lambda: is_showing(loaded, expected))
    drop(qtbot, dock.light_box.disk)

    drag(qtbot, dock.view_box.disk, (12, 200))
    assert angle(dock.view, (12, 200)) < 2
    expected = napari_btf.relight(model, dock.light, dock.view)
    qtbot.waitUntil(lambda: is_showing(loaded, expected))


def test_numbers_and_handles_go_together(qtbot: QtBot, dock: Relight) -> None:
    heard: list[None] = []
    dock.light_box.moved.connect(lambda: heard.append(None))
    dock.light_phi.setValue(123.45)
    dock.light_theta.setValue(40)
    assert dock.light_box.disk.direction == dock.light == (40, 123.45)
    assert len(heard) == 2
    # The azimuth goes round, and is not lost at the normal.
    dock.light_theta.setValue(0)
    dock.light_phi.stepBy(-124)
    assert dock.light == (0, pytest.approx(359.45))
    qtbot.mouseDClick(dock.light_box.disk, LEFT, pos=QPoint(5, 5))
    assert (dock.light_theta.value(), dock.light_phi.value()) == (0, 0)


def test_keys_and_the_wheel_make_fine_steps(qtbot: QtBot, dock: Relight) -> None:
    disk = dock.light_box.disk
    dock.light_theta.setValue(30)
    for key, degrees in ((Qt.Key.Key_Up, 1), (Qt.Key.Key_Left, 1)):
        before = dock.light
        qtbot.keyClick(disk, key)
        assert angle(dock.light, before) == pytest.approx(degrees, abs=0.05)
    assert 0 < dock.light[1] < 10
    assert dock.light[0] < 30
    before = dock.light
    qtbot.keyClick(disk, Qt.Key.Key_Down, SHIFT)
    assert angle(dock.light, before) == pytest.approx(5, abs=0.2)
    qtbot.keyClick(disk, Qt.Key.Key_Home)
    assert dock.light == (0, 0)

    scroll(disk, 3, Qt.KeyboardModifier.NoModifier)
    assert dock.light == (1.5, 0)
    scroll(disk, -2, SHIFT)
    assert dock.light == (1.5, 358)
    scroll(disk, -9, Qt.KeyboardModifier.NoModifier)
    assert dock.light[0] == 0


def test_shift_snaps_to_captured_directions(qtbot: QtBot, dock: Relight) -> None:
    disk = dock.light_box.disk
    assert len(disk.vectors) == 9
    drag(qtbot, disk, (40, 100))
    assert angle(dock.light, (40, 100)) < 2
    send_move(disk, disk.place_at(40, 100).toPoint(), SHIFT)
    assert dock.light == (30, 90)
    send_move(disk, disk.place_at(50, 190).toPoint(), SHIFT)
    assert dock.light == (60, 180)
    drop(qtbot, disk)
    # Hovering shows the angles of a dot, and moves nothing.
    dots: list[int] = []
    disk.hovered.connect(dots.append)
    send_move(disk, disk.place_at(30, 270).toPoint(), pressed=Qt.MouseButton.NoButton)
    assert angle(vectors_to_angles(disk.vectors[dots[-1]]), (30, 270)) < 0.01
    assert dock.light == (60, 180)


def test_a_flash_has_the_light_at_the_viewer(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    move(dock, (50, 20), (10, 90))
    dock.pair.link.click()
    assert dock.light == dock.view == (10, 90)
    drag(qtbot, dock.view_box.disk, (14, 30))
    assert dock.light == dock.view
    expected = napari_btf.relight(model, dock.view, dock.view)
    qtbot.waitUntil(lambda: is_showing(loaded, expected))
    drop(qtbot, dock.view_box.disk)
    dock.light_theta.setValue(5)
    assert dock.view[0] == 5
    dock.pair.link.click()
    dock.light_theta.setValue(45)
    assert dock.view[0] == 5


def test_a_lock_holds_its_direction(qtbot: QtBot, dock: Relight) -> None:
    move(dock, (50, 20), (10, 90))
    dock.pair.link.click()
    dock.light_box.lock.click()
    assert not dock.pair.link.isChecked()
    assert dock.pair.link.toolTip() == "Unlock light and view first"
    before = dock.light
    drag(qtbot, dock.light_box.disk, (0, 0))
    qtbot.keyClick(dock.light_box.disk, Qt.Key.Key_Up)
    assert dock.light == before
    assert dock.light_theta.toolTip() == "The light is locked"
    assert dock.player.circle.toolTip() == "The light is locked"
    drag(qtbot, dock.view_box.disk, (5, 180))
    assert angle(dock.view, (5, 180)) < 2
    dock.light_box.lock.click()
    drag(qtbot, dock.light_box.disk, (20, 200))
    assert angle(dock.light, (20, 200)) < 2


def test_directions_beyond_the_captured_ones_are_told(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    move(dock, (60, 90))
    assert dock.note.isHidden()
    dock.light_theta.setValue(80)
    assert dock.note.text() == ("Lights were captured up to 60° from the normal; showing 60°, 90°.")
    assert dock.note.isVisible()
    expected = napari_btf.relight(model, (80, 90), (0, 0))
    qtbot.waitUntil(lambda: is_showing(loaded, expected))
    dock.light_theta.setValue(55)
    assert dock.note.isHidden()


def test_people_keep_what_they_did_to_the_layer(
    qtbot: QtBot, loaded: ViewerModel, open_dock: Callable[..., Any], one_view_model: CompressedBTF
) -> None:
    workspace_of(loaded).models.current = one_view_model
    dock = open_dock(Relight, loaded)
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    layer = dock.image_layer()
    layer.contrast_limits, layer.opacity, layer.translate = (20, 90), 0.5, (3, 70)
    still = layer.data.copy()
    loaded.add_image(still, name="a copy", metadata=layer.metadata)
    move(dock, (40, 90))
    expected = napari_btf.relight(one_view_model, (40, 90))[..., 0]
    qtbot.waitUntil(lambda: np.array_equal(layer.data, expected))
    assert layer.contrast_limits == [20, 90]
    assert (layer.opacity, tuple(layer.translate)) == (0.5, (3, 70))
    np.testing.assert_array_equal(loaded.layers["a copy"].data, still)


def test_a_slow_model_is_coarse_while_it_moves(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF
) -> None:
    dock.renderer.steps, dock.renderer.budget = (1, 4), 0.0
    drag(qtbot, dock.light_box.disk, (45, 45))
    whole = napari_btf.relight(model, dock.light, (0, 0))
    coarse = whole[2::4, 2::4].repeat(4, axis=0).repeat(4, axis=1)
    qtbot.waitUntil(lambda: is_showing(loaded, coarse))
    qtbot.waitUntil(lambda: is_showing(loaded, whole))
    drop(qtbot, dock.light_box.disk)


def test_a_capture_that_is_opened_later_has_its_own_place(
    qtbot: QtBot,
    viewer: ViewerModel,
    open_dock: Callable[..., Any],
    model: CompressedBTF,
    capture: Any,
) -> None:
    workspace_of(viewer).models.current = model
    dock = open_dock(Relight, viewer)
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    assert dock.image_layer().translate[-1] == 0
    open_path(viewer, capture.folder)
    qtbot.waitUntil(lambda: dock.image_layer().translate[-1] > 32)


# --------------------------------------------------------------------------- radiance, files


def test_exposure_and_gamma_of_radiance(
    qtbot: QtBot, loaded: ViewerModel, dock: Relight, model: CompressedBTF, tmp_path: Path
) -> None:
    assert dock.development.isHidden()
    radiance = replace(model, dtype=np.dtype(np.float32))
    workspace_of(loaded).models.current = radiance
    assert dock.development.isVisible()
    move(dock, (30, 40))
    linear = napari_btf.relight(radiance, (30, 40), (0, 0))
    assert linear.dtype == np.float32
    qtbot.waitUntil(lambda: is_showing(loaded, to_display(linear)))
    dock.development.exposure.setValue(-1.5)
    exposed = linear * np.float32(2**-1.5)
    qtbot.waitUntil(lambda: is_showing(loaded, to_display(exposed)))
    dock.development.gamma.setValue(2.0)
    powered = np.rint(255 * np.sqrt(np.clip(exposed, 0, 1))).astype(np.uint8)
    qtbot.waitUntil(lambda: is_showing(loaded, powered))

    # What is seen goes into an image of 8 bits, radiance into a TIFF.
    dock.save(str(tmp_path / "seen.png"))
    dock.save(str(tmp_path / "radiance.tif"))
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "seen.png")), powered)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "radiance.tif"), exposed)


def test_the_shown_image_is_saved(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: Relight,
    model: CompressedBTF,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[Notification],
) -> None:
    move(dock, (33, 44), (5, 6))
    expected = napari_btf.relight(model, (33, 44), (5, 6))
    qtbot.waitUntil(lambda: is_showing(loaded, expected))
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "cloth"), "")
    )
    qtbot.mouseClick(dock.save_button, LEFT)
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "cloth.png")), expected)
    assert not notifications
    dock.save(str(tmp_path / "cloth.gif"))
    assert "images are not written as .gif" in notifications[0].message
