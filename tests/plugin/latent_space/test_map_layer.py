"""The map as a Points layer, and that marks over images leave the images where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_btf.plugin.compare import Compare
from napari_btf.plugin.latent_space import LatentSpace, map_layer
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.viewer.layers import is_kind
from napari_btf.plugin.viewer.placing import free_place
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

    from napari_btf import CompressedBTF


@pytest.fixture
def dock(
    qtbot: QtBot, loaded: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> LatentSpace:
    """The dock beside a capture and its model, with the map that is there at once."""
    workspace_of(loaded).models.current = model
    dock = open_dock(LatentSpace, loaded)
    qtbot.waitUntil(lambda: len(dock.map.points) > 0 and not dock.embeddings.run.running)
    return dock


def test_a_points_layer_shares_the_selection(
    loaded: ViewerModel, dock: LatentSpace, model: CompressedBTF
) -> None:
    active, place = loaded.layers.selection.active, free_place(loaded, 24, 32)
    dock.layer.box.setChecked(True)
    layer = dock.layer.layer
    assert layer in loaded.layers
    assert loaded.layers.selection.active is active
    # It stands where no image is put, and images do not give way to it.
    assert free_place(loaded, 24, 32) == place
    assert layer.data[:, 1].max() < 0
    features = layer.features
    assert list(features) == [
        "image_x", "image_y", "tsne_x", "tsne_y", "region", "material", "mean_colour", "brightness"
    ]  # fmt: skip
    assert len(features) == model.height * model.width
    np.testing.assert_allclose(features[["tsne_x", "tsne_y"]], dock.embeddings.map.points)
    selection = dock.links.selection
    assert selection is not None

    # From the layer to the texels ...
    layer.selected_data = {0, 40}
    chosen = features.loc[[0, 40], ["image_y", "image_x"]].to_numpy()
    np.testing.assert_array_equal(np.argwhere(selection.mask), chosen[np.lexsort(chosen.T[::-1])])
    assert dock.box.count.text().startswith("2 of")
    # ... and back, point by point.
    mask = np.zeros_like(selection.mask)
    mask[3, 5:9] = True
    selection.take(mask)
    found = features.loc[sorted(layer.selected_data)]
    assert set(found["image_x"]) == {5, 6, 7, 8}
    assert set(found["image_y"]) == {3}

    # Whoever deletes it does not want it.
    loaded.layers.remove(layer)
    dock.layer.follow_layers()
    assert not dock.layer.box.isChecked()
    dock.layer.box.setChecked(True)
    assert dock.layer.layer in loaded.layers
    dock.layer.box.setChecked(False)
    assert not any(is_kind(layer, "latent map") for layer in loaded.layers)


def test_of_many_points_some_are_shown_and_all_can_be_selected(
    dock: LatentSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_layer, "MOST_POINTS", 100)
    dock.layer.box.setChecked(True)
    layer, selection = dock.layer.layer, dock.links.selection
    assert len(layer.data) == 100
    assert selection is not None
    selection.take(np.ones_like(selection.mask))
    assert len(layer.selected_data) == 100
    assert selection.count == selection.mask.size


def test_marks_over_images_move_no_image(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: LatentSpace,
    open_dock: Callable[..., Any],
) -> None:
    relight, compare = open_dock(Relight, loaded), open_dock(Compare, loaded)
    compare.compare.setChecked(True)
    qtbot.waitUntil(lambda: relight.image_layer() is not None and not relight.renderer.busy)
    selection = dock.links.selection
    assert selection is not None
    mask = np.zeros_like(selection.mask)
    mask[4:12, 6:20] = True
    selection.take(mask)
    dock.links.ring.show(list(loaded.layers), (3, 3))
    qtbot.wait(200)
    changes: list[Any] = []
    for event in (loaded.layers.events.inserted, loaded.layers.events.removed):
        event.connect(changes.append)
    for layer in loaded.layers:
        layer.events.translate.connect(changes.append)
    qtbot.wait(500)
    assert not changes
