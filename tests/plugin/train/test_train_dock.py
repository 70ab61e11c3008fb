from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog
from train_hand import PATIENCE, Hand

import napari_btf
from napari_btf.codec import FitSettings, fit
from napari_btf.directions import angles_to_vectors
from napari_btf.plugin.jobs.threads import wait_for_all
from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.select_texels import SelectTexels
from napari_btf.plugin.train import Train
from napari_btf.plugin.train.in_thread import Orders, expected_phases, work
from napari_btf.plugin.train.training import training_of
from napari_btf.plugin.viewer.layers import capture_layer_data
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.progress import finish

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

VIEWS = ((0, 0), (15, 90))
LIGHTS = ((0, 0), *itertools.product((30, 60), (0, 90, 180, 270)))


def is_ready(dock: Train) -> bool:
    others = (dock.pause_button, dock.keep_button, dock.cancel_button)
    return dock.start_button.isEnabled() and not any(button.isEnabled() for button in others)


def psnr(model: napari_btf.CompressedBTF, capture: Any) -> float:
    """PSNR in dB over all images of the capture on disk."""
    # Not rounded to 8 bits, in which they may be the same.
    shown = [
        model.decode(angles_to_vectors(*light), angles_to_vectors(*view))
        for view in VIEWS
        for light in LIGHTS
    ]
    error = np.clip(shown, 0, 1) - np.divide(capture.frames, 255)
    return float(-10 * np.log10(np.mean(error**2)))


def test_without_data_it_says_what_it_needs(
    viewer: ViewerModel, make_hand: Callable[..., Hand], capture: Any
) -> None:
    viewer.add_image(np.zeros((24, 32)), name="no capture")
    dock = make_hand(viewer).dock
    assert "Open a BTF capture first" in dock.message.text()
    for button, why in (
        (dock.start_button, "Open a BTF capture first"),
        (dock.pause_button, "No training runs"),
        (dock.keep_button, "No training runs"),
        (dock.cancel_button, "No training runs"),
        (dock.save_button, "Train or load a model first"),
    ):
        assert not button.isEnabled()
        assert button.toolTip().startswith(why)
    open_path(viewer, capture.folder)
    assert dock.message.text() == ""
    assert dock.outlook.text().startswith("Reads 18 images (41.5 kB), keeps them in memory;")
    assert is_ready(dock)
    assert not dock.save_button.isEnabled()


def test_from_the_button_to_a_model(
    hand: Hand, loaded: ViewerModel, capture: Any, notifications: list[Notification]
) -> None:
    steps: list[int] = []
    phases: list[str] = []
    hand.dock.bar.valueChanged.connect(steps.append)
    ticks = QTimer(hand.dock)
    ticks.timeout.connect(lambda: phases.append(hand.message))
    ticks.start(5)
    hand.start()
    assert not hand.dock.start_button.isEnabled()
    assert hand.dock.start_button.toolTip().startswith("A training runs")
    assert hand.dock.pause_button.isEnabled()
    assert hand.dock.keep_button.isEnabled()
    assert hand.dock.cancel_button.isEnabled()
    hand.until_over()
    assert max(steps) == 1000
    assert any(": training" in text for text in phases)

    model = workspace_of(loaded).models.current
    assert model is not None
    assert (model.height, model.width, model.channels) == (24, 32, 3)
    assert model.source == "cloth"
    found = re.search(r"captured directions.*?([\d.]+) dB", hand.dock.summary.table.text())
    assert found is not None
    assert float(found[1]) == pytest.approx(psnr(model, capture), abs=0.05)
    assert hand.message == "Done: open Relight to move the light, Compare to see the error."
    assert is_ready(hand.dock)
    assert hand.dock.save_button.isEnabled()
    assert not notifications


def test_the_event_loop_runs_while_training(hand: Hand, qtbot: QtBot) -> None:
    hand.start(seconds=600)
    hand.until_training()
    ticks: list[None] = []
    timer = QTimer(hand.dock)
    timer.timeout.connect(lambda: ticks.append(None))
    timer.start(10)
    # A blocked event loop would see none of these before the training is over.
    qtbot.waitUntil(lambda: len(ticks) >= 50)
    assert hand.dock.running


def test_cancel_keeps_the_earlier_model(
    hand: Hand, loaded: ViewerModel, model: napari_btf.CompressedBTF
) -> None:
    workspace_of(loaded).models.current = model
    hand.start(seconds=600)
    hand.until_training()
    hand.click(hand.dock.cancel_button)
    hand.until_over()
    assert workspace_of(loaded).models.current is model
    assert hand.message == "Cancelled: nothing was changed."
    assert is_ready(hand.dock)


def test_cancel_counts_even_if_the_thread_was_faster(
    hand: Hand, loaded: ViewerModel, model: napari_btf.CompressedBTF
) -> None:
    workspace_of(loaded).models.current = model
    hand.start()
    # The result is there, but the event loop has not delivered it when the user clicks.
    assert wait_for_all(PATIENCE / 1000)
    hand.click(hand.dock.cancel_button)
    hand.until_over()
    assert workspace_of(loaded).models.current is model
    assert hand.message == "Cancelled: nothing was changed."


def test_stop_and_keep_ends_early_with_a_model(hand: Hand, loaded: ViewerModel) -> None:
    hand.start(seconds=600)
    hand.until_training()
    hand.click(hand.dock.keep_button)
    hand.until_over()
    assert workspace_of(loaded).models.current is not None
    assert hand.message.startswith("Done")
    assert is_ready(hand.dock)


def test_a_second_training_starts_after_the_first(hand: Hand, loaded: ViewerModel) -> None:
    hand.start(seconds=600)
    hand.until_training()
    hand.click(hand.dock.cancel_button)
    hand.until_over()
    hand.start(latents=3)
    hand.until_over()
    model = workspace_of(loaded).models.current
    assert model is not None
    assert model.latent_count == 3


def test_the_capture_may_be_deleted_meanwhile(hand: Hand, loaded: ViewerModel) -> None:
    hand.start(seconds=600)
    hand.until_training()
    del loaded.layers["cloth"]
    assert hand.dock.running
    hand.click(hand.dock.keep_button)
    hand.until_over()
    assert workspace_of(loaded).models.current is not None
    assert hand.message.startswith("Done")
    assert not hand.dock.start_button.isEnabled()
    assert "Open a BTF capture first" in hand.dock.start_button.toolTip()


def test_a_dock_that_opens_takes_up_what_runs(
    loaded: ViewerModel, make_hand: Callable[..., Hand], qtbot: QtBot
) -> None:
    hand = Hand(qtbot, Train(loaded))
    hand.dock.show()
    hand.start_long()
    hand.until(lambda: len(hand.dock.curve.points) > 2)
    with qtbot.waitSignal(hand.dock.destroyed):
        hand.dock.deleteLater()
    again = make_hand(loaded)
    assert again.dock.running
    assert len(again.dock.curve.points) > 2
    assert ": training" in again.message
    assert not again.dock.start_button.isEnabled()
    again.click(again.dock.cancel_button)
    assert again.message == "Cancelling…"
    again.until_over()
    assert again.message == "Cancelled: nothing was changed."
    assert is_ready(again.dock)


def test_a_model_arrives_while_no_dock_is_open(
    loaded: ViewerModel, make_hand: Callable[..., Hand], qtbot: QtBot
) -> None:
    hand = Hand(qtbot, Train(loaded))
    hand.dock.show()
    hand.start()
    with qtbot.waitSignal(hand.dock.destroyed):
        hand.dock.deleteLater()
    qtbot.waitUntil(lambda: not training_of(workspace_of(loaded)).running)
    assert len(loaded.layers) == 3
    again = make_hand(loaded)
    assert again.message.startswith("Done")
    assert "captured directions" in again.dock.summary.table.text()
    assert again.dock.save_button.isEnabled()
    assert not again.dock.next_steps.isHidden()


def test_the_phases_that_come_are_those_that_were_expected(hand: Hand) -> None:
    plan = hand.dock.form.plan()
    found = dict.fromkeys(progress.phase for progress, _ in work(plan, Orders()))
    # Directions are predicted only where it helps.
    phases = [name for name in found if name != "imagine"]
    expected = expected_phases(plan)
    assert [name for name in expected if name in phases] == phases
    assert set(expected) - set(phases) <= {"encode"}


def test_stop_and_keep_says_what_still_comes(hand: Hand) -> None:
    hand.start_long()
    hand.click(hand.dock.keep_button)
    assert re.fullmatch(
        r"Stopping; still to come: measuring quality, measuring structural similarity, "
        r"preparing layers, about \d+ s in all",
        hand.message,
    )
    hand.until_over()
    assert hand.message.startswith("Done")


def test_a_remembered_codec_that_does_not_fit_gives_way_and_says_so(hand: Hand) -> None:
    form = hand.dock.form
    remembered = {**form.values(), "codec": "mlp"}
    form.set_values(remembered)
    # It has no models of a size.
    assert form.codec.currentText() == "auto"
    assert "The codec mlp was chosen earlier, but does not fit" in hand.dock.outlook.text()
    assert "--" not in hand.dock.outlook.text()
    assert hand.dock.start_button.isEnabled()
    assert form.values() == remembered
    form.budget.setCurrentText("latents per texel")
    assert form.codec.currentText() == "mlp"
    assert "chosen earlier" not in hand.dock.outlook.text()
    assert form.experts.text().endswith("(codec mlp)")


def test_a_damaged_image_is_named_once(
    viewer: ViewerModel,
    capture: Any,
    make_hand: Callable[..., Hand],
    model: napari_btf.CompressedBTF,
    notifications: list[Notification],
) -> None:
    damaged = capture.truncate(16)
    open_path(viewer, capture.folder)
    workspace_of(viewer).models.current = model
    hand = make_hand(viewer)
    hand.start()
    hand.until_over()
    assert [damaged.name in note.message for note in notifications] == [True]
    assert damaged.name in hand.message
    assert workspace_of(viewer).models.current is model
    assert is_ready(hand.dock)


class OutOfMemory:
    """Observations of which one cannot be computed, for a reason nobody foresaw."""

    shape, ndim, dtype = (18, 24, 32, 3), 4, np.dtype(np.uint8)

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[np.uint8]:
        values = np.zeros(self.shape, self.dtype)
        values[17] = 1
        if np.any(values[key]):
            raise RuntimeError("out of memory")
        return values[key]


def test_a_defect_ends_the_training_and_is_reported(
    viewer: ViewerModel,
    capture: Any,
    make_hand: Callable[..., Hand],
    notifications: list[Notification],
) -> None:
    sound = napari_btf.read(capture.folder)
    frames = da.from_array(OutOfMemory(), chunks=(1, 24, 32, 3), asarray=False)
    btf = napari_btf.BTF(frames, sound.light, sound.view, source="cloth")
    viewer.add_layer(Layer.create(*capture_layer_data(btf)))
    hand = make_hand(viewer)
    hand.start()
    hand.until_over()
    assert hand.message == "The training failed: out of memory"
    assert [note.severity.value for note in notifications] == ["error"]
    assert "out of memory" in notifications[0].message
    assert is_ready(hand.dock)


def paint(open_dock: Callable[..., Any], viewer: ViewerModel, height: int, width: int) -> None:
    """Paint a rectangle at the origin."""
    regions = open_dock(SelectTexels, viewer).start_painting()
    corners = [[0, 0], [0, width - 1], [height - 1, width - 1], [height - 1, 0]]
    regions.paint_polygon(np.array(corners), 1)


def test_painted_texels_alone_are_learnt_from(
    viewer: ViewerModel,
    make_capture: Callable[..., Any],
    make_hand: Callable[..., Hand],
    open_dock: Callable[..., Any],
) -> None:
    # Six observations: no network is trained, so that the same texels give the same model.
    pairs = list(itertools.product([(0, 0)], [(0, 0), (30, 0), (30, 90), (60, 20), (60, 200)]))
    folder = make_capture(pairs=pairs).folder
    open_path(viewer, folder)
    paint(open_dock, viewer, 6, 8)
    hand = make_hand(viewer)
    settings = FitSettings(3)
    rectangle = np.indices((6, 8)).reshape(2, -1).T
    models = {
        "painted texels": fit(napari_btf.read(folder), rectangle, settings),
        "whole image": fit(napari_btf.read(folder), None, settings),
    }
    for texels, job in models.items():
        hand.dock.form.texels.setCurrentText(texels)
        hand.start(latents=3)
        hand.until_over()
        model = workspace_of(viewer).models.current
        assert model is not None
        np.testing.assert_array_equal(model.latent_map, finish(job).latent_map)


def test_painted_texels_need_something_painted(
    hand: Hand, loaded: ViewerModel, notifications: list[Notification]
) -> None:
    hand.dock.form.texels.setCurrentText("painted texels")
    hand.start()
    assert not hand.dock.running
    assert ["nothing is painted" in note.message for note in notifications] == [True]
    assert is_ready(hand.dock)


@pytest.mark.parametrize(
    ("kind", "usual", "amount"), [("bytes per texel", 8.0, 4.0), ("quality in dB", 32.0, 30.0)]
)
def test_the_size_is_chosen_by_bytes_or_quality(
    hand: Hand, loaded: ViewerModel, kind: str, usual: float, amount: float
) -> None:
    form = hand.dock.form
    assert form.budget.currentText() == "bytes per texel"
    form.budget.setCurrentText(kind)
    assert form.amount.value() == usual
    form.amount.setValue(amount)
    form.seconds.setValue(0.5)
    hand.click(hand.dock.start_button)
    hand.until_over()
    model = workspace_of(loaded).models.current
    assert model is not None
    if kind == "bytes per texel":
        assert model.file_size <= amount * 24 * 32 + 65536
    else:
        found = re.search(r"captured directions.*?([\d.]+) dB", hand.dock.summary.table.text())
        assert found is not None
        assert amount <= float(found[1]) < amount + 1.5


def test_too_many_latents_for_the_texels_is_said(
    hand: Hand,
    loaded: ViewerModel,
    open_dock: Callable[..., Any],
    notifications: list[Notification],
) -> None:
    paint(open_dock, loaded, 2, 4)
    hand.dock.form.texels.setCurrentText("painted texels")
    hand.start(latents=8)
    hand.until_over()
    assert len(notifications) == 1
    assert notifications[0].message.startswith("8 latents were asked for, 8 texels")
    assert "allow 1 to 7" in notifications[0].message
    assert hand.message == notifications[0].message
    assert workspace_of(loaded).models.current is None


def test_the_saved_model_is_the_model(
    hand: Hand,
    loaded: ViewerModel,
    tmp_path: Path,
    model: napari_btf.CompressedBTF,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[Notification],
) -> None:
    path = tmp_path / "cloth.safetensors"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    # As from the dock Relight: the button follows a model that was loaded.
    workspace_of(loaded).models.current = model
    assert hand.dock.save_button.isEnabled()
    hand.click(hand.dock.save_button)
    assert [str(path) in note.message for note in notifications] == [True]
    np.testing.assert_array_equal(
        napari_btf.relight(napari_btf.load(path), (40, 10), (15, 90)),
        napari_btf.relight(model, (40, 10), (15, 90)),
    )


def test_a_place_that_cannot_be_written_to_is_named(
    hand: Hand,
    loaded: ViewerModel,
    tmp_path: Path,
    model: napari_btf.CompressedBTF,
    notifications: list[Notification],
) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "cloth.safetensors"
    workspace_of(loaded).models.current = model
    hand.dock.save(str(path))
    assert [str(path) in note.message for note in notifications] == [True]
    assert notifications[0].severity.value == "error"
