"""Which of the painted texels are chosen, and how they light up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from select_hand import ALL, BAND, NOTHING, Hand, chosen, point_at, shown

from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.texels.sampling import Sampling, all_texels, random_texels

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel


def test_a_random_choice_of_what_is_painted(hand: Hand) -> None:
    regions = hand.paint_two()
    box = hand.dock.sampling
    box.way.value = "at random"
    assert box.number.visible
    assert not box.step.visible
    box.number.value = 50
    hand.reads(chosen(50, 2))
    painted = np.argwhere(regions.data)
    np.testing.assert_array_equal(hand.dock.texels(), random_texels(painted, 50))
    box.seed.value = 9
    np.testing.assert_array_equal(hand.dock.texels(), random_texels(painted, 50, 9))
    box.each.click()
    hand.reads(chosen(100, 2))
    assert [row[1] for row in hand.rows()] == ["50 of 100 texels", "50 of 128 texels"]


def test_a_step_for_each_region(hand: Hand) -> None:
    hand.paint_two()
    hand.dock.step.value = 5
    # The grid from (3, 0): 2 x 2 in the square, and the rows 18 in the band.
    hand.reads(chosen(4 + 7, 2))
    hand.dock.sampling.each.click()
    hand.reads(chosen(4 + 7, 2))
    hand.dock.step.value = 4
    # 3 x 3 from the corner of the square, 1 x 8 from that of the band.
    hand.reads(chosen(9 + 8, 2))


def test_a_random_choice_where_nothing_is_painted(hand: Hand, loaded: ViewerModel) -> None:
    box = hand.dock.sampling
    box.way.value = "at random"
    box.number.value = 40
    hand.reads(f"40 of {ALL} texels, from the whole image")
    np.testing.assert_array_equal(shown(hand), hand.dock.texels())
    assert hand.dock.regions_layer() is None
    expected = random_texels(all_texels(24, 32), 40)
    texels = workspace_of(loaded).regions.selected_texels(loaded.layers["cloth"])
    np.testing.assert_array_equal(texels, expected)
    assert hand.dock.save.isEnabled()


def test_each_capture_has_its_own_sampling(
    hand: Hand, loaded: ViewerModel, make_capture: Callable[..., Any]
) -> None:
    box = hand.dock.sampling
    box.way.value = "at random"
    box.number.value = 40
    open_path(loaded, make_capture("foil").folder)
    hand.choose("foil")
    assert box.sampling == Sampling()
    box.step.value = 7
    hand.choose("cloth")
    assert box.sampling.count == 40
    assert workspace_of(loaded).regions.sampling(loaded.layers["foil"]) == Sampling(7)


def test_the_chosen_texels_light_up(hand: Hand, loaded: ViewerModel) -> None:
    regions = hand.paint_two()
    # As long as all of them are chosen, the regions say it all.
    assert hand.dock.overlay.layer is None
    hand.dock.step.value = 3
    np.testing.assert_array_equal(shown(hand), hand.dock.texels())
    # It takes nothing away from the one who paints.
    assert loaded.layers.selection == {regions}
    assert regions.mode == "paint"
    assert loaded.layers.index(hand.dock.overlay.layer) > loaded.layers.index(regions)
    assert hand.dock.regions_layer() == regions
    assert len(workspace_of(loaded).captures.layers()) == 1
    hand.dock.hide()
    assert hand.dock.overlay.layer is None
    assert len(loaded.layers) == 2
    hand.dock.show()
    np.testing.assert_array_equal(shown(hand), hand.dock.texels())
    hand.dock.show_chosen.click()
    assert len(loaded.layers) == 2


def test_whoever_deletes_what_lights_up_does_not_want_it(hand: Hand, loaded: ViewerModel) -> None:
    hand.paint_two()
    hand.dock.step.value = 2
    layer = hand.dock.overlay.layer
    layer.name = "lamps"
    hand.dock.step.value = 3
    assert hand.dock.overlay.layer == layer
    loaded.layers.remove(layer)
    assert not hand.dock.show_chosen.isChecked()
    hand.dock.step.value = 2
    assert len(loaded.layers) == 2
    hand.dock.show_chosen.click()
    np.testing.assert_array_equal(shown(hand), hand.dock.texels())


def test_all_layers_may_go_at_once(hand: Hand, loaded: ViewerModel, capture: Any) -> None:
    hand.paint_two()
    loaded.layers.clear()
    assert not loaded.layers
    assert "Open a BTF capture first" in hand.dock.count.text()
    open_path(loaded, capture.folder)
    hand.reads(NOTHING)


def test_regions_of_another_size_no_longer_count(hand: Hand) -> None:
    regions = hand.paint_two()
    regions.data = np.ones((5, 5), dtype=np.uint8)
    hand.reads(NOTHING)
    assert hand.dock.regions_layer() is None
    hand.click(hand.dock.paint)
    assert hand.dock.regions_layer() != regions


def test_two_captures_never_mix_what_lights_up(
    hand: Hand, loaded: ViewerModel, make_capture: Callable[..., Any]
) -> None:
    hand.paint_two()
    hand.dock.step.value = 2
    open_path(loaded, make_capture("foil").folder)
    hand.choose("foil")
    assert hand.dock.overlay.layer is None
    hand.click(hand.dock.paint)
    hand.dock.regions_layer().paint_polygon(BAND, 1)
    hand.dock.step.value = 4
    hand.reads(chosen(8))
    assert len(shown(hand)) == 8
    del loaded.layers["foil"]
    assert hand.dock.captures.currentText() == "cloth"
    hand.reads(chosen(57, 2))
    assert len(shown(hand)) == 57


def test_a_capture_that_was_moved_and_scaled(hand: Hand, loaded: ViewerModel) -> None:
    layer = loaded.layers["cloth"]
    layer.scale, layer.translate = (1, 1, 0.5, 0.5), (0, 0, 100, 200)
    regions = hand.paint_two()
    hand.dock.step.value = 2
    for over in (regions, hand.dock.overlay.layer):
        assert over.scale.tolist() == [0.5, 0.5]
        assert over.translate.tolist() == [100, 200]
    point_at(loaded, 102, 203)
    assert hand.dock.texel.texel == (4, 6)


def test_any_layer_may_be_selected(hand: Hand, loaded: ViewerModel) -> None:
    regions = hand.paint_two()
    points = loaded.add_points([[1, 1]], name="someone else's")
    hand.dock.step.value = 2
    hand.reads(chosen(57, 2))
    assert loaded.layers.selection.active == points
    hand.click(hand.dock.paint)
    assert loaded.layers.selection.active == regions
    loaded.layers.selection.clear()
    hand.dock.step.value = 3
    assert not loaded.layers.selection
