"""Which Labels layer holds the regions: one of napari's own, a file, a copy, the one painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from select_hand import ALL, NOTHING, SQUARE, chosen

from napari_btf.plugin.train.form import TrainingForm
from napari_btf.plugin.train.texels_box import PAINTED, WHOLE
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.texels.sampling import region_counts

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot
    from select_hand import Hand


def a_square(shape: tuple[int, ...] = (24, 32)) -> np.ndarray:
    labels = np.zeros(shape, dtype=np.int32)
    labels[..., 3:13, 5:15] = 1
    return labels


def paint(layer: Any, place: tuple[int, ...], label: int = 1) -> None:
    layer.brush_size = 1
    layer.paint(place, label)


def pick(hand: Hand, name: str) -> None:
    box = hand.dock.layers
    i = box.findText(name)
    box.setCurrentIndex(i)
    box.activated.emit(i)


def test_the_new_labels_button_of_napari_makes_regions(hand: Hand, loaded: ViewerModel) -> None:
    loaded.layers.selection.active = loaded.layers["cloth"]
    loaded._new_labels()
    labels = loaded.layers.selection.active
    assert labels.data.shape == (2, 9, 24, 32)
    assert hand.dock.layers.currentText() == labels.name
    paint(labels, (0, 0, 4, 4))
    hand.reads(chosen(1))
    # What was painted counts wherever the sliders are now.
    loaded.dims.set_current_step((0, 1), (1, 5))
    paint(labels, (1, 5, 4, 6), 2)
    hand.reads(chosen(2, 2))
    np.testing.assert_array_equal(hand.dock.texels(), [(4, 4), (4, 6)])
    loaded.layers.selection.active.undo()
    hand.reads(chosen(1))


def test_regions_of_many_images_are_changed_as_one(hand: Hand, loaded: ViewerModel) -> None:
    stack = np.zeros((2, 9, 24, 32), dtype=np.uint8)
    stack[0, 0, 2, 3], stack[1, 8, 2, 3], stack[1, 1, 5, 5] = 1, 1, 2
    labels = loaded.add_labels(stack)
    hand.reads(chosen(2, 2))
    loaded.dims.set_current_step((0, 1), (1, 4))
    hand.click(hand.dock.regions.invert)
    hand.reads(chosen(ALL - 1, 2))
    assert labels.data[1, 4].sum() == ALL - 2
    assert not labels.data[0].any()
    labels.undo()
    hand.reads(chosen(2, 2))
    hand.click(hand.dock.regions.clear)
    hand.reads(NOTHING)
    assert not labels.data.any()


def test_labels_of_a_file_make_regions_without_a_click(hand: Hand, loaded: ViewerModel) -> None:
    labels = loaded.add_labels(a_square(), name="from a file")
    hand.reads(chosen(100))
    assert hand.dock.layers.currentText() == "from a file"
    hand.click(hand.dock.paint)
    assert loaded.layers.selection.active == labels
    hand.types(0, "collar")
    assert hand.rows() == [("collar", "100 texels")]


def test_labels_of_another_size_or_over_another_image_are_not_taken(
    hand: Hand, loaded: ViewerModel
) -> None:
    loaded.add_labels(a_square((24, 33)))
    assert hand.dock.regions_layer() is None
    made = loaded.add_labels(a_square(), metadata={"napari_btf": {"kind": "materials"}})
    assert hand.dock.regions_layer() is None
    # But whoever wants them can choose them.
    pick(hand, made.name)
    hand.reads(chosen(100))


def test_of_two_layers_the_one_painted_last_counts(hand: Hand, loaded: ViewerModel) -> None:
    hand.click(hand.dock.paint)
    first = hand.dock.regions_layer()
    first.paint_polygon(SQUARE, 1)
    hand.reads(chosen(100))
    second = loaded.add_labels(np.zeros((24, 32), dtype=np.uint8), name="second")
    hand.reads(chosen(100))
    paint(second, (0, 0))
    hand.reads(chosen(1))
    assert hand.dock.layers.currentText() == "second"
    paint(first, (0, 0))
    hand.reads(chosen(101))


def test_buttons_work_on_the_chosen_layer_whichever_is_active(
    hand: Hand, loaded: ViewerModel
) -> None:
    hand.click(hand.dock.paint)
    first = hand.dock.regions_layer()
    first.paint_polygon(SQUARE, 1)
    copied = loaded.add_labels(first.data.copy(), name="copy", metadata=dict(first.metadata))
    pick(hand, first.name)
    loaded.layers.selection.active = copied
    hand.click(hand.dock.regions.clear)
    hand.reads(NOTHING)
    assert not first.data.any()
    assert np.count_nonzero(copied.data) == 100


def test_a_new_layer_can_be_had(hand: Hand, loaded: ViewerModel) -> None:
    loaded.add_labels(a_square(), name="from a file")
    hand.reads(chosen(100))
    pick(hand, "a new layer")
    hand.reads(NOTHING)
    assert loaded.layers.selection.active == hand.dock.regions_layer()
    assert hand.dock.layers.currentText() == "regions of cloth"
    pick(hand, "from a file")
    hand.reads(chosen(100))


def test_counts_after_strokes_are_those_of_the_whole_image(hand: Hand, loaded: ViewerModel) -> None:
    hand.click(hand.dock.paint)
    labels = hand.dock.regions_layer()
    rng = np.random.default_rng(5)
    regions = workspace_of(loaded).regions
    capture = loaded.layers["cloth"]
    for y, x, size, label in rng.integers(0, (24, 32, 9, 4), (25, 4)).tolist():
        labels.brush_size = size + 1
        labels.paint((y, x), label)
        assert regions.counts(capture) == region_counts(labels.data)
        if label == 3:
            labels.undo()
            assert regions.counts(capture) == region_counts(labels.data)


def test_train_takes_up_what_is_painted(qtbot: QtBot, hand: Hand, loaded: ViewerModel) -> None:
    form = TrainingForm(workspace_of(loaded))
    qtbot.addWidget(form)
    form.show()
    box = form.texels
    assert (box.currentText(), form.plan().coords) == (WHOLE, None)
    labels = loaded.add_labels(a_square())
    assert box.currentText() == PAINTED
    assert "100 texels are painted" in box.toolTip()
    assert len(form.plan().coords) == 100
    labels.data = np.zeros((24, 32), dtype=np.int32)
    assert (box.currentText(), form.plan().coords) == (WHOLE, None)
    # What somebody has chosen stays.
    box.setCurrentText(PAINTED)
    box.setCurrentText(WHOLE)
    paint(labels, (2, 2))
    assert (box.currentText(), form.plan().coords) == (WHOLE, None)
