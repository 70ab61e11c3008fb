"""Several regions: rows with names, tables, and undoing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from select_hand import ALL, NOTHING, Hand, chosen

from napari_btf.cli import main
from napari_btf.texels.coordinates import read_regions

if TYPE_CHECKING:
    from pathlib import Path

    from napari.utils.notifications import Notification


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
    # napari prints the notification where a window was open before.
    capsys.readouterr()
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
        ("x,y,region\n0,0,a\n0,0,b\n", "line 3: x=0, y=0 already belongs to another region"),
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
