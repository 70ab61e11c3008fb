"""Regions from the surface itself: a threshold, superpixels, and jobs that are cancelled."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from select_hand import ALL, Hand, chosen, point_at, press

from napari_btf.plugin.jobs.threads import wait_for_all

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.utils.notifications import Notification


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
    wait_for_all(20)
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
    wait_for_all(20)
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
