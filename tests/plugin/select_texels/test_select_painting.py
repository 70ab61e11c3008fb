"""Painting texels, counting them, and keeping them in tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog
from select_hand import ALL, NOTHING, SQUARE, Hand, chosen

from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.select_texels import SelectTexels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification


def test_without_data_it_says_what_it_needs(
    viewer: ViewerModel, open_dock: Callable[..., Any], capture: Any
) -> None:
    viewer.add_image(np.zeros((24, 32)), name="no capture")
    dock = open_dock(SelectTexels, viewer)
    assert "Open a BTF capture first" in dock.count.text()
    for button in (
        dock.paint,
        dock.regions.new,
        dock.regions.invert,
        dock.regions.remove,
        dock.regions.clear,
        dock.load,
        dock.save,
    ):
        assert not button.isEnabled()
        assert "Open a BTF capture first" in button.toolTip()
    structure = dock.structure
    for control in (structure.threshold.preview, structure.parts.find, dock.show_chosen):
        assert not control.isEnabled()
        assert "Open a BTF capture first" in control.toolTip()
    assert not dock.captures.isEnabled()
    assert not dock.table.regions

    open_path(viewer, capture.folder)
    assert dock.captures.currentText() == "cloth"
    assert dock.count.text() == NOTHING
    assert dock.paint.isEnabled()
    assert dock.load.isEnabled()
    assert not dock.save.isEnabled()


def test_the_button_gives_a_brush_over_the_capture(hand: Hand, loaded: ViewerModel) -> None:
    hand.click(hand.dock.paint)
    regions = hand.dock.regions_layer()
    assert loaded.layers.selection.active == regions
    assert regions.mode == "paint"
    assert regions.data.shape == (24, 32)
    hand.click(hand.dock.paint)
    assert len(loaded.layers) == 2


def test_the_count_follows_painting_filling_and_undoing(hand: Hand) -> None:
    hand.click(hand.dock.paint)
    regions = hand.dock.regions_layer()
    regions.paint_polygon(SQUARE, 1)
    hand.reads(chosen(100))
    assert hand.dock.save.isEnabled()
    regions.brush_size = 1
    regions.paint((20, 30), 2)
    hand.reads(chosen(101, 2))
    regions.undo()
    hand.reads(chosen(100))
    regions.undo()
    hand.reads(NOTHING)
    assert not hand.dock.save.isEnabled()
    regions.redo()
    hand.reads(chosen(100))
    regions.fill((0, 0), 3)
    hand.reads(chosen(ALL, 2))
    regions.data = np.zeros((24, 32), dtype=np.uint8)
    hand.reads(NOTHING)


def test_the_step_thins_out_a_square_of_ten_to_five_by_five(hand: Hand) -> None:
    hand.click(hand.dock.paint)
    hand.dock.regions_layer().paint_polygon(SQUARE, 1)
    hand.dock.step.value = 2
    hand.reads(chosen(25))
    texels = hand.dock.texels()
    assert sorted(set(texels[:, 0])) == [3, 5, 7, 9, 11]
    assert sorted(set(texels[:, 1])) == [5, 7, 9, 11, 13]


def test_the_step_chosen_before_painting_counts(hand: Hand) -> None:
    hand.dock.step.value = 2
    hand.click(hand.dock.paint)
    hand.dock.regions_layer().paint_polygon(SQUARE, 1)
    hand.reads(chosen(25))


def test_a_saved_table_paints_the_same_texels(
    hand: Hand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[Notification],
) -> None:
    path = tmp_path / "texels.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(path), ""))
    hand.click(hand.dock.paint)
    regions = hand.dock.regions_layer()
    regions.paint_polygon(SQUARE, 1)
    hand.dock.step.value = 2
    hand.reads(chosen(25))
    before = hand.dock.texels()
    hand.click(hand.dock.save)
    lines = path.read_text().splitlines()
    assert lines[:3] == ["x,y", "5,3", "7,3"]
    assert len(lines) == 26
    assert [str(path) in note.message for note in notifications] == [True]

    regions.fill((3, 5), 0)
    hand.reads(NOTHING)
    hand.click(hand.dock.load)
    # The table is what was chosen: it is not thinned out again.
    hand.reads(chosen(25))
    assert hand.dock.step.value == 1
    np.testing.assert_array_equal(hand.dock.texels(), before)


def test_loading_a_table_needs_no_painting_before(hand: Hand, tmp_path: Path) -> None:
    path = tmp_path / "texels.csv"
    path.write_text("x,y\n31,23\n0,0\n4,2\n")
    hand.dock.load_csv(str(path))
    assert hand.dock.count.text() == chosen(3)
    np.testing.assert_array_equal(hand.dock.texels(), [(0, 0), (2, 4), (23, 31)])


def test_loading_a_table_can_be_undone(hand: Hand, tmp_path: Path) -> None:
    path = tmp_path / "texels.csv"
    path.write_text("x,y\n4,2\n")
    hand.click(hand.dock.paint)
    regions = hand.dock.regions_layer()
    regions.paint_polygon(SQUARE, 1)
    hand.dock.load_csv(str(path))
    hand.reads(chosen(1))
    regions.undo()
    hand.reads(chosen(100))


def test_a_table_that_does_not_fit_changes_nothing(
    hand: Hand,
    loaded: ViewerModel,
    tmp_path: Path,
    notifications: list[Notification],
) -> None:
    path = tmp_path / "texels.csv"
    path.write_text("x,y\n4,2\n32,2\n")
    hand.click(hand.dock.paint)
    hand.dock.regions_layer().paint_polygon(SQUARE, 1)
    hand.dock.step.value = 2
    hand.reads(chosen(25))
    hand.dock.load_csv(str(path))
    assert len(notifications) == 1
    assert "texels.csv: line 3: x=32, y=2 lies outside the 32 x 24 image" in (
        notifications[0].message
    )
    assert hand.dock.step.value == 2
    assert hand.dock.count.text() == chosen(25)
    assert np.count_nonzero(hand.dock.regions_layer().data) == 100


def test_a_place_that_cannot_be_written_to_is_named(
    hand: Hand, tmp_path: Path, notifications: list[Notification]
) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "texels.csv"
    hand.click(hand.dock.paint)
    hand.dock.regions_layer().paint_polygon(SQUARE, 1)
    hand.dock.save_csv(str(path))
    assert [str(path) in note.message for note in notifications] == [True]
    assert notifications[0].severity.value == "error"


def test_a_renamed_layer_is_still_the_regions(hand: Hand, loaded: ViewerModel) -> None:
    hand.click(hand.dock.paint)
    regions = hand.dock.regions_layer()
    regions.name = "collar"
    loaded.layers["cloth"].name = "shirt"
    assert hand.dock.captures.currentText() == "shirt"
    regions.paint_polygon(SQUARE, 1)
    hand.reads(chosen(100))
    assert hand.dock.regions_layer() == regions


def test_deleted_regions_are_empty_and_can_be_made_anew(hand: Hand, loaded: ViewerModel) -> None:
    hand.click(hand.dock.paint)
    old = hand.dock.regions_layer()
    old.paint_polygon(SQUARE, 1)
    hand.reads(chosen(100))
    loaded.layers.remove(old)
    hand.reads(NOTHING)
    assert hand.dock.regions_layer() is None
    hand.click(hand.dock.paint)
    new = hand.dock.regions_layer()
    assert new is not None
    assert new != old
    hand.reads(NOTHING)


def test_the_dock_rests_when_the_capture_is_deleted(hand: Hand, loaded: ViewerModel) -> None:
    hand.click(hand.dock.paint)
    hand.dock.regions_layer().paint_polygon(SQUARE, 1)
    hand.reads(chosen(100))
    del loaded.layers["cloth"]
    assert "Open a BTF capture first" in hand.dock.count.text()
    assert not any(
        button.isEnabled() for button in (hand.dock.paint, hand.dock.load, hand.dock.save)
    )
    assert not len(hand.dock.texels())


def test_two_captures_keep_their_own_regions(
    hand: Hand, loaded: ViewerModel, make_capture: Callable[..., Any]
) -> None:
    hand.click(hand.dock.paint)
    hand.dock.regions_layer().paint_polygon(SQUARE, 1)
    hand.dock.step.value = 2
    hand.reads(chosen(25))

    open_path(loaded, make_capture("foil").folder)
    assert hand.dock.captures.currentText() == "cloth"
    hand.choose("foil")
    hand.reads(NOTHING)
    hand.click(hand.dock.paint)
    hand.dock.regions_layer().fill((0, 0), 1)
    hand.dock.step.value = 4
    hand.reads(chosen(6 * 8))

    hand.choose("cloth")
    assert hand.dock.step.value == 2
    hand.reads(chosen(25))


def test_a_hidden_dock_is_up_to_date_when_it_comes_back(hand: Hand, capture: Any) -> None:
    hand.click(hand.dock.paint)
    regions = hand.dock.regions_layer()
    hand.dock.hide()
    regions.paint_polygon(SQUARE, 1)
    hand.dock.show()
    hand.reads(chosen(100))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (1, "texel"),
        (2, "nd texel"),
        (3, "rd texel"),
        (11, "th texel"),
        (21, "st texel"),
    ],
)
def test_the_step_reads_as_it_is_spoken(hand: Hand, step: int, said: str) -> None:
    hand.dock.sampling.step.value = step
    assert hand.dock.sampling.unit.text() == said
