from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_btf.btf import BTF
from napari_btf.directions import AzimuthConvention, angle_between, angles_to_vectors
from napari_btf.plugin.directions import Directions
from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.select_texels import SelectTexels
from napari_btf.plugin.train import Train
from napari_btf.plugin.viewer.choosers import NO_CAPTURE
from napari_btf.plugin.viewer.layers import (
    TAG,
    azimuth_of,
    capture_of,
    observation_at,
    step_after,
)
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

    from napari_btf.plugin.widgets.disk import Disk

SCATTERED = (
    ((0, 0), (60, 0)),
    ((10, 0), (60, 90)),
    ((40, 0), (60, 0)),
    ((30, 90), (20, 45)),
    ((10, 0), (20, 45)),
    ((50, 180), (70, 300)),
)
"""Views and lights, mostly one observation of each."""


@pytest.fixture
def dock(loaded: ViewerModel, open_dock: Callable[..., Any]) -> Directions:
    """The dock beside a capture of 2 views and 9 lights."""
    return open_dock(Directions, loaded)


def dot(disk: Disk, theta: float, phi: float) -> int:
    """The number of the dot at a direction."""
    apart = angle_between(disk.vectors, angles_to_vectors(theta, phi))
    assert apart.min() < 0.1
    return int(np.argmin(apart))


def click(qtbot: QtBot, disk: Disk, theta: float, phi: float) -> None:
    place = disk.place_of(dot(disk, theta, phi)).toPoint()
    qtbot.mouseClick(disk, Qt.MouseButton.LeftButton, pos=place)


def marked(dock: Directions) -> tuple[int, int]:
    return dock.lights.marked, dock.views.marked


def shown(viewer: ViewerModel, layer: Any, axes: int = 2) -> np.ndarray:
    """The image of a layer that the sliders stand at."""
    return np.asarray(layer.data[tuple(viewer.dims.current_step[:axes])])


# --------------------------------------------------------------------------- disks


def test_without_a_capture_it_says_what_it_needs(
    viewer: ViewerModel, open_dock: Callable[..., Any], qtbot: QtBot, capture: Any
) -> None:
    dock = open_dock(Directions, viewer)
    assert dock.about.text() == NO_CAPTURE
    assert not dock.angles.isVisible()
    for control in (dock.counted, dock.zero):
        assert not control.isEnabled()
        assert control.toolTip() == NO_CAPTURE
    for disk in (dock.lights, dock.views):
        assert not len(disk.vectors)
        qtbot.mouseClick(disk, Qt.MouseButton.LeftButton)

    open_path(viewer, capture.folder)
    assert dock.about.text() == "2 views × 9 lights, 18 images"
    assert dock.counted.isEnabled()
    assert dock.zero.isEnabled()
    assert (len(dock.lights.vectors), len(dock.views.vectors)) == (9, 2)


def test_the_sliders_mark_dots(loaded: ViewerModel, dock: Directions) -> None:
    for step, light, view in (
        ((0, 0), (0, 0), (0, 0)),
        ((0, 4), (30, 270), (0, 0)),
        ((1, 7), (60, 180), (15, 90)),
    ):
        loaded.dims.set_current_step((0, 1), step)
        assert marked(dock) == (dot(dock.lights, *light), dot(dock.views, *view))
    assert dock.angles.text() == "light 60°, 180°   view 15°, 90°"


def test_a_click_moves_one_slider(
    qtbot: QtBot, loaded: ViewerModel, dock: Directions, capture: Any
) -> None:
    loaded.dims.set_current_step((0, 1), (1, 0))
    click(qtbot, dock.lights, 60, 90)
    assert loaded.canvas.overlays.text.text.startswith("captured  light 60°, 90°   view 15°, 90°")
    click(qtbot, dock.views, 0, 0)
    assert loaded.dims.current_step[:2] == (0, 6)
    np.testing.assert_array_equal(shown(loaded, loaded.layers["cloth"]), capture.frames[6])
    assert marked(dock) == (dot(dock.lights, 60, 90), dot(dock.views, 0, 0))


def test_missing_pairs_are_hollow_and_counted(
    qtbot: QtBot,
    viewer: ViewerModel,
    open_dock: Callable[..., Any],
    make_capture: Callable[..., Any],
) -> None:
    pairs = list(itertools.product(((0, 0), (15, 90)), ((0, 0), (30, 0), (60, 0), (60, 90))))
    del pairs[5]
    pairs.append(pairs[0])
    open_path(viewer, make_capture(pairs=pairs).folder)
    dock = open_dock(Directions, viewer)
    assert dock.about.text() == "2 views × 4 lights, 8 images; 1 pair missing, 1 duplicated"
    viewer.dims.set_current_step((0, 1), (0, 0))
    assert not dock.lights.hollow.any()
    click(qtbot, dock.views, 15, 90)
    assert np.flatnonzero(dock.lights.hollow).tolist() == [dot(dock.lights, 30, 0)]
    assert not dock.views.hollow.any()
    click(qtbot, dock.lights, 30, 0)
    assert np.flatnonzero(dock.views.hollow).tolist() == [dot(dock.views, 15, 90)]
    assert dock.angles.text() == "light 30°, 0°   view 15°, 90°   (not captured)"
    # The sliders stay at the pair, though no image has it.
    dock.zero.setValue(90)
    assert dock.angles.text() == "light 30°, 90°   view 15°, 180°   (not captured)"


def test_without_a_grid_a_click_goes_to_the_nearest_observation(
    qtbot: QtBot,
    viewer: ViewerModel,
    open_dock: Callable[..., Any],
    make_capture: Callable[..., Any],
) -> None:
    open_path(viewer, make_capture(pairs=SCATTERED).folder)
    dock = open_dock(Directions, viewer)
    assert dock.about.text() == "5 views × 4 lights, 6 images; 14 pairs missing"
    viewer.dims.set_current_step(0, 3)
    assert marked(dock) == (dot(dock.lights, 20, 45), dot(dock.views, 30, 90))
    # Of the two observations under this light the one whose view is nearer to the last one.
    for disk, direction, observation in (
        (dock.lights, (60, 0), 0),
        (dock.views, (40, 0), 2),
        (dock.lights, (60, 90), 1),
        (dock.views, (10, 0), 1),
        (dock.lights, (20, 45), 4),
        (dock.lights, (60, 0), 0),
        (dock.views, (10, 0), 4),
        (dock.views, (50, 180), 5),
    ):
        click(qtbot, disk, *direction)
        assert viewer.dims.current_step[0] == observation
        assert disk.marked == dot(disk, *direction)
    assert not dock.lights.hollow.any()


def test_of_two_captures_the_chosen_one_is_shown(
    qtbot: QtBot,
    loaded: ViewerModel,
    open_dock: Callable[..., Any],
    make_capture: Callable[..., Any],
) -> None:
    open_path(loaded, make_capture("foil", pairs=SCATTERED).folder)
    dock = open_dock(Directions, loaded)
    assert [dock.captures.itemText(i) for i in range(2)] == ["foil", "cloth"]
    assert len(dock.lights.vectors) == 4
    click(qtbot, dock.views, 50, 180)
    assert loaded.dims.current_step[1] == 5
    dock.captures.setCurrentIndex(1)
    dock.captures.activated.emit(1)
    assert len(dock.lights.vectors) == 9
    assert marked(dock) == (5, 0)
    click(qtbot, dock.views, 15, 90)
    assert loaded.dims.current_step[:2] == (1, 5)


def test_a_deleted_capture_leaves_nothing(loaded: ViewerModel, dock: Directions) -> None:
    loaded.dims.set_current_step((0, 1), (1, 3))
    dock.counted.setCurrentText("clockwise")
    loaded.layers.clear()
    assert dock.about.text() == NO_CAPTURE
    assert not len(dock.lights.vectors)
    assert not dock.zero.isEnabled()
    assert dock.counted.currentText() == "counter-clockwise"
    dock.zero.setValue(90)
    assert not loaded.layers


def test_a_hidden_dock_does_not_follow(loaded: ViewerModel, dock: Directions) -> None:
    loaded.dims.set_current_step((0, 1), (1, 2))
    dock.hide()
    loaded.dims.set_current_step((0, 1), (0, 5))
    assert marked(dock) == (2, 1)
    dock.show()
    assert marked(dock) == (5, 0)
    dock.hide()
    loaded.layers.clear()
    dock.show()
    assert dock.about.text() == NO_CAPTURE


# --------------------------------------------------------------------------- azimuths


def test_azimuths_turn_the_capture_in_place(
    loaded: ViewerModel, dock: Directions, capture: Any
) -> None:
    layer = loaded.layers["cloth"]
    identity = layer.unique_id
    loaded.dims.set_current_step((0, 1), (1, 2))
    before = shown(loaded, layer)
    assert dock.meaning.text() == "Directions as they were read."

    dock.counted.setCurrentText("clockwise")
    dock.zero.setValue(30)
    dock.zero.setValue(90)
    assert list(loaded.layers) == [layer]
    assert layer.unique_id == identity
    assert str(azimuth_of(layer)) == "cw+90"
    assert capture_of(layer).notes == ("azimuths are taken as cw+90",)
    assert "count clockwise from the top of the image" in dock.meaning.text()
    # The same photograph, under its new angles.
    np.testing.assert_array_equal(shown(loaded, layer), before)
    assert loaded.canvas.overlays.text.text == "captured  light 30°, 0°   view 15°, 0°"
    assert dock.angles.text() == "light 30°, 0°   view 15°, 0°"
    assert marked(dock) == (dot(dock.lights, 30, 0), dot(dock.views, 15, 0))
    # Files 1 to 4 have the lights 30°, (0°, 90°, 180°, 270°).
    for azimuth, number in ((0, 2), (90, 1), (180, 4), (270, 3)):
        k = dot(dock.lights, 30, azimuth)
        np.testing.assert_array_equal(np.asarray(layer.data[0, k]), capture.frames[number])

    dock.zero.setValue(0)
    dock.counted.setCurrentText("counter-clockwise")
    assert capture_of(layer).notes == ()
    assert loaded.canvas.overlays.text.text == "captured  light 30°, 90°   view 15°, 90°"
    for i, frame in enumerate(capture.frames):
        np.testing.assert_array_equal(np.asarray(layer.data[divmod(i, 9)]), frame)


@pytest.mark.parametrize("pairs", [None, SCATTERED])
@pytest.mark.parametrize("grey", [False, True])
def test_every_slider_position_survives_a_turn(
    viewer: ViewerModel, make_capture: Callable[..., Any], grey: bool, pairs: Any
) -> None:
    options = {} if pairs is None else {"pairs": pairs}
    (layer,) = open_path(viewer, make_capture(grey=grey, **options).folder)
    shape, axes = layer.data.shape, layer.axis_labels
    workspace = workspace_of(viewer)
    conventions = itertools.cycle(map(AzimuthConvention.parse, ("cw", "cw+180", "ccw+45.5", "ccw")))
    for step in np.ndindex(capture_of(layer).stack().shape[:-3]):
        workspace.captures.go_to(capture_of(layer), step)
        image = shown(viewer, layer, len(step))
        workspace.captures.turn(layer, next(conventions))
        assert (layer.data.shape, layer.axis_labels) == (shape, axes)
        np.testing.assert_array_equal(shown(viewer, layer, len(step)), image)


def test_the_same_observations_are_found_in_a_capture_with_holes(
    make_btf: Callable[..., BTF],
) -> None:
    full = make_btf(views=4, lights=10)
    btf = full.select(np.arange(40) % 7 > 0)
    assert btf.grid.missing_pairs == 6
    for text in ("cw", "ccw+100", "cw-33.3"):
        convention = AzimuthConvention.parse(text)
        turned = btf.with_azimuth(convention)
        for step in np.ndindex(4, 10):
            light, view, i = observation_at(btf, step)
            now_light, now_view, now = observation_at(turned, step_after(btf, step, turned))
            assert now == i
            np.testing.assert_allclose(now_light, convention.apply(light), atol=1e-9)
            np.testing.assert_allclose(now_view, convention.apply(view), atol=1e-9)


def test_painted_regions_and_other_docks_follow(
    loaded: ViewerModel, dock: Directions, open_dock: Callable[..., Any]
) -> None:
    select, train = open_dock(SelectTexels, loaded), open_dock(Train, loaded)
    regions = select.start_painting()
    regions.data_setitem((np.array([3, 4]), np.array([5, 6])), 1)
    dock.zero.setValue(180)
    assert select.regions_layer() == regions
    assert len(select.texels()) == 2
    assert select.count.text() == "2 of 768 texels, 1 region"
    assert train.form.captures.btf.notes == ("azimuths are taken as ccw+180",)
    assert train.form.captures.btf is dock.captures.btf


def test_a_duplicate_of_the_layer_stays_as_it_is(loaded: ViewerModel, dock: Directions) -> None:
    layer = loaded.layers["cloth"]
    twin = type(layer).create(*layer.as_layer_data_tuple())
    assert twin.metadata[TAG] is layer.metadata[TAG]
    loaded.add_layer(twin)
    assert dock.captures.layer == layer
    dock.counted.setCurrentText("clockwise")
    assert str(azimuth_of(layer)) == "cw"
    assert str(azimuth_of(twin)) == "ccw"
    assert capture_of(twin).notes == ()


def test_the_controls_show_what_was_chosen_for_the_capture(
    loaded: ViewerModel, open_dock: Callable[..., Any], make_capture: Callable[..., Any]
) -> None:
    workspace_of(loaded).captures.turn(loaded.layers["cloth"], AzimuthConvention.parse("cw-45.5"))
    dock = open_dock(Directions, loaded)
    assert dock.convention == AzimuthConvention(True, -45.5)
    assert dock.zero.text() == "-45.5°"
    assert dock.meaning.text() == (
        "cw-45.5: the capture's azimuths are taken to count clockwise from 314.5° on the disks."
    )
    open_path(loaded, make_capture("foil", pairs=SCATTERED).folder)
    dock.captures.setCurrentIndex(0)
    dock.captures.activated.emit(0)
    assert dock.convention == AzimuthConvention()
    dock.zero.setValue(90)
    assert str(azimuth_of(loaded.layers["cloth"])) == "cw-45.5"
    assert str(azimuth_of(loaded.layers["foil"])) == "ccw+90"


def test_a_real_capture_of_one_view(
    viewer: ViewerModel, open_dock: Callable[..., Any], qtbot: QtBot, data_dir: Path
) -> None:
    open_path(viewer, data_dir / "rti" / "loewenkopf")
    dock = open_dock(Directions, viewer)
    assert dock.about.text() == "1 view × 240 lights, 240 images"
    click(qtbot, dock.views, 0, 0)
    for k in (0, 77, 239):
        qtbot.mouseClick(
            dock.lights, Qt.MouseButton.LeftButton, pos=dock.lights.place_of(k).toPoint()
        )
        assert viewer.dims.current_step[:2] == (0, k)
