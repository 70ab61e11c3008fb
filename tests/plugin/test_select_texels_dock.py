from __future__ import annotations

import json
from dataclasses import replace
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from qtpy.QtCore import Qt, QThreadPool
from qtpy.QtWidgets import QFileDialog, QLineEdit

import napari_btf
from napari_btf.cli import main
from napari_btf.coordinates import read_regions
from napari_btf.directions import AzimuthConvention, vectors_to_angles
from napari_btf.plugin.layers import capture_layer_data
from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.select_texels import SelectTexels
from napari_btf.plugin.workspace import workspace_of
from napari_btf.sampling import Sampling, all_texels, random_texels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification
    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QPushButton

ALL = 24 * 32
NOTHING = f"Nothing is painted yet: all {ALL} texels would be used."
SQUARE = np.array([[3, 5], [3, 14], [12, 14], [12, 5]])
"""Corners of 10 x 10 texels."""
BAND = np.array([[18, 0], [18, 31], [21, 31], [21, 0]])
"""Corners of 4 x 32 texels."""


def chosen(number: int, regions: int = 1) -> str:
    return f"{number} of {ALL} texels, {regions} region" + "s" * (regions != 1)


class Hand:
    """A user of one dock: clicks its buttons and reads its count."""

    def __init__(self, qtbot: QtBot, dock: SelectTexels) -> None:
        self.qtbot = qtbot
        self.dock = dock

    def click(self, button: QPushButton) -> None:
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def choose(self, capture: str) -> None:
        box = self.dock.captures
        self.qtbot.keyClick(box, Qt.Key.Key_Home)
        while box.currentText() != capture and box.currentIndex() < box.count() - 1:
            self.qtbot.keyClick(box, Qt.Key.Key_Down)
        assert box.currentText() == capture

    def paint_two(self) -> Any:
        """Paint the square and the band; the layer."""
        self.click(self.dock.paint)
        regions = self.dock.regions_layer()
        regions.paint_polygon(SQUARE, regions.selected_label)
        self.click(self.dock.regions.new)
        regions.paint_polygon(BAND, regions.selected_label)
        self.reads(chosen(228, 2))
        return regions

    def rows(self) -> list[tuple[str, str]]:
        table = self.dock.table
        return [(table.item(i, 0).text(), table.item(i, 1).text()) for i in range(table.rowCount())]

    def types(self, row: int, name: str) -> None:
        """Edit the name of a region, as a double click does."""
        table = self.dock.table
        table.editItem(table.item(row, 0))
        editor = table.findChild(QLineEdit)
        editor.selectAll()
        self.qtbot.keyClicks(editor, name)
        self.qtbot.keyClick(editor, Qt.Key.Key_Return)
        # Qt takes what was typed a moment later.
        self.qtbot.waitUntil(lambda: table.findChild(QLineEdit) is None)

    def reads(self, text: str) -> None:
        # Counting is throttled.
        self.qtbot.waitUntil(lambda: self.dock.count.text() == text, timeout=2000)


@pytest.fixture
def hand(qtbot: QtBot, loaded: ViewerModel, open_dock: Callable[..., Any]) -> Hand:
    return Hand(qtbot, open_dock(SelectTexels, loaded))


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


# --------------------------------------------------------------------------- several regions


def test_regions_are_rows_with_colour_name_and_count(hand: Hand) -> None:
    regions = hand.paint_two()
    assert hand.rows() == [("region 1", "100 texels"), ("region 2", "128 texels")]
    for region in hand.dock.table.regions:
        np.testing.assert_allclose(region.colour, regions.get_color(region.label)[:3], atol=1e-6)
    assert regions.selected_label == 2
    assert hand.dock.table.currentRow() == 1
    hand.dock.step.value = 2
    hand.reads(chosen(25 + 32, 2))
    assert hand.rows() == [
        ("region 1", "25 of 100 texels"),
        ("region 2", "32 of 128 texels"),
    ]


def test_a_click_on_a_row_chooses_what_is_painted(hand: Hand) -> None:
    regions = hand.paint_two()
    table = hand.dock.table
    place = table.visualItemRect(table.item(0, 1)).center()
    hand.qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert regions.selected_label == 1
    regions.selected_label = 2
    hand.qtbot.waitUntil(lambda: table.currentRow() == 1)
    # Any label of the layer controls is a region, 0 is none.
    regions.selected_label = 7
    hand.qtbot.waitUntil(lambda: hand.rows()[-1] == ("region 7", "0 texels"))
    regions.selected_label = 0
    hand.qtbot.waitUntil(lambda: not hand.dock.regions.invert.isEnabled())
    assert "label 0 erases" in hand.dock.regions.invert.toolTip()
    assert len(hand.rows()) == 2


def test_names_live_in_the_layer(hand: Hand, notifications: list[Notification]) -> None:
    regions = hand.paint_two()
    hand.types(0, "  collar,  left ")
    assert hand.rows()[0][0] == "collar, left"
    # The name of another region is refused.
    hand.types(1, "collar, left")
    assert hand.rows()[1][0] == "region 2"
    assert ['called "collar, left"' in note.message for note in notifications] == [True]
    regions.name = "anything"
    hand.dock.hide()
    hand.dock.show()
    assert [row[0] for row in hand.rows()] == ["collar, left", "region 2"]
    # Without texels a named region stays; without a name it is gone, unless it is painted next.
    hand.click(hand.dock.regions.clear)
    hand.reads(NOTHING)
    assert hand.rows() == [("collar, left", "0 texels"), ("region 2", "0 texels")]
    hand.types(0, " ")
    assert hand.rows() == [("region 2", "0 texels")]


def test_new_regions_keep_those_that_are_empty(hand: Hand) -> None:
    hand.click(hand.dock.regions.new)
    assert hand.rows() == [("region 1", "0 texels")]
    hand.click(hand.dock.regions.new)
    hand.click(hand.dock.regions.new)
    assert [row[0] for row in hand.rows()] == ["region 1", "region 2", "region 3"]
    assert hand.dock.regions_layer().selected_label == 3
    hand.click(hand.dock.regions.remove)
    assert [row[0] for row in hand.rows()] == ["region 1", "region 2"]
    assert hand.dock.regions_layer().mode == "paint"


def test_more_regions_than_the_layer_holds(
    hand: Hand, tmp_path: Path, notifications: list[Notification]
) -> None:
    path = tmp_path / "many.csv"
    lines = [f"{i % 32},{i // 32},number {i}" for i in range(256)]
    path.write_text("\n".join(["x,y,region", *lines]))
    hand.dock.load_csv(str(path))
    assert ["there are 255 regions already" in note.message for note in notifications] == [True]
    path.write_text("\n".join(["x,y,region", *lines[:255]]))
    hand.dock.load_csv(str(path))
    assert hand.dock.count.text() == chosen(255, 255)
    hand.click(hand.dock.regions.new)
    assert len(notifications) == 2


def test_inverting_clearing_and_removing_can_be_undone(hand: Hand) -> None:
    regions = hand.paint_two()
    painted = regions.data.copy()
    hand.click(hand.dock.regions.invert)
    hand.reads(chosen(ALL - 128, 2))
    assert hand.rows()[1] == ("region 2", f"{ALL - 228} texels")
    assert np.all(regions.data[3:13, 5:15] == 1)
    regions.undo()
    np.testing.assert_array_equal(regions.data, painted)
    hand.reads(chosen(228, 2))
    hand.click(hand.dock.regions.clear)
    hand.reads(NOTHING)
    assert not hand.dock.regions.clear.isEnabled()
    assert hand.dock.regions.clear.toolTip() == "Paint a region first."
    regions.undo()
    np.testing.assert_array_equal(regions.data, painted)
    hand.reads(chosen(228, 2))
    hand.click(hand.dock.regions.remove)
    hand.reads(chosen(100))
    assert regions.selected_label == 1
    regions.undo()
    np.testing.assert_array_equal(regions.data, painted)


def test_two_regions_come_back_from_a_table(hand: Hand, tmp_path: Path, loaded: Any) -> None:
    path = tmp_path / "texels.csv"
    regions = hand.paint_two()
    hand.types(0, 'the "square"')
    hand.types(1, "band")
    painted = regions.data.copy()
    hand.dock.save_csv(str(path))
    lines = path.read_text().splitlines()
    assert lines[:2] == ["x,y,region", '5,3,"the ""square"""']
    assert lines[-1] == "31,21,band"
    assert read_regions(path, 24, 32).names == ('the "square"', "band")

    # Into the layer it came from, whatever is painted now, and as one step of undo.
    regions.fill((0, 0), 5)
    before = regions.data.copy()
    hand.dock.load_csv(str(path))
    np.testing.assert_array_equal(regions.data, painted)
    hand.reads(chosen(228, 2))
    regions.undo()
    np.testing.assert_array_equal(regions.data, before)

    # Into a new one.
    loaded.layers.remove(regions)
    hand.dock.load_csv(str(path))
    np.testing.assert_array_equal(hand.dock.regions_layer().data, painted)
    assert hand.rows() == [('the "square"', "100 texels"), ("band", "128 texels")]


def test_a_table_of_regions_trains_from_the_command_line(
    hand: Hand, tmp_path: Path, capture: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "texels.csv"
    hand.paint_two()
    hand.dock.save_csv(str(path))
    options = ["--texels", str(path), "--epochs", "1", "--latents", "4", "--json"]
    with pytest.raises(SystemExit) as ended:
        main(["train", str(capture.folder), "--out", str(tmp_path / "m"), *options])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["texels_trained"] == 228


def test_a_folder_that_is_read_only(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, notifications: list[Notification], tmp_path: Path
) -> None:
    hand.paint_two()
    path = tmp_path / "locked" / "texels.csv"
    path.parent.mkdir()
    path.parent.chmod(0o500)

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    # Root writes everywhere.
    monkeypatch.setattr("pathlib.Path.open", refuse)
    hand.dock.save_csv(str(path))
    assert ["Permission denied" in note.message for note in notifications] == [True]
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x,y,region\n0,0,a\n1.5,0,a\n", "line 3 is '1.5,0,a', expected two integers"),
        ("x,y,region\n0,0,a\n0,24,a\n", "line 3: x=0, y=24 lies outside the 32 x 24 image"),
        ("x,y,region\n0,0,a\n0,0,b\n", "line 3: x=0, y=0 is in another region already"),
    ],
)
def test_a_bad_table_is_refused_with_its_line(
    hand: Hand, tmp_path: Path, notifications: list[Notification], text: str, complaint: str
) -> None:
    path = tmp_path / "texels.csv"
    path.write_text(text)
    regions = hand.paint_two()
    before = regions.data.copy()
    hand.dock.load_csv(str(path))
    assert [complaint in note.message for note in notifications] == [True]
    np.testing.assert_array_equal(regions.data, before)


# --------------------------------------------------------------------------- sampling


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
    texels = workspace_of(loaded).selected_texels(loaded.layers["cloth"])
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
    assert workspace_of(loaded).sampling(loaded.layers["foil"]) == Sampling(7)


# --------------------------------------------------------------------------- the chosen texels


def shown(hand: Hand) -> np.ndarray:
    """Which texels are lit up, as coordinates."""
    return np.argwhere(hand.dock.overlay.layer.data)


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
    assert len(workspace_of(loaded).capture_layers()) == 1
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


# --------------------------------------------------------------------------- structure


def press(viewer: ViewerModel, y: float, x: float, *modifiers: str, drag: float = 0.0) -> None:
    """Press the mouse at a texel, move it by some pixels, let go."""
    event = SimpleNamespace(
        type="mouse_press",
        button=1,
        modifiers=modifiers,
        position=(0, 0, y, x),
        pos=np.array([50.0, 50.0]),
        is_dragging=False,
    )
    mouse_press_callbacks(viewer, ReadOnlyWrapper(event))
    moved = {**vars(event), "pos": event.pos + drag, "is_dragging": True}
    mouse_move_callbacks(viewer, SimpleNamespace(**{**moved, "type": "mouse_move"}))
    mouse_release_callbacks(viewer, SimpleNamespace(**{**moved, "type": "mouse_release"}))


def test_a_threshold_with_preview(hand: Hand, loaded: ViewerModel, capture: Any) -> None:
    hand.dock.structure.threshold_section.expand()
    threshold = hand.dock.structure.threshold
    preview = hand.dock.structure.preview
    assert threshold.add.toolTip() == "Tick the preview first."
    threshold.preview.click()
    hand.qtbot.waitUntil(lambda: preview.layer is not None)
    assert not hand.dock.structure.jobs.running
    threshold.band.setValue((90, 100))
    hand.qtbot.waitUntil(lambda: np.sum(preview.layer.data) == 77)
    mean = np.mean(capture.frames, axis=(0, 3))
    brightest = mean >= np.sort(mean.ravel())[-77]
    np.testing.assert_array_equal(preview.layer.data, brightest)
    assert threshold.note.text() == f"77 of {ALL} texels"

    threshold.statistic.value = "variance"
    threshold.band.setValue((0, 10))
    grey = np.mean(capture.frames, axis=3)
    steadiest = grey.var(axis=0) <= np.sort(grey.var(axis=0).ravel())[76]
    hand.qtbot.waitUntil(lambda: np.array_equal(preview.layer.data, steadiest))
    threshold.add.click()
    hand.reads(chosen(77))
    regions = hand.dock.regions_layer()
    np.testing.assert_array_equal(regions.data == 1, steadiest)
    assert preview.layer is None
    assert not threshold.preview.isChecked()

    # What was seen once is there at once.
    threshold.preview.click()
    assert preview.layer is not None
    np.testing.assert_allclose(
        preview.layer.colormap.colors[-1][:3], regions.get_color(1)[:3], atol=1e-6
    )
    threshold.band.setValue((50, 100))
    threshold.new.click()
    hand.reads(chosen(77 + ALL // 2, 2))
    assert np.sum(regions.data == 2) == ALL // 2
    regions.undo()
    hand.reads(chosen(77))


def test_deleting_the_preview_unticks_it(hand: Hand, loaded: ViewerModel) -> None:
    threshold, preview = hand.dock.structure.threshold, hand.dock.structure.preview
    threshold.preview.click()
    hand.qtbot.waitUntil(lambda: preview.layer is not None)
    preview.layer.name = "anything"
    loaded.layers.remove(preview.layer)
    assert not threshold.preview.isChecked()
    threshold.preview.click()
    assert preview.layer is not None
    hand.dock.hide()
    assert [layer.name for layer in loaded.layers] == ["cloth"]


def test_superpixels_are_clicked_together(hand: Hand, loaded: ViewerModel) -> None:
    structure = hand.dock.structure
    structure.parts_section.expand()
    parts = structure.parts
    assert parts.click.toolTip() == "Find superpixels first."
    parts.number.value = 20
    parts.find.click()
    hand.qtbot.waitUntil(parts.click.isChecked)
    assert not structure.jobs.running
    found = parts.found
    assert found.shape == (24, 32)
    assert structure.edges.layer.data.any()
    regions = hand.dock.regions_layer()
    assert regions.mode == "pan_zoom"

    def of(*texels: tuple[int, int]) -> np.ndarray:
        return np.isin(found, [found[texel] for texel in texels])

    assert found[0, 0] != found[23, 31]
    press(loaded, 0, 0)
    np.testing.assert_array_equal(regions.data == 1, of((0, 0)))
    press(loaded, 23, 31)
    np.testing.assert_array_equal(regions.data == 1, of((0, 0), (23, 31)))
    press(loaded, 0.3, 0.2)
    np.testing.assert_array_equal(regions.data == 1, of((23, 31)))
    press(loaded, 0, 0, "Shift")
    press(loaded, 23, 31, "Shift")
    assert not regions.data.any()
    # Moving in between is panning; beside the image there is nothing.
    press(loaded, 0, 0, drag=40)
    press(loaded, -5, 0)
    assert not regions.data.any()
    press(loaded, 0, 0)
    regions.undo()
    assert not regions.data.any()

    # With the brush in hand clicks paint, and nothing else.
    hand.click(hand.dock.paint)
    press(loaded, 0, 0)
    assert not regions.data.any()
    regions.mode = "pan_zoom"
    parts.click.click()
    press(loaded, 0, 0)
    assert not regions.data.any()
    assert structure.edges.layer is None
    parts.click.click()
    loaded.layers.remove(structure.edges.layer)
    assert not parts.click.isChecked()


class GatedFrames:
    """Observations that can be read while a gate is open."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames, self.shape, self.dtype = frames, frames.shape, frames.dtype
        self.gate = Event()
        self.gate.set()

    def __getitem__(self, i: int) -> np.ndarray:
        assert self.gate.wait(30)
        return self.frames[i]


@pytest.fixture
def gated(
    qtbot: QtBot, viewer: ViewerModel, capture: Any, open_dock: Callable[..., Any]
) -> Iterator[tuple[Hand, Event]]:
    """The dock over a capture whose images cannot be read before the gate is opened."""
    btf = napari_btf.read(capture.folder)
    frames = GatedFrames(np.array(capture.frames))
    data, options, _ = capture_layer_data(replace(btf, frames=frames))
    viewer.add_image(data, **options)
    hand = Hand(qtbot, open_dock(SelectTexels, viewer))
    frames.gate.clear()
    yield hand, frames.gate
    frames.gate.set()
    QThreadPool.globalInstance().waitForDone(20_000)


def test_a_job_can_be_cancelled(gated: tuple[Hand, Event]) -> None:
    hand, gate = gated
    structure = hand.dock.structure
    structure.parts.find.click()
    assert structure.jobs.running
    assert structure.cancel.isVisible()
    structure.cancel.click()
    assert not structure.jobs.running
    assert not structure.cancel.isVisible()
    gate.set()
    QThreadPool.globalInstance().waitForDone(20_000)
    hand.qtbot.wait(50)
    assert structure.parts.found is None
    # The next one runs as if nothing had been.
    structure.parts.find.click()
    hand.qtbot.waitUntil(lambda: structure.parts.found is not None)


def test_a_preview_that_is_cancelled_is_unticked(gated: tuple[Hand, Event]) -> None:
    hand, _ = gated
    structure = hand.dock.structure
    structure.threshold_section.expand()
    structure.threshold.preview.click()
    assert structure.jobs.running
    structure.cancel.click()
    assert not structure.threshold.preview.isChecked()


def test_a_capture_that_goes_takes_its_job_along(
    gated: tuple[Hand, Event], viewer: ViewerModel
) -> None:
    hand, gate = gated
    structure = hand.dock.structure
    structure.parts.find.click()
    point_at(viewer, 5, 7)
    hand.qtbot.waitUntil(lambda: hand.dock.texel.jobs.running)
    viewer.layers.clear()
    assert not structure.jobs.running
    assert not hand.dock.texel.jobs.running
    assert not structure.parts.find.isEnabled()
    gate.set()
    QThreadPool.globalInstance().waitForDone(20_000)
    hand.qtbot.wait(50)
    assert structure.parts.found is None
    assert not viewer.layers


def test_an_image_that_cannot_be_read(
    hand: Hand, capture: Any, notifications: list[Notification]
) -> None:
    path = capture.truncate(3)
    threshold = hand.dock.structure.threshold
    threshold.preview.click()
    hand.qtbot.waitUntil(lambda: not threshold.preview.isChecked())
    assert [str(path) in note.message for note in notifications] == [True]


# --------------------------------------------------------------------------- one texel


def point_at(viewer: ViewerModel, y: float, x: float) -> None:
    event = SimpleNamespace(type="mouse_move", is_dragging=False, position=(0, 0, y, x))
    mouse_move_callbacks(viewer, event)


def colours(hand: Hand) -> np.ndarray:
    return hand.dock.texel.disk.colours


def test_the_texel_below_the_mouse_under_all_lights(
    hand: Hand, loaded: ViewerModel, capture: Any
) -> None:
    texel = hand.dock.texel
    point_at(loaded, 5.2, 7.4)
    hand.qtbot.waitUntil(lambda: len(texel.disk.vectors) == 9)
    frames = np.array(capture.frames).reshape(2, 9, 24, 32, 3)
    view, light = loaded.dims.current_step[:2]
    # Lights are written in the order in which the capture arranges them.
    np.testing.assert_array_equal(colours(hand), frames[view, :, 5, 7])
    assert texel.disk.marked == light
    assert texel.note.text() == f"x 7, y 5 under 9 lights, view {('0°, 0°', '15°, 90°')[view]}"

    # The images of this view are read: no waiting any more.
    point_at(loaded, 20, 30)
    np.testing.assert_array_equal(colours(hand), frames[view, :, 20, 30])
    point_at(loaded, 200, 30)
    assert texel.texel == (20, 30)

    # Sliders and dots go together.
    loaded.dims.set_current_step(1, 4)
    assert texel.disk.marked == 4
    texel.disk.picked.emit(7)
    assert loaded.dims.current_step[1] == 7
    loaded.dims.set_current_step(0, 1 - view)
    hand.qtbot.waitUntil(lambda: np.array_equal(colours(hand), frames[1 - view, :, 20, 30]))


def test_the_mouse_moves_on_while_images_are_read(
    gated: tuple[Hand, Event], viewer: ViewerModel, capture: Any
) -> None:
    hand, gate = gated
    texel = hand.dock.texel
    point_at(viewer, 5, 7)
    hand.qtbot.waitUntil(lambda: texel.jobs.running)
    point_at(viewer, 9, 8)
    point_at(viewer, 20, 30)
    assert colours(hand) is None
    gate.set()
    hand.qtbot.waitUntil(lambda: colours(hand) is not None)
    frames = np.array(capture.frames).reshape(2, 9, 24, 32, 3)
    view = viewer.dims.current_step[0]
    np.testing.assert_array_equal(colours(hand), frames[view, :, 20, 30])


def test_captures_in_memory_are_looked_at_at_once(
    viewer: ViewerModel, capture: Any, open_dock: Callable[..., Any]
) -> None:
    btf = napari_btf.read(capture.folder).in_memory()
    data, options, _ = capture_layer_data(btf)
    viewer.add_image(data, **options)
    dock = open_dock(SelectTexels, viewer)
    point_at(viewer, 3, 4)
    view = viewer.dims.current_step[0]
    observations = btf.grid.observations[view]
    np.testing.assert_array_equal(dock.texel.disk.colours, btf.frames[observations, 3, 4])
    assert not dock.texel.jobs.running


def test_turning_the_capture_turns_the_dots(hand: Hand, loaded: ViewerModel) -> None:
    texel = hand.dock.texel
    point_at(loaded, 5, 7)
    hand.qtbot.waitUntil(lambda: len(texel.disk.vectors) == 9)
    workspace_of(loaded).turn_capture(loaded.layers["cloth"], AzimuthConvention(True, 0.0))
    btf = hand.dock.captures.btf
    hand.qtbot.waitUntil(lambda: np.allclose(texel.disk.vectors, btf.grid.lights, atol=1e-6))


def test_a_damaged_image_is_told_in_place(
    hand: Hand, loaded: ViewerModel, capture: Any, notifications: list[Notification]
) -> None:
    view = loaded.dims.current_step[0]
    path = capture.truncate(9 * view + 2)
    point_at(loaded, 5, 7)
    hand.qtbot.waitUntil(lambda: str(path) in hand.dock.texel.note.text())
    assert not notifications


def test_no_one_looks_at_texels_while_the_dock_is_hidden(hand: Hand, loaded: ViewerModel) -> None:
    texel = hand.dock.texel
    point_at(loaded, 5, 7)
    hand.dock.texel_section.collapse()
    point_at(loaded, 6, 7)
    assert texel.texel == (5, 7)
    hand.dock.texel_section.expand()
    point_at(loaded, 6, 7)
    assert texel.texel == (6, 7)
    hand.dock.hide()
    point_at(loaded, 8, 7)
    assert texel.texel == (6, 7)
    assert not loaded.mouse_move_callbacks
    hand.dock.show()
    del loaded.layers["cloth"]
    point_at(loaded, 8, 7)
    assert texel.texel is None
    assert not len(texel.disk.vectors)


def test_a_capture_without_a_grid(
    qtbot: QtBot,
    viewer: ViewerModel,
    make_capture: Callable[..., Any],
    open_dock: Callable[..., Any],
) -> None:
    # Every view has a light of its own, but for the last, which has three.
    pairs = [((10 * i, 20 * i), (60, 40 * i)) for i in range(5)]
    pairs += [((40, 80), (15, 0)), ((40, 80), (30, 0))]
    capture = make_capture(pairs=pairs)
    open_path(viewer, capture.folder)
    dock = open_dock(SelectTexels, viewer)
    disk = dock.texel.disk
    viewer.dims.set_current_step(0, 6)
    point_at(viewer, 3, 4)
    qtbot.waitUntil(lambda: len(disk.vectors) == 3)
    frames = np.array(capture.frames)
    theta = vectors_to_angles(disk.vectors)[0].round().astype(int).tolist()
    assert theta == [15, 30, 60]
    np.testing.assert_array_equal(disk.colours, frames[[5, 6, 4], 3, 4])
    assert disk.marked == 1


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
