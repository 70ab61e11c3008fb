"""What one sees of a training while it runs, and what happens when its surroundings change."""

from __future__ import annotations

import gc
import json
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari._qt.dialogs.qt_activity_dialog import ActivityToggleItem, QtActivityDialog
from napari.layers import Layer
from train_hand import PATIENCE, Hand, rows_of

import napari_btf
from napari_btf.cli import main
from napari_btf.plugin.jobs.threads import wait_for_all
from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.select_texels import SelectTexels
from napari_btf.plugin.train.job import Run
from napari_btf.plugin.viewer.layers import TAG, capture_layer_data, is_kind
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification
    from pytestqt.qtbot import QtBot


def preview(viewer: ViewerModel) -> Any:
    """The preview layer, or None."""
    found = [layer for layer in viewer.layers if is_kind(layer, "preview")]
    return found[-1] if found else None


@pytest.fixture(name="bars")
def count_bars(qtbot: QtBot) -> Callable[[], int]:
    """How many bars there are in napari's activity dock."""
    button = ActivityToggleItem()
    dialog = QtActivityDialog(toggle_button=button)
    qtbot.addWidget(button)
    qtbot.addWidget(dialog)
    return lambda: sum(not row.isHidden() for row in rows_of(dialog))


def test_a_preview_and_a_curve_grow_until_it_is_stopped_and_saved(
    bars: Callable[[], int],
    hand: Hand,
    loaded: ViewerModel,
    capture: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "cloth.safetensors"
    hand.dock.form.path.setText(str(path.with_suffix("")))
    hand.start_long()
    assert bars() == 1
    hand.until(lambda: preview(loaded) is not None)
    first = preview(loaded).data.copy()
    assert first.shape == (24, 32, 3)
    # Beside the capture, not over it.
    assert preview(loaded).translate[-1] > 32
    hand.until(lambda: not np.array_equal(preview(loaded).data, first))
    assert len(hand.dock.curve.points) > 3
    seconds, trained, check = np.array(hand.dock.curve.points[1:]).T
    assert (np.diff(seconds) >= 0).all()
    assert 5 < np.nanmin(trained) < np.nanmax(check) < 60
    assert re.fullmatch(r"Step \d of \d: training, about \d+ (s|min) left in all", hand.message)

    hand.click(hand.dock.keep_button)
    hand.until_over()
    assert preview(loaded) is None
    assert bars() == 0
    assert hand.message == f"Saved as {path}."
    latents = [layer for layer in loaded.layers if is_kind(layer, "latents")]
    assert [layer.data.shape for layer in latents] == [(24, 32, 3), (9, 2, 9, 24, 32)]

    found = re.search(r"captured directions.*?([\d.]+) dB", hand.dock.summary.table.text())
    assert found is not None
    command = ["napari-btf", "evaluate", str(path), str(capture.folder), "--no-baselines", "--json"]
    monkeypatch.setattr(sys, "argv", command)
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["psnr"] == pytest.approx(float(found[1]), abs=0.01)
    assert f"{path.stat().st_size / 1e3:.3g} kB" in hand.dock.summary.table.text()


def test_the_preview_follows_the_sliders(hand: Hand, loaded: ViewerModel) -> None:
    loaded.dims.set_current_step((0, 1), (0, 0))
    hand.start(20, 12, "parallax")
    hand.until(lambda: preview(loaded) is not None and hand.dock.curve.points[-1][2] > 15)
    hand.click(hand.dock.pause_button)
    hand.until(lambda: hand.message == "Paused.")
    before = preview(loaded).data.copy()
    # The model stands still: what changes now is the light.
    loaded.dims.set_current_step((0, 1), (1, 7))
    hand.until(lambda: not np.array_equal(preview(loaded).data, before))
    loaded.dims.set_current_step((0, 1), (0, 0))
    hand.until(lambda: np.array_equal(preview(loaded).data, before))


def test_pause_and_resume(hand: Hand, qtbot: QtBot) -> None:
    hand.start_long()
    hand.click(hand.dock.pause_button)
    hand.until(lambda: hand.message == "Paused.")
    assert hand.dock.pause_button.text() == "Resume"
    points = len(hand.dock.curve.points)
    qtbot.wait(400)
    assert len(hand.dock.curve.points) == points
    hand.click(hand.dock.pause_button)
    hand.until(lambda: len(hand.dock.curve.points) > points + 1)
    assert hand.dock.pause_button.text() == "Pause"


@pytest.mark.parametrize("button", ["keep_button", "cancel_button"])
def test_a_paused_training_can_be_ended(hand: Hand, loaded: ViewerModel, button: str) -> None:
    hand.start_long()
    hand.click(hand.dock.pause_button)
    hand.until(lambda: hand.message == "Paused.")
    hand.click(getattr(hand.dock, button))
    hand.until_over()
    assert (workspace_of(loaded).models.current is not None) == (button == "keep_button")


def test_stopping_just_after_pausing(hand: Hand, loaded: ViewerModel) -> None:
    hand.start_long()
    # The thread has not come to a report between these two.
    hand.click(hand.dock.pause_button)
    hand.click(hand.dock.keep_button)
    hand.until_over()
    assert workspace_of(loaded).models.current is not None


def test_cancel_leaves_nothing_behind(
    bars: Callable[[], int], hand: Hand, loaded: ViewerModel, tmp_path: Path
) -> None:
    path = tmp_path / "cloth.safetensors"
    hand.dock.form.path.setText(str(path))
    hand.start_long()
    hand.until(lambda: preview(loaded) is not None)
    hand.click(hand.dock.cancel_button)
    hand.until_over()
    assert [layer.name for layer in loaded.layers] == ["cloth"]
    assert workspace_of(loaded).models.all == ()
    assert not [file for file in tmp_path.iterdir() if "safetensors" in file.name]
    assert bars() == 0
    assert hand.dock.start_button.isEnabled()


def test_layers_may_be_renamed_and_deleted_meanwhile(
    hand: Hand, loaded: ViewerModel, open_dock: Callable[..., Any]
) -> None:
    regions = open_dock(SelectTexels, loaded).start_painting()
    hand.start_long()
    hand.until(lambda: preview(loaded) is not None)
    # Whoever paints goes on painting.
    assert loaded.layers.selection.active == regions
    preview(loaded).name = "mine"
    loaded.layers["cloth"].name = "linen"
    shown = preview(loaded).data.copy()
    hand.until(lambda: not np.array_equal(preview(loaded).data, shown))
    loaded.layers.remove(regions)
    loaded.layers.remove(preview(loaded))
    points = len(hand.dock.curve.points)
    hand.until(lambda: len(hand.dock.curve.points) > points + 15)
    # Nobody wants it back.
    assert preview(loaded) is None
    loaded.layers.clear()
    hand.click(hand.dock.keep_button)
    hand.until_over()
    assert hand.message.startswith("Done")
    assert [layer.metadata[TAG]["kind"] for layer in loaded.layers] == ["latents", "latents"]


def test_a_hidden_dock_goes_on_training(hand: Hand, loaded: ViewerModel) -> None:
    hand.start_long()
    hand.dock.hide()
    hand.dock.run.stop_and_keep()
    hand.until_over()
    assert workspace_of(loaded).models.current is not None
    hand.dock.show()
    assert "captured directions" in hand.dock.summary.table.text()
    assert hand.dock.save_button.isEnabled()


def test_a_training_that_nobody_holds_ends(
    bars: Callable[[], int], qtbot: QtBot, hand: Hand
) -> None:
    hand.dock.form.seconds.setValue(600)
    plan = hand.dock.form.plan()
    run = Run()
    with qtbot.waitSignal(run.reported):
        run.start(plan)
    assert bars() == 1
    del run
    gc.collect()
    assert bars() == 0
    assert wait_for_all(PATIENCE / 1000)
    # Its end is told to nobody, and breaks nothing.
    qtbot.wait(20)


def test_one_training_at_a_time(
    hand: Hand, loaded: ViewerModel, make_capture: Callable[..., Any]
) -> None:
    open_path(loaded, make_capture("linen").folder)
    form = hand.dock.form
    assert [form.captures.itemText(i) for i in range(2)] == ["linen", "cloth"]
    assert form.captures.currentText() == "cloth"
    hand.start_long()
    assert not hand.dock.start_button.isEnabled()
    hand.dock.start()
    form.captures.setCurrentIndex(0)
    form.captures.activated.emit(0)
    assert not hand.dock.start_button.isEnabled()
    hand.click(hand.dock.keep_button)
    hand.until_over()
    # The other capture in its turn; the first model and its layers stay.
    hand.start()
    hand.until_over()
    assert [model.source for model in workspace_of(loaded).models.all] == ["cloth", "linen"]
    of = [x.metadata[TAG]["model"].source for x in loaded.layers if is_kind(x, "latents")]
    assert sorted(set(of)) == ["cloth", "linen"]
    places = {tuple(layer.translate[-2:]) for layer in loaded.layers if is_kind(layer, "latents")}
    assert len(places) == len(of)


def test_lights_held_out_are_scored(hand: Hand) -> None:
    hand.dock.form.hold_out.setValue(4)
    hand.start()
    hand.until_over()
    assert "PSNR, held-out lights" in hand.dock.summary.table.text()


def test_more_lights_than_there_are_cannot_be_held_out(
    hand: Hand, notifications: list[Notification]
) -> None:
    hand.dock.form.hold_out.setValue(40)
    hand.start()
    assert not hand.dock.running
    assert "one of 40 lights cannot be held out of 9; use 2 to 9." in hand.message
    assert len(notifications) == 1


def test_a_place_that_cannot_be_written_to_loses_nothing(
    hand: Hand, loaded: ViewerModel, tmp_path: Path, notifications: list[Notification]
) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    hand.dock.form.path.setText(str(folder / "cloth.safetensors"))
    hand.start()
    # It goes away meanwhile. Root may write to any folder, but not below a file.
    shutil.rmtree(folder)
    folder.write_text("")
    hand.until_over()
    assert hand.message.startswith("Not saved, but kept here: ")
    assert [str(folder) in note.message for note in notifications] == [True]
    model = workspace_of(loaded).models.current
    assert model is not None
    hand.dock.save(str(tmp_path / "elsewhere.safetensors"))
    saved = napari_btf.load(tmp_path / "elsewhere.safetensors")
    assert saved.latent_count == model.latent_count


def test_a_place_that_can_never_be_written_to_is_refused_at_once(
    hand: Hand, loaded: ViewerModel, tmp_path: Path, notifications: list[Notification]
) -> None:
    (tmp_path / "file").write_text("")
    hand.dock.form.path.setText(str(tmp_path / "file" / "cloth.safetensors"))
    hand.start()
    hand.until_over()
    assert "cannot be written to (it is no folder); choose another place" in hand.message
    assert [str(tmp_path / "file") in note.message for note in notifications] == [True]
    assert workspace_of(loaded).models.current is None


def test_no_model_takes_the_place_of_another(
    hand: Hand, tmp_path: Path, loaded: ViewerModel
) -> None:
    path = tmp_path / "cloth.safetensors"
    hand.dock.form.path.setText(str(path))
    for latents in (3, 4):
        hand.start(latents=latents)
        hand.until_over()
    assert napari_btf.load(path).latent_count == 3
    assert napari_btf.load(tmp_path / "cloth-2.safetensors").latent_count == 4
    chooser = hand.dock.models
    assert [chooser.itemText(i).split()[0] for i in range(2)] == [path.name, "cloth-2.safetensors"]
    chooser.setCurrentIndex(0)
    chooser.activated.emit(0)
    model = workspace_of(loaded).models.current
    assert model is not None
    assert model.latent_count == 3


def test_values_that_are_not_numbers_are_named(
    viewer: ViewerModel,
    capture: Any,
    make_hand: Callable[..., Hand],
    notifications: list[Notification],
) -> None:
    sound = napari_btf.read(capture.folder)
    frames = np.array(capture.frames, dtype=np.float32) / 255
    frames[3, 5, 6] = np.nan
    btf = napari_btf.BTF(frames, sound.light, sound.view, source="cloth")
    viewer.add_layer(Layer.create(*capture_layer_data(btf)))
    hand = make_hand(viewer)
    hand.start()
    hand.until_over()
    assert "observation 3 holds 3 values that are infinite or not numbers" in hand.message
    assert [note.message for note in notifications] == [hand.message]
    assert hand.dock.start_button.isEnabled()


def test_classical_codecs_on_request(hand: Hand) -> None:
    hand.start()
    hand.until_over()
    summary = hand.dock.summary
    hand.click(summary.compare_button)
    assert summary.comparing
    assert summary.compare_button.text() == "Cancel the comparison"
    hand.until(lambda: not summary.comparing)
    found = re.fullmatch(
        r"Best classical codec of this size on captured directions: .+, ([\d.]+) dB "
        r"\(the model: ([+-][\d.]+) dB\)\.",
        summary.classical.text(),
    )
    assert found is not None
    trained = re.search(r"captured directions.*?([\d.]+) dB", summary.table.text())
    assert trained is not None
    assert float(found[1]) + float(found[2]) == pytest.approx(float(trained[1]), abs=0.02)


def test_the_comparison_can_be_left(hand: Hand) -> None:
    hand.start()
    hand.until_over()
    summary = hand.dock.summary
    hand.click(summary.compare_button)
    hand.click(summary.compare_button)
    assert not summary.comparing
    assert summary.classical.text() == "The comparison was cancelled."
    assert wait_for_all(PATIENCE / 1000)


def test_regions_by_label(hand: Hand, loaded: ViewerModel, open_dock: Callable[..., Any]) -> None:
    regions = open_dock(SelectTexels, loaded).start_painting()
    painted = np.zeros((24, 32), dtype=np.uint8)
    painted[2:6, 3:9], painted[10:20, 10:20] = 1, 7
    regions.data = painted
    regions.metadata[TAG]["names"] = {7: "gold"}
    form = hand.dock.form
    form.texels.refresh()
    names = [form.texels.itemText(i) for i in range(form.texels.count())]
    assert names == ["whole image", "painted texels", "region 1", "gold"]
    form.texels.setCurrentText("gold")
    np.testing.assert_array_equal(form.texels.texels(), np.argwhere(painted == 7))
    form.texels.setCurrentText("painted texels")
    np.testing.assert_array_equal(form.texels.texels(), np.argwhere(painted))


def test_choices_are_remembered(
    hand: Hand, loaded: ViewerModel, make_hand: Callable[..., Hand], settings_folder: Path
) -> None:
    form = hand.dock.form
    form.budget.setCurrentText("latents per texel")
    form.amount.setValue(6)
    form.codec.setCurrentText("parallax")
    form.device.setCurrentText("cpu")
    form.hold_out.setValue(5)
    form.seed.setValue(3)
    chosen = form.values()
    hand.dock.hide()
    assert "parallax" in (settings_folder / "napari-btf.yaml").read_text()
    from napari import settings

    # As in another session: read from the file.
    settings._clear_plugin_settings_cache()
    assert make_hand(loaded).dock.form.values() == chosen


def test_what_cannot_be_is_said_before_it_starts(hand: Hand) -> None:
    hand.dock.form.codec.setCurrentText("mlp")
    hand.dock.form.budget.setCurrentText("quality in dB")
    assert "not for a size or a quality" in hand.dock.outlook.text()
    hand.dock.form.budget.setCurrentText("latents per texel")
    assert hand.dock.outlook.text().startswith("Reads 18 images")
