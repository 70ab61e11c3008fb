"""The menu command: napari's own reader claims folders, too."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.plugin.open_capture import open_path

if TYPE_CHECKING:
    from collections.abc import Callable
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


def test_a_second_capture_stands_beside_the_first(
    viewer: ViewerModel,
    capture: Any,
    write_capture: Callable[..., Path],
    tmp_path: Path,
) -> None:
    one_view = tmp_path / "vase" / "data"
    shutil.copytree(write_capture(views=1, lights=4), one_view)
    (first,) = open_path(viewer, capture.folder)
    # From above and lit from the side, where shading shows.
    assert viewer.canvas.overlays.text.text == "captured  light 30°, 0°   view 0°, 0°"
    viewer.dims.set_current_step(0, 1)
    (second,) = open_path(viewer, one_view)
    # Generic names of folders give way to the names above them.
    assert (first.name, second.name) == (capture.folder.name, "vase")
    np.testing.assert_array_equal(first.translate, 0)
    assert second.translate[-1] > first.data.shape[-2]
    # The sliders are in its range, and the text is about an image that is shown.
    assert viewer.dims.current_step[0] == 0
    assert "not shown" not in viewer.canvas.overlays.text.text
    viewer.dims.set_current_step(0, 1)
    assert "not shown: a slider is beyond its images" in viewer.canvas.overlays.text.text
