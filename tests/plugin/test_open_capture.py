"""The menu command: napari's own reader claims folders, too."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.plugin.open_capture import open_path

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification


def test_a_capture_becomes_a_layer(
    viewer: ViewerModel, capture: Any, notifications: list[Notification]
) -> None:
    (layer,) = open_path(viewer, capture.folder)
    assert list(viewer.layers) == [layer]
    np.testing.assert_array_equal(layer.data[1, 8], capture.frames[17])
    assert viewer.canvas.overlays.text.text.startswith("captured  light")
    assert not notifications


def test_a_folder_without_angles_becomes_a_notification(
    viewer: ViewerModel, capture: Any, tmp_path: Path, notifications: list[Notification]
) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    shutil.copy(capture.files[0], photographs / "cat.png")
    assert open_path(viewer, photographs) == []
    assert len(notifications) == 1
    message = notifications[0].message
    assert str(photographs) in message
    assert 'found "cat.png"' in message
    assert 'rename the images like "img_tv0_pv0_tl15_pl0.jpg"' in message
    assert not viewer.layers


def test_an_empty_and_a_missing_folder_become_notifications(
    viewer: ViewerModel, tmp_path: Path, notifications: list[Notification]
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        assert open_path(viewer, tmp_path / name) == []
    assert [str(tmp_path / "empty") in notifications[0].message, len(notifications)] == [True, 2]
    assert str(tmp_path / "missing") in notifications[1].message
    assert not viewer.layers
