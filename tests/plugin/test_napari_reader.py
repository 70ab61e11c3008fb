from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
from PIL import Image

from napari_btf.plugin.reader import get_reader
from napari_btf.plugin.viewer.layers import capture_of
from napari_btf.values import to_display

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_folder_becomes_one_lazy_colour_image(
    viewer: ViewerModel, make_capture: Callable[..., Any], suffix: str
) -> None:
    capture = make_capture(suffix=suffix)
    (layer,) = viewer.open(capture.folder, plugin="napari-btf")
    assert list(viewer.layers) == [layer]
    assert layer.name == "cloth"
    assert layer.rgb
    assert layer.axis_labels == ("view", "light", "y", "x")
    assert viewer.dims.axis_labels == ("view", "light", "y", "x")
    assert layer.data.shape == (2, 9, 24, 32, 3)
    assert layer.data.dtype == np.uint8
    assert isinstance(layer.data, da.Array)
    for v, k in itertools.product(range(2), range(9)):
        np.testing.assert_array_equal(layer.data[v, k], capture.frames[9 * v + k])


def test_the_shown_slice_has_the_pixels_of_the_file(viewer: ViewerModel, capture: Any) -> None:
    (layer,) = viewer.open(capture.folder, plugin="napari-btf")
    for v, k in ((0, 0), (1, 5), (0, 8)):
        viewer.dims.set_current_step((0, 1), (v, k))
        for y, x in ((0, 0), (23, 31), (7, 19)):
            shown = layer.get_value((v, k, y, x), world=True)
            np.testing.assert_array_equal(shown, capture.frames[9 * v + k][y, x])


def test_a_zip_is_read_like_the_folder(viewer: ViewerModel, capture: Any) -> None:
    archive = shutil.make_archive(str(capture.folder), "zip", capture.folder)
    (layer,) = viewer.open(archive, plugin="napari-btf")
    assert layer.name == "cloth"
    np.testing.assert_array_equal(layer.data[1, 3], capture.frames[12])


def test_light_position_files_are_opened_too(viewer: ViewerModel, capture: Any) -> None:
    folder = capture.folder.parent / "dome"
    folder.mkdir()
    names = [f"photo {i}.png" for i in range(3)]
    for i, name in enumerate(names):
        Image.fromarray(capture.frames[i]).save(folder / name)
    lines = [f"{name} {0.1 * i} 0 1" for i, name in enumerate(names)]
    (folder / "lights.lp").write_text("\n".join(["3", *lines]))
    for path in (folder, folder / "lights.lp"):
        (layer,) = viewer.open(path, plugin="napari-btf")
        assert layer.data.shape == (1, 3, 24, 32, 3)
        np.testing.assert_array_equal(layer.data[0, 2], capture.frames[2])


def test_radiance_is_shown_in_eight_bits(data_dir: Path, viewer: ViewerModel) -> None:
    (layer,) = viewer.open(data_dir / "ubo2014-tiny" / "tiny_dfmf.btf", plugin="napari-btf")
    assert layer.data.dtype == np.uint8
    radiance = capture_of(layer).frame(5)
    np.testing.assert_array_equal(layer.data[1, 1], to_display(radiance))


def test_opening_reads_only_what_is_shown(
    viewer: ViewerModel, capture: Any, notifications: list[Notification]
) -> None:
    # napari slices a new layer at its origin, then goes to the middle of both axes.
    shown = 4
    for i in set(range(18)) - {0, shown}:
        capture.truncate(i)
    (layer,) = viewer.open(capture.folder, plugin="napari-btf")
    assert viewer.dims.current_step[:2] == (0, shown)
    np.testing.assert_array_equal(
        layer.get_value((0, shown, 11, 13), world=True), capture.frames[shown][11, 13]
    )
    assert not notifications


def test_an_unreadable_image_is_shown_black_and_named_once(
    viewer: ViewerModel, capture: Any, notifications: list[Notification]
) -> None:
    damaged = capture.truncate(13)
    (layer,) = viewer.open(capture.folder, plugin="napari-btf")
    assert not notifications
    for step in ((1, 4), (0, 0), (1, 4)):
        viewer.dims.set_current_step((0, 1), step)
    assert tuple(layer.get_value((1, 4, 3, 3), world=True)) == (0, 0, 0)
    assert [damaged.name in note.message for note in notifications] == [True]
    viewer.dims.set_current_step((0, 1), (1, 5))
    np.testing.assert_array_equal(
        layer.get_value((1, 5, 3, 3), world=True), capture.frames[14][3, 3]
    )


def test_a_capture_whose_first_shown_image_is_unreadable_still_opens(
    viewer: ViewerModel, capture: Any, notifications: list[Notification]
) -> None:
    damaged = capture.truncate(4)
    (layer,) = viewer.open(capture.folder, plugin="napari-btf")
    assert viewer.dims.current_step[:2] == (0, 4)
    assert [damaged.name in note.message for note in notifications] == [True]
    viewer.layers.remove(layer)
    assert not viewer.layers


def test_grey_captures_get_the_limits_of_their_type(
    viewer: ViewerModel, make_capture: Callable[..., Any]
) -> None:
    capture = make_capture(grey=True)
    (layer,) = viewer.open(capture.folder, plugin="napari-btf")
    assert not layer.rgb
    assert layer.axis_labels == ("view", "light", "y", "x")
    assert layer.data.shape == (2, 9, 24, 32)
    assert layer.contrast_limits == [0, 255]
    np.testing.assert_array_equal(layer.data[1, 2], capture.frames[11])


def test_a_capture_that_is_no_grid_is_a_list_of_observations(
    viewer: ViewerModel, make_capture: Callable[..., Any]
) -> None:
    # Six pairs of a grid of 6 x 6: a view goes with one light only.
    pairs = [((10 * i, 0), (60, 50 * i)) for i in range(6)]
    capture = make_capture(pairs=pairs)
    (layer,) = viewer.open(capture.folder, plugin="napari-btf")
    assert layer.axis_labels == ("observation", "y", "x")
    assert layer.data.shape == (6, 24, 32, 3)
    np.testing.assert_array_equal(layer.data[4], capture.frames[4])


def test_what_was_left_out_is_said(
    viewer: ViewerModel, capture: Any, notifications: list[Notification]
) -> None:
    shutil.copy(capture.files[0], capture.folder / "overview.png")
    (layer,) = viewer.open(capture.folder, plugin="napari-btf")
    assert layer.data.shape[:2] == (2, 9)
    assert [note.severity.value for note in notifications] == ["info"]
    assert "1 images without angles" in notifications[0].message
    assert '"overview.png"' in notifications[0].message


def test_other_paths_are_left_to_other_readers(tmp_path: Path, capture: Any) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    shutil.copy(capture.files[0], photographs / "cat.png")
    text = tmp_path / "notes.txt"
    text.write_text("tl000 pl000 tv000 pv000")
    no_zip = tmp_path / "broken.zip"
    no_zip.write_text("not an archive")
    for path in (empty, photographs, text, no_zip, tmp_path / "missing", capture.files[0]):
        assert get_reader(str(path)) is None
    assert get_reader([str(capture.folder), str(capture.folder)]) is None
    assert get_reader("") is None
    assert get_reader("a\0b") is None
    assert get_reader(str(capture.folder)) is not None
