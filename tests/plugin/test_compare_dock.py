from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from train_hand import PATIENCE

import napari_btf
from napari_btf.plugin.compare import Compare
from napari_btf.plugin.jobs.threads import wait_for_all
from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot


@pytest.fixture
def make_dock(
    open_dock: Callable[..., Any], model: napari_btf.CompressedBTF
) -> Iterator[Callable[..., Any]]:
    """The dock over a viewer, with the model of the capture, and checked."""

    def make(viewer: ViewerModel) -> Any:
        workspace_of(viewer).models.current = model
        dock = open_dock(Compare, viewer)
        dock.compare.setChecked(True)
        return dock

    yield make
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert wait_for_all(PATIENCE / 1000)


def test_decoded_and_error_follow_the_sliders(
    make_dock: Callable[..., Any],
    loaded: ViewerModel,
    capture: Any,
    model: napari_btf.CompressedBTF,
    qtbot: QtBot,
) -> None:
    btf = napari_btf.read(capture.folder)
    dock = make_dock(loaded)
    for view, light in ((0, 0), (1, 7), (0, 4)):
        loaded.dims.set_current_step((0, 1), (view, light))
        i = int(btf.grid.observations[view, light])
        image = model.values.store(model.decode(btf.light[i], btf.view[i]))
        qtbot.waitUntil(
            lambda image=image: (
                dock.layer("error") is not None
                and np.array_equal(dock.layer("decoded").data, image)
            )
        )
        difference = np.abs(capture.frames[i].astype(float) - image)
        shown = np.clip(5 * difference, 0, 255)
        np.testing.assert_allclose(dock.layer("error").data, shown, atol=1)
        found = re.search(r"PSNR of this image: ([\d.]+) dB", dock.figures.text())
        assert found is not None
        mse = np.mean((difference / 255) ** 2)
        assert float(found[1]) == pytest.approx(-10 * np.log10(mse), abs=0.01)
    # Side by side.
    lefts = [layer.translate[-1] for layer in (dock.layer("decoded"), dock.layer("error"))]
    assert 32 < lefts[0] < lefts[0] + 32 < lefts[1]


def test_gain(make_dock: Callable[..., Any], loaded: ViewerModel, qtbot: QtBot) -> None:
    dock = make_dock(loaded)
    qtbot.waitUntil(lambda: dock.layer("error") is not None)
    five = dock.layer("error").data.astype(float)
    dock.gain.setValue(10)
    ten = dock.layer("error").data
    dark = five < 120
    assert dark.mean() > 0.5
    np.testing.assert_allclose(ten[dark], 2 * five[dark], atol=2)


def test_two_models_and_a_swipe(
    make_dock: Callable[..., Any],
    loaded: ViewerModel,
    model: napari_btf.CompressedBTF,
    qtbot: QtBot,
) -> None:
    models = workspace_of(loaded).models
    darker = model.with_latents(0 * model.latent_map)
    models.current = darker
    dock = make_dock(loaded)
    assert not dock.swipe.isEnabled()
    dock.other.setCurrentIndex(1)
    dock.other.activated.emit(1)
    assert dock.model_b is darker
    qtbot.waitUntil(lambda: dock.layer("swipe") is not None)
    qtbot.waitUntil(lambda: "B: PSNR of this image" in dock.figures.text())
    a, b = dock.layer("decoded").data, dock.layer("decoded B").data
    assert not np.array_equal(a, b)
    for value, edge in ((50, 16), (0, 0), (100, 32)):
        dock.swipe.setValue(value)
        swiped = dock.layer("swipe").data
        np.testing.assert_array_equal(swiped[:, :edge], a[:, :edge])
        np.testing.assert_array_equal(swiped[:, edge:], b[:, edge:])
    assert dock.layer("error B").data.mean() > dock.layer("error").data.mean()
    dock.other.setCurrentIndex(0)
    dock.other.activated.emit(0)
    assert [dock.layer(kind) for kind in ("decoded B", "error B", "swipe")] == [None] * 3
    assert dock.layer("decoded") is not None


def test_layers_go_when_it_is_unchecked_and_come_back(
    make_dock: Callable[..., Any], loaded: ViewerModel, qtbot: QtBot
) -> None:
    dock = make_dock(loaded)
    qtbot.waitUntil(lambda: dock.layer("error") is not None)
    dock.compare.setChecked(False)
    assert [layer.name for layer in loaded.layers] == ["cloth"]
    dock.compare.setChecked(True)
    qtbot.waitUntil(lambda: dock.layer("error") is not None)
    # Deleted by hand they are back at the next move.
    loaded.layers.remove(dock.layer("decoded"))
    loaded.dims.set_current_step(1, 2)
    qtbot.waitUntil(lambda: dock.layer("decoded") is not None)


def test_it_says_what_is_missing(
    open_dock: Callable[..., Any],
    viewer: ViewerModel,
    capture: Any,
    make_capture: Callable[..., Any],
    one_view_model: napari_btf.CompressedBTF,
    model: napari_btf.CompressedBTF,
) -> None:
    dock = open_dock(Compare, viewer)
    assert not dock.compare.isEnabled()
    assert "Open a BTF capture first" in dock.figures.text()
    open_path(viewer, capture.folder)
    assert "Train a model first" in dock.figures.text()
    assert dock.compare.toolTip() == dock.figures.text()
    workspace_of(viewer).models.current = one_view_model
    expected = "32 x 24 with 3 channels, those of the model are 32 x 24 with 1 channel"
    assert expected in dock.figures.text()
    workspace_of(viewer).models.current = model
    assert dock.compare.isEnabled()
    assert dock.figures.text() == ""


def test_a_pair_that_was_not_captured(
    make_dock: Callable[..., Any],
    viewer: ViewerModel,
    make_capture: Callable[..., Any],
    qtbot: QtBot,
) -> None:
    pairs = [((0, 0), (30, 0)), ((0, 0), (60, 0)), ((15, 90), (30, 0))]
    open_path(viewer, make_capture("holes", pairs=pairs).folder)
    viewer.dims.set_current_step((0, 1), (1, 1))
    dock = make_dock(viewer)
    qtbot.waitUntil(lambda: "not captured" in dock.figures.text())
    assert dock.layer("decoded").data.any()
    assert not dock.layer("error").data.any()


def test_a_damaged_image_is_named(
    make_dock: Callable[..., Any], viewer: ViewerModel, capture: Any, qtbot: QtBot
) -> None:
    damaged = capture.truncate(0)
    open_path(viewer, capture.folder)
    viewer.dims.set_current_step((0, 1), (1, 3))
    dock = make_dock(viewer)
    qtbot.waitUntil(lambda: dock.layer("error") is not None)
    viewer.dims.set_current_step((0, 1), (0, 0))
    qtbot.waitUntil(lambda: damaged.name in dock.figures.text())


def test_the_capture_may_be_closed_meanwhile(
    make_dock: Callable[..., Any], loaded: ViewerModel, qtbot: QtBot
) -> None:
    dock = make_dock(loaded)
    loaded.dims.set_current_step(1, 3)
    del loaded.layers["cloth"]
    assert not dock.compare.isEnabled()
    assert wait_for_all(PATIENCE / 1000)
    qtbot.wait(50)
    assert "Open a BTF capture first" in dock.figures.text()


def test_the_gain_is_remembered(
    open_dock: Callable[..., Any], loaded: ViewerModel, settings_folder: Path
) -> None:
    dock = open_dock(Compare, loaded)
    dock.gain.setValue(20)
    dock.hide()
    assert open_dock(Compare, loaded).gain.value() == 20


def test_no_gap_is_left_where_a_relit_image_was(
    make_dock: Callable[..., Any], open_dock: Callable[..., Any], loaded: ViewerModel, qtbot: QtBot
) -> None:
    from napari_btf.plugin.relight import Relight

    def left(*layers: Any) -> list[float]:
        return [round(float(layer.translate[-1]) / (1.04 * 32)) for layer in layers]

    dock = make_dock(loaded)
    qtbot.waitUntil(lambda: dock.layer("error") is not None)
    decoded, error = dock.layer("decoded"), dock.layer("error")
    assert left(decoded, error) == [1, 2]
    # Another one does not cover them.
    relight = open_dock(Relight, loaded)
    qtbot.waitUntil(lambda: relight.image_layer() is not None)
    assert left(relight.image_layer()) == [3]
    # Compared anew: right of it, and next to it once they may be.
    dock.compare.setChecked(False)
    qtbot.waitUntil(lambda: left(relight.image_layer()) == [1])
    dock.compare.setChecked(True)
    qtbot.waitUntil(lambda: dock.layer("error") is not None)
    decoded, error = dock.layer("decoded"), dock.layer("error")
    assert left(decoded, error) == [2, 3]
    loaded.layers.remove(relight.image_layer())
    qtbot.waitUntil(lambda: left(decoded, error) == [1, 2])
    # What people moved stays there.
    decoded.translate = (*decoded.translate[:-1], 500.0)
    relight.light_theta.setValue(20)
    qtbot.waitUntil(lambda: relight.image_layer() is not None)
    loaded.layers.remove(relight.image_layer())
    qtbot.waitUntil(lambda: left(error) == [1])
    assert decoded.translate[-1] == 500
