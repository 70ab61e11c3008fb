"""The links between map and images, and what is done with a selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from test_map_canvas import around, drag, move

from napari_btf.plugin.latent_space import LatentSpace
from napari_btf.plugin.select_texels import SelectTexels
from napari_btf.plugin.viewer.layers import is_kind
from napari_btf.plugin.viewer.model_layers import latent_layer_data
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.plugin.widgets.section import Scrolled

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification
    from pytestqt.qtbot import QtBot
    from train_hand import Hand

    from napari_btf import CompressedBTF

SHIFT = Qt.KeyboardModifier.ShiftModifier


def embedded(qtbot: QtBot, dock: LatentSpace) -> LatentSpace:
    """The dock once its first map is there."""
    qtbot.waitUntil(lambda: len(dock.map.points) > 0 and not dock.embeddings.run.running)
    return dock


@pytest.fixture
def dock(
    qtbot: QtBot, loaded: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> LatentSpace:
    """The dock beside a capture and its model, with the map that is there at once."""
    workspace_of(loaded).models.current = model
    return embedded(qtbot, open_dock(LatentSpace, loaded))


def lit(viewer: ViewerModel) -> list[np.ndarray]:
    """The masks over the images."""
    return [
        layer.data.astype(bool)
        for layer in viewer.layers
        if layer.name.startswith("selected texels")
    ]


def mouse_at(viewer: ViewerModel, layer: Any, y: float, x: float) -> None:
    """The mouse moves to a texel of a layer."""
    place = layer.data_to_world((0,) * (layer.ndim - 2) + (y, x))
    event = type("Event", (), {"position": place})()
    for callback in list(viewer.mouse_move_callbacks):
        callback(viewer, event)


def test_without_a_model_it_says_what_it_needs(
    qtbot: QtBot, loaded: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> None:
    dock = open_dock(LatentSpace, loaded)
    needed = "Train a model first (dock Train), or load one."
    for control in (
        dock.form.start,
        dock.files.save_button,
        dock.files.open_button,
        dock.segment.box.start,
    ):
        assert not control.isEnabled()
        assert control.toolTip() == needed
    # Nothing happens, and nothing breaks.
    for button in (dock.bar.invert, dock.bar.clear, dock.bar.fit):
        button.click()
    assert len(loaded.layers) == 1
    assert dock.map.hint == needed
    workspace_of(loaded).models.current = model
    # The first map is computed without a press of Compute, so that nothing asks for it.
    assert dock.embeddings.run.running
    for text in (dock.map.hint, dock.files.save_button.toolTip()):
        assert text == "The first map is being computed."
    embedded(qtbot, dock)
    assert dock.form.start.isEnabled()
    assert dock.files.save_button.isEnabled()


def test_the_map_stays_in_sight_while_the_rest_is_scrolled(dock: LatentSpace) -> None:
    (scrolled,) = dock.findChildren(Scrolled)
    assert not scrolled.isAncestorOf(dock.map)
    assert not scrolled.isAncestorOf(dock.bar)
    assert scrolled.isAncestorOf(dock.segment)


def test_a_lasso_lights_up_its_texels(loaded: ViewerModel, dock: LatentSpace) -> None:
    place = around(dock.map, *range(200))
    drag(dock.map, *place)
    mask = workspace_of(loaded).models.selection(dock.models._workspace.models.current).mask
    assert mask.any()
    # Exactly those whose points were drawn around, and the image and the map agree.
    corners = np.array([(p.x(), p.y()) for p in place])
    inside = [
        bool(np.all(corners.min(0) <= p) and np.all(p <= corners.max(0)))
        for p in ((q.x(), q.y()) for q in map(dock.map.place_of, range(len(dock.map.points))))
    ]
    assert np.mean(mask.ravel() == inside) > 0.99
    (shown,) = lit(loaded)
    np.testing.assert_array_equal(shown, mask)
    np.testing.assert_array_equal(dock.map.selected, mask.ravel())
    assert dock.box.count.text() == f"{mask.sum():,} of 768 texels selected"

    dock.bar.invert.click()
    (shown,) = lit(loaded)
    np.testing.assert_array_equal(shown, ~mask)
    dock.bar.clear.click()
    assert lit(loaded) == []
    assert not dock.map.selected.any()


def test_every_image_of_the_surface_lights_up(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, model: CompressedBTF
) -> None:
    for data, options, kind in latent_layer_data(model):
        loaded._add_layer_from_data(data, {**options, "translate": None}, kind)
    for layer in loaded.layers[1:]:
        layer.translate = (0,) * (layer.ndim - 2) + (0, 40)
    qtbot.waitUntil(lambda: len(dock.links._bases) == 3)
    active = loaded.layers.selection.active
    mask = np.arange(768).reshape(24, 32) < 50
    workspace_of(loaded).models.selection(model).take(mask)
    # One over the capture, and one over the latents, which lie on one another.
    shown = lit(loaded)
    assert len(shown) == 2
    assert all(np.array_equal(one, mask) for one in shown)
    # The brush and the sliders stay with what was selected.
    assert loaded.layers.selection.active == active

    loaded.layers["cloth"].visible = False
    assert len(lit(loaded)) == 1
    loaded.layers.remove("cloth")
    qtbot.wait(30)
    assert len(lit(loaded)) == 1
    dock.box.show_lit.setChecked(False)
    assert lit(loaded) == []


def test_the_point_of_the_texel_below_the_mouse_is_marked(
    loaded: ViewerModel, dock: LatentSpace
) -> None:
    capture = loaded.layers["cloth"]
    mouse_at(loaded, capture, 3, 5)
    assert dock.map.marked == 3 * 32 + 5
    assert dock.note.text() == "texel under the mouse: x 5, y 3"
    mouse_at(loaded, capture, 23.4, 31.4)
    assert dock.map.marked == 767
    mouse_at(loaded, capture, 40, 5)
    assert dock.map.marked == -1


def test_a_ring_goes_around_the_texel_of_a_point(loaded: ViewerModel, dock: LatentSpace) -> None:
    loaded.layers["cloth"].translate = (0, 0, 100, 0)
    active = loaded.layers.selection.active
    for i in (100, 700):
        # Of points that lie on one another any is right.
        move(dock.map, dock.map.place_of(i))
        below = dock.map._below_mouse
        ring = dock.links.ring.layer
        assert ring.visible
        assert ring.data.tolist() == [[100 + below // 32, below % 32]]
    assert loaded.layers.selection.active == active
    move(dock.map, QPointF(1, 1))
    assert not ring.visible


def test_painting_lights_up_the_points(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, open_dock: Callable[..., Any]
) -> None:
    texels = open_dock(SelectTexels, loaded)
    layer = texels.start_painting()
    qtbot.wait(30)
    layer.paint((5, 6), 2)
    expected = (layer.data == 2).ravel()
    assert expected.any()
    qtbot.waitUntil(
        lambda: np.array_equal(dock.map.selected, (layer.data == layer.selected_label).ravel())
    )
    layer.selected_label = 2
    layer.paint((15, 20), 2)
    qtbot.waitUntil(lambda: np.array_equal(dock.map.selected, (layer.data == 2).ravel()))
    # And colours follow, each region in the colour it has in the image.
    dock.colours.set_by("region")
    rgb = np.rint(255 * np.array(layer.colormap.map(2)).ravel()[:3])
    np.testing.assert_array_equal(dock.map.colours[(layer.data == 2).ravel()][0], rgb)
    assert dock.colours.legend.texts == ("region 2",)
    # Who wants to keep a selection while painting says so.
    dock.box.follow.setChecked(False)
    before = dock.map.selected.copy()
    layer.fill((0, 0), 3)
    qtbot.wait(150)
    np.testing.assert_array_equal(dock.map.selected, before)
    dock.box.regions.setCurrentText("region 3")
    dock.box.take.click()
    np.testing.assert_array_equal(dock.map.selected, (layer.data == 3).ravel())


def test_a_named_selection_is_a_region_that_trains(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: LatentSpace,
    model: CompressedBTF,
    make_hand: Callable[..., Hand],
) -> None:
    mask = np.zeros((24, 32), dtype=bool)
    mask[4:20, 6:26] = True
    workspace_of(loaded).models.selection(model).take(mask)
    dock.box.name.setText("ink")
    dock.box.keep.click()
    regions = workspace_of(loaded).regions.layer(loaded.layers["cloth"])
    np.testing.assert_array_equal(regions.data > 0, mask)
    assert dock.box.regions.currentText() == "ink"
    # One step of undo takes it back.
    regions.undo()
    assert not regions.data.any()
    regions.redo()

    hand = make_hand(loaded)
    texels = hand.dock.form.texels
    texels.refresh()
    assert [texels.itemText(i) for i in range(texels.count())][2:] == ["ink"]
    texels.setCurrentIndex(2)
    plan = hand.dock.form.plan()
    np.testing.assert_array_equal(plan.coords, np.argwhere(mask))
    hand.dock.form.epochs.setValue(1)
    hand.dock.start()
    qtbot.waitUntil(lambda: len(workspace_of(loaded).models.all) == 2)


def test_a_name_that_is_taken_is_refused(
    loaded: ViewerModel,
    dock: LatentSpace,
    model: CompressedBTF,
    notifications: list[Notification],
) -> None:
    selection = workspace_of(loaded).models.selection(model)
    selection.take(np.eye(24, 32, dtype=bool))
    dock.keep("ink")
    selection.invert()
    dock.keep("ink")
    assert [str(n.message) for n in notifications if n.severity.name == "ERROR"] == [
        'another region is called "ink"; choose another name.'
    ]
    regions = workspace_of(loaded).regions.layer(loaded.layers["cloth"])
    np.testing.assert_array_equal(regions.data > 0, np.eye(24, 32, dtype=bool))


def test_without_a_capture_regions_lie_over_the_latents(
    qtbot: QtBot, viewer: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> None:
    data, options, _ = latent_layer_data(model)[0]
    latents = viewer.add_image(data, **options, translate=(0, 50))
    dock = embedded(qtbot, open_dock(LatentSpace, viewer))
    mask = np.arange(768).reshape(24, 32) % 7 == 0
    workspace_of(viewer).models.selection(model).take(mask)
    dock.keep("thread")
    (regions,) = (layer for layer in viewer.layers if is_kind(layer, "regions"))
    assert regions.name == f"regions of {latents.name}"
    assert tuple(regions.translate) == (0, 50)
    np.testing.assert_array_equal(regions.data > 0, mask)
    assert dock.box.regions.currentText() == "thread"
    mouse_at(viewer, latents, 3, 5)
    assert dock.map.marked == 3 * 32 + 5


def test_a_deleted_mask_stays_away_until_it_is_wanted(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, model: CompressedBTF
) -> None:
    selection = workspace_of(loaded).models.selection(model)
    selection.take(np.eye(24, 32, dtype=bool))
    loaded.layers.remove("selected texels")
    qtbot.waitUntil(lambda: not dock.box.show_lit.isChecked())
    selection.invert()
    assert lit(loaded) == []
    dock.box.show_lit.setChecked(True)
    np.testing.assert_array_equal(lit(loaded)[0], selection.mask)
    # The regions, the ring and the capture may go, too.
    dock.keep("all")
    move(dock.map, dock.map.place_of(100))
    for name in ("texel", "regions of cloth", "cloth"):
        loaded.layers.remove(name)
    qtbot.wait(50)
    assert dock.box.regions.currentText() == "no region is painted"
    move(dock.map, dock.map.place_of(10))
    dock.bar.invert.click()
    dock.keep("nothing to paint on")


def test_closed_it_leaves_nothing_and_reopened_it_is_as_it_was(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: LatentSpace,
    model: CompressedBTF,
    open_dock: Callable[..., Any],
) -> None:
    drag(dock.map, *around(dock.map, 5, 6, 7))
    move(dock.map, dock.map.place_of(5))
    selected, points = dock.map.selected, dock.map.points
    dock.close()
    assert [layer.name for layer in loaded.layers] == ["cloth"]
    assert not loaded.mouse_move_callbacks
    workspace_of(loaded).models.selection(model).invert()
    dock.show()
    np.testing.assert_array_equal(dock.map.selected, ~selected)
    assert len(lit(loaded)) == 1
    dock.close()
    other = open_dock(LatentSpace, loaded)
    np.testing.assert_array_equal(other.map.points, points)
    np.testing.assert_array_equal(other.map.selected, ~selected)
    assert not other.embeddings.run.running


def test_two_models_keep_their_maps_and_selections(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: LatentSpace,
    model: CompressedBTF,
    one_view_model: CompressedBTF,
) -> None:
    workspace = workspace_of(loaded)
    points, mask = dock.map.points, np.eye(24, 32, dtype=bool)
    workspace.models.selection(model).take(mask)
    workspace.models.current = one_view_model
    embedded(qtbot, dock)
    assert not np.array_equal(dock.map.points, points)
    assert lit(loaded) == []
    workspace.models.selection(one_view_model).take(~mask)
    np.testing.assert_array_equal(dock.map.selected, ~mask.ravel())
    # The selection of the model that is not looked at changes nothing here.
    workspace.models.selection(model).clear()
    np.testing.assert_array_equal(dock.map.selected, ~mask.ravel())
    workspace.models.current = model
    np.testing.assert_array_equal(dock.map.points, points)
    assert not dock.map.selected.any()
    assert dock.models.count() == 2
