"""The dock Relight: what decodes the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import napari_btf
from napari_btf.plugin.relight import Relight

if TYPE_CHECKING:
    from napari.utils.notifications import Notification
    from pytestqt.qtbot import QtBot

    from napari_btf import CompressedBTF


@pytest.fixture
def dock(dock: Relight) -> Relight:
    """The dock with devices that every machine has and that none has."""
    assert dock.decoder.choice.itemData(1) == "cuda"
    dock.decoder.choice.addItem("torch on the processor", "cpu")
    dock.decoder.choice.addItem("the moon", "moon")
    return dock


def choose(dock: Relight, device: str | None) -> None:
    dock.decoder.choice.setCurrentIndex(dock.decoder.choice.findData(device))


def follows(dock: Relight, expected: np.ndarray) -> bool:
    shown = dock.image_layer().data
    return shown.shape == expected.shape and np.abs(shown.astype(int) - expected).max() <= 1


def test_images_come_from_the_device_that_is_chosen(
    qtbot: QtBot, dock: Relight, model: CompressedBTF
) -> None:
    by: list[str | None] = []
    dock.renderer.made.connect(lambda _: by.append(dock.renderer.device))
    choose(dock, "cpu")
    dock.light_theta.setValue(40)
    expected = napari_btf.relight(model, (40, 0), (0, 0))
    # torch is loaded first.
    qtbot.waitUntil(lambda: follows(dock, expected) and not dock.renderer.busy)
    assert by[-1] == "cpu"
    assert model.device is None
    choose(dock, None)
    dock.light_theta.setValue(20)
    expected = napari_btf.relight(model, (20, 0), (0, 0))
    qtbot.waitUntil(lambda: follows(dock, expected) and not dock.renderer.busy)
    assert by[-1] is None
    assert np.array_equal(dock.image_layer().data, expected)


def test_a_device_that_cannot_be_used_is_told_and_left(
    qtbot: QtBot, dock: Relight, model: CompressedBTF, notifications: list[Notification]
) -> None:
    choose(dock, "moon")
    qtbot.waitUntil(lambda: bool(notifications))
    assert "device 'moon' cannot be used here" in notifications[-1].message
    assert dock.decoder.device is None
    dock.light_theta.setValue(35)
    expected = napari_btf.relight(model, (35, 0), (0, 0))
    qtbot.waitUntil(lambda: follows(dock, expected))
    assert len(notifications) == 1
