"""The regions of an embedding CSV, painted again when the dock *Latent space* opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_btf
from napari_btf.embedding import write_embedding
from napari_btf.plugin.latent_space import LatentSpace
from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.select_texels import SelectTexels
from napari_btf.plugin.viewer.layers import TAG, is_kind
from napari_btf.plugin.viewer.model_layers import latent_layer_data
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.texels.sampling import all_texels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.utils.notifications import Notification
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot
    from train_hand import Hand

    from napari_btf import CompressedBTF

#: Texels of two regions, and those of none.
NAMES = np.full((24, 32), "", dtype="<U8")
NAMES[2:10, 3:9] = "ink"
NAMES[12:20, 10:30] = "cloth"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The map of a model with the regions above."""
    path = tmp_path / "cloth.tsne.csv"
    yx = all_texels(24, 32)
    write_embedding(path, yx * [1.0, 0.5], yx, NAMES.ravel().tolist())
    return path


@pytest.fixture
def saved(model: CompressedBTF, table: Path) -> Path:
    """A model with this map beside it."""
    return model.save(table.parent / "cloth.safetensors")


def painted(viewer: ViewerModel) -> Any:
    """The Labels layer, once it is there."""
    return next((layer for layer in viewer.layers if is_kind(layer, "regions")), None)


def names_of(layer: Any) -> NDArray[np.str_]:
    """The name of the region of each texel."""
    names = {0: "", **layer.metadata[TAG]["names"]}
    return np.array([names[int(label)] for label in layer.data.ravel()]).reshape(layer.data.shape)


def said(notifications: list[Notification]) -> list[str]:
    return [str(note.message) for note in notifications]


def test_a_reopened_model_has_its_regions_again(
    qtbot: QtBot,
    loaded: ViewerModel,
    saved: Path,
    open_dock: Callable[..., Any],
    make_hand: Callable[..., Hand],
    notifications: list[Notification],
) -> None:
    workspace_of(loaded).models.current = napari_btf.load(saved)
    active = loaded.layers.selection.active
    dock = open_dock(LatentSpace, loaded)
    qtbot.waitUntil(lambda: painted(loaded) is not None)
    assert not dock.embeddings.run.running
    assert len(dock.map.points) == 768
    layer = painted(loaded)
    np.testing.assert_array_equal(names_of(layer), NAMES)
    assert layer.name == "regions of cloth"
    assert said(notifications) == ["Regions of cloth.tsne.csv painted again: ink, cloth."]
    # The sliders stay with the capture, and nothing is selected.
    assert loaded.layers.selection.active == active
    qtbot.wait(150)
    assert not dock.map.selected.any()
    # All docks know them.
    dock.colours.set_by("region")
    assert dock.colours.legend.texts == ("ink", "cloth")
    dock.box.regions.setCurrentText("cloth")
    dock.box.take.click()
    np.testing.assert_array_equal(dock.map.selected, NAMES.ravel() == "cloth")
    table = open_dock(SelectTexels, loaded).regions.table
    assert [region.name for region in table.regions] == ["ink", "cloth"]
    hand = make_hand(loaded)
    texels = hand.dock.form.texels
    texels.refresh()
    texels.setCurrentText("cloth")
    np.testing.assert_array_equal(hand.dock.form.plan().coords, np.argwhere(NAMES == "cloth"))
    # Written again it is the same table; one step of undo takes all of it back.
    path = saved.parent / "again.csv"
    dock.save(str(path))
    assert path.read_text() == (saved.parent / "cloth.tsne.csv").read_text()
    layer.undo()
    assert not layer.data.any()


def test_what_is_painted_by_now_stays(
    qtbot: QtBot,
    loaded: ViewerModel,
    model: CompressedBTF,
    table: Path,
    open_dock: Callable[..., Any],
    notifications: list[Notification],
) -> None:
    workspace = workspace_of(loaded)
    workspace.models.current = model
    dock = open_dock(LatentSpace, loaded)
    qtbot.waitUntil(lambda: not dock.embeddings.run.running and len(dock.map.points) > 0)
    # One region of another name, and one of the same name with other texels.
    mine, ink = np.zeros((2, 24, 32), dtype=bool)
    mine[14:24, 8:16] = True
    ink[0, 0] = ink[3, 3] = True
    for mask, name in ((mine, "mine"), (ink, "ink")):
        workspace.models.selection(model).take(mask)
        dock.keep(name)
    qtbot.wait(100)
    selected, layer = dock.map.selected, painted(loaded)
    dock.open(str(table))
    expected = np.where(mine, "mine", NAMES)
    expected[0, 0] = "ink"
    qtbot.waitUntil(lambda: np.array_equal(names_of(layer), expected))
    left = np.count_nonzero(mine & (NAMES == "cloth"))
    assert left == 36
    assert said(notifications) == [
        "Regions of cloth.tsne.csv painted again: ink, cloth. "
        "36 texels of cloth.tsne.csv stay in the regions that they are in by now."
    ]
    assert len(layer.metadata[TAG]["names"]) == 3
    qtbot.wait(150)
    np.testing.assert_array_equal(dock.map.selected, selected)
    # A second time there is nothing to do but to say why.
    dock.open(str(table))
    qtbot.waitUntil(lambda: len(notifications) == 2)
    assert said(notifications)[1].startswith("36 texels of cloth.tsne.csv stay")
    np.testing.assert_array_equal(names_of(layer), expected)


def test_regions_that_are_all_there_are_not_spoken_of(
    qtbot: QtBot,
    loaded: ViewerModel,
    saved: Path,
    open_dock: Callable[..., Any],
    notifications: list[Notification],
) -> None:
    workspace_of(loaded).models.current = napari_btf.load(saved)
    dock = open_dock(LatentSpace, loaded)
    qtbot.waitUntil(lambda: painted(loaded) is not None)
    for _ in range(2):
        dock.open(str(saved.parent / "cloth.tsne.csv"))
        qtbot.wait(50)
    assert len(notifications) == 1
    np.testing.assert_array_equal(names_of(painted(loaded)), NAMES)


def test_they_lie_over_the_latents_of_a_model_without_a_capture(
    qtbot: QtBot,
    viewer: ViewerModel,
    saved: Path,
    open_dock: Callable[..., Any],
    notifications: list[Notification],
) -> None:
    """Dropped on the window while the dock is open, before any image is there."""
    dock = open_dock(LatentSpace, viewer)
    for data, options, kind in latent_layer_data(napari_btf.load(saved)):
        viewer._add_layer_from_data(data, options, kind)
    qtbot.waitUntil(lambda: painted(viewer) is not None)
    np.testing.assert_array_equal(names_of(painted(viewer)), NAMES)
    assert dock.box.regions.count() == 2
    assert said(notifications) == ["Regions of cloth.tsne.csv painted again: ink, cloth."]


def test_without_an_image_it_says_what_they_need(
    qtbot: QtBot,
    viewer: ViewerModel,
    saved: Path,
    capture: Any,
    open_dock: Callable[..., Any],
    notifications: list[Notification],
) -> None:
    workspace_of(viewer).models.current = napari_btf.load(saved)
    dock = open_dock(LatentSpace, viewer)
    qtbot.waitUntil(lambda: bool(notifications))
    assert said(notifications) == [
        "cloth.tsne.csv has regions, but there is no image to paint them on; "
        "open the capture, or the model as layers, and then the table again."
    ]
    assert len(dock.map.points) == 768
    open_path(viewer, capture.folder)
    dock.open(str(saved.parent / "cloth.tsne.csv"))
    qtbot.waitUntil(lambda: painted(viewer) is not None)
    np.testing.assert_array_equal(names_of(painted(viewer)), NAMES)


def test_regions_without_a_name_keep_their_number(
    qtbot: QtBot,
    loaded: ViewerModel,
    model: CompressedBTF,
    tmp_path: Path,
    open_dock: Callable[..., Any],
) -> None:
    workspace_of(loaded).models.current = model
    dock = open_dock(LatentSpace, loaded)
    qtbot.waitUntil(lambda: not dock.embeddings.run.running and len(dock.map.points) > 0)
    path = tmp_path / "points.csv"
    coords = [(5, 6), (7, 8), (9, 9)]
    write_embedding(path, [(0, 0), (1, 1), (2, 5)], coords, ["region 3", "", "ink"])
    dock.open(str(path))
    qtbot.waitUntil(lambda: painted(loaded) is not None)
    layer = painted(loaded)
    assert [int(layer.data[yx]) for yx in coords] == [3, 0, 1]
    assert layer.metadata[TAG]["names"] == {1: "ink"}
    assert dock.regions.names() == {1: "ink", 3: "region 3"}
