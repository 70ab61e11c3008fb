"""The methods of the section *Segment* of the dock *Latent space*, and giving up on one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from train_hand import PATIENCE

from napari_btf.plugin.jobs.threads import wait_for_all
from napari_btf.plugin.latent_space import LatentSpace
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.progress import finish
from napari_btf.segmentation import segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_btf import CompressedBTF

#: Columns of two materials, and texels that are like nothing else.
KIND = np.broadcast_to(np.where(np.arange(32) < 20, 1, 2), (24, 32)).copy()
ODD = np.zeros((24, 32), dtype=bool)
ODD[::6, ::8] = True
KIND[ODD] = 0


@pytest.fixture
def parted(model: CompressedBTF) -> CompressedBTF:
    """A model whose latents are two clouds, and single ones far away from both."""
    random = np.random.default_rng(0)
    latents = random.normal(0, 0.1, (24, 32, 4))
    latents[KIND == 2] += 5
    latents[ODD] = random.normal(0, 1, (ODD.sum(), 4)) * 60
    return model.with_latents(latents.astype(np.float32))


@pytest.fixture
def dock(
    qtbot: QtBot, loaded: ViewerModel, open_dock: Callable[..., Any], parted: CompressedBTF
) -> Iterator[LatentSpace]:
    """The dock with this model, its section open."""
    workspace_of(loaded).models.current = parted
    dock = open_dock(LatentSpace, loaded)
    qtbot.waitUntil(lambda: not dock.embeddings.run.running and len(dock.map.points) > 0)
    dock.segment_section.toggleButton().click()
    yield dock
    assert wait_for_all(PATIENCE / 1000)


def materials(qtbot: QtBot, dock: LatentSpace, method: str) -> NDArray[np.integer]:
    """The materials by a method, as the dock shows them."""
    dock.segment.box.method.setCurrentText(method)
    dock.segment.box.start.click()
    qtbot.waitUntil(lambda: not dock.segment.run.running)
    return np.asarray(dock.segment.materials().data)


def test_hdbscan_leaves_out_what_is_like_nothing(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, parted: CompressedBTF
) -> None:
    box = dock.segment.box
    box.method.setCurrentText("HDBSCAN")
    assert not box.number.isEnabled()
    assert not box.by_silhouette.isEnabled()
    labels = materials(qtbot, dock, "HDBSCAN")
    np.testing.assert_array_equal(labels == 0, ODD)
    np.testing.assert_array_equal(labels, KIND)
    assert box.note.text() == "2 materials, 16 texels belong to none"
    # What belongs to none is grey, and nothing to select.
    assert dock.colours.by == "cluster"
    assert np.unique(dock.map.colours[ODD.ravel()], axis=0).tolist() == [[128, 128, 128]]
    assert dock.colours.legend.texts == ("material 1", "material 2")
    offered = [dock.box.regions.itemText(i) for i in range(dock.box.regions.count())]
    assert offered == ["material 1", "material 2"]
    dock.box.regions.setCurrentText("material 2")
    dock.box.take.click()
    np.testing.assert_array_equal(workspace_of(loaded).models.selection(parted).mask, KIND == 2)


def test_a_mixture_of_gaussians_parts_every_texel(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, model: CompressedBTF
) -> None:
    # A tight cloud within a wide one, which k-means would cut through.
    wide = np.arange(32) >= 20
    latents = np.random.default_rng(0).normal(0, 1, (24, 32, 4)).astype(np.float32)
    latents[:, wide] *= 20
    workspace_of(loaded).models.current = within = model.with_latents(latents)
    dock.segment.box.number.setValue(2)
    labels = materials(qtbot, dock, "Gaussian mixture")
    np.testing.assert_array_equal(labels, finish(segment(within, "gmm", 2)).labels)
    assert np.unique(labels).tolist() == [1, 2]
    assert np.mean((labels == 2) == wide) > 0.98
    assert dock.segment.box.note.text().startswith("silhouettes 2:\N{NO-BREAK SPACE}")
    assert np.mean((materials(qtbot, dock, "k-means") == 2) == wide) < 0.9


def test_hdbscan_that_finds_nothing_says_so(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, model: CompressedBTF
) -> None:
    # Even steps: nowhere lie texels closer together than elsewhere.
    steps = np.stack(np.meshgrid(*(np.arange(n) for n in (4, 6, 4, 8)), indexing="ij"), axis=-1)
    workspace_of(loaded).models.current = model.with_latents(
        steps.reshape(24, 32, 4).astype(np.float32)
    )
    assert not materials(qtbot, dock, "HDBSCAN").any()
    assert dock.segment.box.note.text() == (
        "No materials: no texels are much more alike than others. Try k-means."
    )


@pytest.mark.parametrize("method", ["k-means", "Gaussian mixture", "HDBSCAN"])
def test_cancelling_leaves_everything_as_it_was(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: LatentSpace,
    notifications: list[Notification],
    method: str,
) -> None:
    before = materials(qtbot, dock, "HDBSCAN").copy()
    box, layers = dock.segment.box, list(loaded.layers)
    note, colours = box.note.text(), dock.map.colours
    box.method.setCurrentText(method)
    box.by_silhouette.setChecked(True)
    # Its first report comes before anything is learned.
    with qtbot.waitSignal(dock.segment.run.progressed):
        box.start.click()
        assert box.cancel.isVisible()
        assert not box.start.isVisible()
    box.cancel.click()
    assert box.start.isVisible()
    assert not box.cancel.isVisible()
    assert not dock.segment.run.running
    assert wait_for_all(PATIENCE / 1000)
    qtbot.wait(50)
    assert list(loaded.layers) == layers
    np.testing.assert_array_equal(dock.segment.materials().data, before)
    np.testing.assert_array_equal(dock.map.colours, colours)
    assert box.note.text() == note
    assert not notifications
    # And it can be started again.
    assert materials(qtbot, dock, "HDBSCAN").shape == (24, 32)
