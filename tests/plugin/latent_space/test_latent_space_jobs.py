"""What the dock *Latent space* computes: maps, files, materials, what lies in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog
from train_hand import PATIENCE

import napari_btf
from napari_btf.plugin.jobs.threads import wait_for_all
from napari_btf.plugin.latent_space import LatentSpace
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.viewer.layers import is_kind
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.progress import finish
from napari_btf.segmentation import segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_btf import CompressedBTF

LEFT, RIGHT = slice(0, 16), slice(16, 32)


@pytest.fixture
def dock(
    qtbot: QtBot, loaded: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> Iterator[LatentSpace]:
    """The dock beside a capture and its model, with the map that is there at once."""
    workspace_of(loaded).models.current = model
    dock = open_dock(LatentSpace, loaded)
    qtbot.waitUntil(lambda: len(dock.map.points) > 0 and not dock.embeddings.run.running)
    yield dock
    assert wait_for_all(PATIENCE / 1000)


def compute(qtbot: QtBot, dock: LatentSpace, method: str) -> NDArray[np.floating]:
    dock.form.set_method(method)
    dock.form.start.click()
    qtbot.waitUntil(lambda: not dock.embeddings.run.running)
    return dock.map.points


def half(side: slice) -> NDArray[np.bool_]:
    mask = np.zeros((24, 32), dtype=bool)
    mask[:, side] = True
    return mask


def test_tsne_can_be_cancelled_on_the_way(qtbot: QtBot, dock: LatentSpace) -> None:
    first = dock.map.points
    assert dock.note.text() == "PCA, 768 texels"
    dock.form.set_method("tsne")
    pictures: list[NDArray[np.floating]] = []
    dock.embeddings.run.previewed.connect(pictures.append)
    dock.form.start.click()
    assert dock.form.cancel.isVisible()
    assert not dock.form.start.isVisible()
    # What is being done has the room of what cannot be chosen now.
    assert not dock.form.seed.isVisible()
    # Not its first picture, which is the one of PCA.
    qtbot.waitUntil(lambda: len(pictures) >= 2)
    dock.form.cancel.click()
    assert dock.form.start.isVisible()
    assert not dock.embeddings.run.running
    # The last picture stays, and nothing comes after it.
    assert wait_for_all(PATIENCE / 1000)
    qtbot.wait(50)
    np.testing.assert_allclose(dock.map.points, pictures[-1], rtol=1e-6)
    assert not np.allclose(dock.map.points, first)
    assert dock.form.seed.isVisible()
    assert dock.note.text() == "t-SNE, 768 texels"
    # It is a map like any other: with texels, and to be saved.
    dock.bar.invert.click()
    assert dock.map.selected.all()
    assert dock.files.save_button.isEnabled()


def test_some_texels_alone(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, notifications: list[Notification]
) -> None:
    dock.form.texels.setCurrentText("one texel of")
    dock.form.step.setValue(4)
    compute(qtbot, dock, "pca")
    assert len(dock.map.points) == 6 * 8
    workspace_of(loaded).models.selection(workspace_of(loaded).models.current).take(half(LEFT))
    assert dock.map.selected.sum() == 6 * 4

    dock.form.texels.setCurrentText("painted texels")
    dock.form.start.click()
    assert [str(n.message) for n in notifications] == [
        "No texel is painted: paint some, or choose all texels."
    ]
    assert len(dock.map.points) == 6 * 8
    dock.keep("left")
    compute(qtbot, dock, "pca")
    assert len(dock.map.points) == 24 * 16
    assert dock.map.selected.all()


def test_a_file_beside_the_model_is_the_map(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: LatentSpace,
    model: CompressedBTF,
    open_dock: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[Notification],
) -> None:
    path = model.save(tmp_path / "cloth.safetensors")
    workspace_of(loaded).models.saved(model, path)
    workspace_of(loaded).models.selection(model).take(half(LEFT))
    dock.keep("left")
    asked: list[str] = []

    def ask(parent: Any, title: str, name: str, kinds: str) -> tuple[str, str]:
        asked.append(name)
        return str(tmp_path / "cloth.tsne.csv"), kinds

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    dock.files.save_button.click()
    assert asked == [str(tmp_path / "cloth.pca.csv")]
    lines = (tmp_path / "cloth.tsne.csv").read_text().splitlines()
    assert len(lines) == 769
    assert lines[0] == "tsne_x,tsne_y,image_x,image_y,region"
    assert lines[1].endswith(",0,0,left")
    assert lines[32].endswith(",31,0,")

    # What is in the file is shown, not what would be computed: here it is mirrored.
    rows = [line.split(",") for line in lines[1:]]
    mirrored = [",".join((str(-float(row[0])), *row[1:])) for row in rows]
    (tmp_path / "cloth.tsne.csv").write_text("\n".join([lines[0], *mirrored, ""]))
    points = dock.map.points.copy()
    again = napari_btf.load(path)
    workspace_of(loaded).models.current = again
    assert not dock.embeddings.run.running
    np.testing.assert_allclose(dock.map.points, points * [-1, 1], rtol=1e-5, atol=1e-4)

    assert dock.note.text() == "map of a table, 768 texels"

    # One of another surface says so, and the dock shows what is there at once.
    (tmp_path / "cloth.tsne.csv").write_text("tsne_x,tsne_y,image_x,image_y\n1,2,99,3\n")
    dock.open(str(tmp_path / "cloth.tsne.csv"))
    (problem,) = (n.message for n in notifications if n.severity.name == "ERROR")
    assert "cloth.tsne.csv" in problem
    np.testing.assert_allclose(dock.map.points, points * [-1, 1], rtol=1e-5, atol=1e-4)


def test_a_changed_model_has_a_map_of_its_own(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, model: CompressedBTF
) -> None:
    before = dock.map.points
    other = model.with_latents(np.ascontiguousarray(model.latent_map[::-1]))
    workspace_of(loaded).models.current = other
    qtbot.waitUntil(lambda: not dock.embeddings.run.running)
    flipped = before.reshape(24, 32, 2)[::-1].reshape(-1, 2)
    apart = min(
        np.abs(dock.map.points * signs - flipped).max()
        for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1))
    )
    assert apart < 0.05 * np.ptp(before)


@pytest.mark.parametrize("by", ["mean", "center", "position", "region", "latent", "cluster"])
def test_every_way_of_colouring(dock: LatentSpace, by: str) -> None:
    dock.colours.set_by(by)
    colours = dock.map.colours
    assert colours.shape == (768, 3)
    assert colours.dtype == np.uint8
    if by in ("region", "cluster"):
        # Nothing is painted or parted yet.
        assert np.ptp(colours, axis=0).max() == 0
    else:
        assert np.ptp(colours, axis=0).max() > 50
    assert dock.colours.legend.isVisible() == (by in ("center", "latent"))
    assert dock.colours.latent.isVisible() == (by == "latent")
    if by == "latent":
        dock.colours.latent.setValue(2)
        assert not np.array_equal(dock.map.colours, colours)
        assert dock.colours.latent.maximum() == 3


# --------------------------------------------------------------------------- segment


def test_materials_become_a_layer_and_colours(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, model: CompressedBTF
) -> None:
    latents = np.zeros((24, 32, 4), dtype=np.float32)
    latents[:, RIGHT] = 5
    latents += np.random.default_rng(0).normal(0, 0.1, latents.shape).astype(np.float32)
    workspace = workspace_of(loaded)
    workspace.models.current = halves = model.with_latents(latents)
    dock.segment_section.toggleButton().click()
    dock.segment.box.by_silhouette.setChecked(True)
    assert not dock.segment.box.number.isEnabled()
    active = loaded.layers.selection.active
    dock.segment.box.start.click()
    qtbot.waitUntil(lambda: dock.segment.materials() is not None)
    layer = dock.segment.materials()
    assert loaded.layers.selection.active == active
    assert is_kind(layer, "materials")
    assert np.unique(layer.data).tolist() == [1, 2]
    assert len(np.unique(layer.data[:, LEFT])) == len(np.unique(layer.data[:, RIGHT])) == 1
    assert "2:\N{NO-BREAK SPACE}0.9" in dock.segment.box.note.text()
    assert dock.segment.box.note.text().count("✓") == 1
    # The points have the colours of the layer, and a material can be selected.
    assert dock.colours.by == "cluster"
    rgb = np.rint(255 * np.asarray(layer.colormap.map(layer.data.ravel()))[:, :3])
    np.testing.assert_array_equal(dock.map.colours, rgb)
    assert dock.colours.legend.texts == ("material 1", "material 2")
    dock.box.regions.setCurrentText(f"material {layer.data[0, 20]}")
    dock.box.take.click()
    np.testing.assert_array_equal(workspace.models.selection(halves).mask, half(RIGHT))
    # Another segmentation takes its place; deleted, it comes back.
    dock.segment.box.by_silhouette.setChecked(False)
    dock.segment.box.number.setValue(3)
    dock.segment.box.start.click()
    qtbot.waitUntil(lambda: len(np.unique(layer.data)) == 3)
    loaded.layers.remove(layer)
    qtbot.waitUntil(lambda: np.ptp(dock.map.colours) == 0)
    dock.segment.box.start.click()
    qtbot.waitUntil(lambda: dock.segment.materials() is not None)


def test_materials_by_colour(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: LatentSpace,
    model: CompressedBTF,
    one_view_model: CompressedBTF,
) -> None:
    dock.segment_section.toggleButton().click()
    box = dock.segment.box
    box.number.setValue(3)
    box.by.setCurrentText("by colour")
    box.start.click()
    qtbot.waitUntil(lambda: dock.segment.materials() is not None)
    expected = finish(segment(model, k=3, by="chromaticity")).labels
    np.testing.assert_array_equal(dock.segment.materials().data, expected)
    assert (expected != finish(segment(model, k=3)).labels).any()
    # A grey surface has none.
    workspace_of(loaded).models.current = one_view_model
    assert not box.by.isEnabled()
    assert "grey" in box.by.toolTip()
    assert box.by.currentText() == "by latents"


def test_a_selection_grows_to_similar_texels(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, model: CompressedBTF
) -> None:
    latents = np.zeros((24, 32, 4), dtype=np.float32)
    latents[:, RIGHT] = 5
    workspace = workspace_of(loaded)
    workspace.models.current = halves = model.with_latents(latents)
    dock.segment_section.toggleButton().click()
    box = dock.segment.box
    assert not box.preview.isEnabled()
    mask = np.zeros((24, 32), dtype=bool)
    mask[10:12, 2:4] = True
    workspace.models.selection(halves).take(mask)
    assert not box.grow.isEnabled()
    box.preview.click()

    def preview() -> NDArray[np.bool_]:
        (layer,) = (layer for layer in loaded.layers if layer.name == "similar texels")
        return np.asarray(layer.data.astype(bool))

    box.threshold.setValue(0.1)
    np.testing.assert_array_equal(preview(), half(LEFT))
    box.threshold.setValue(box.threshold.maximum())
    assert preview().all()
    np.testing.assert_array_equal(workspace.models.selection(halves).mask, mask)
    box.threshold.setValue(0.1)
    box.grow.click()
    np.testing.assert_array_equal(workspace.models.selection(halves).mask, half(LEFT))
    assert not any(layer.name == "similar texels" for layer in loaded.layers)


# --------------------------------------------------------------------------- inspect


def test_captured_and_decoded_stand_side_by_side(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, model: CompressedBTF, capture: Any
) -> None:
    dock.inspect_section.toggleButton().click()
    pair = dock.inspect.pair
    mask = np.zeros((24, 32), dtype=bool)
    mask[7, 9] = True
    workspace_of(loaded).models.selection(model).take(mask)
    loaded.dims.set_current_step((0, 1), (0, 3))
    qtbot.waitUntil(lambda: len(pair.captured.vectors) == len(pair.decoded.vectors) == 9)
    assert pair.note.text() == "x 9, y 7"
    btf = napari_btf.read(capture.folder)
    lights, colours = pair.captured.vectors, pair.captured.colours
    for light, colour in zip(lights, colours, strict=True):
        expected = btf.frame(btf.nearest(light, btf.grid.views[0]))[7, 9]
        assert colour.tolist() == expected.tolist()
    np.testing.assert_array_equal(pair.decoded.vectors, lights)
    for light, colour in zip(lights, pair.decoded.colours, strict=True):
        expected = model.values.store(model.decode(light, btf.grid.views[0]))[7, 9]
        assert np.abs(colour.astype(int) - expected).max() <= 1

    # Of several texels the mean, on both sides.
    workspace_of(loaded).models.selection(model).take(half(LEFT))
    qtbot.waitUntil(lambda: pair.note.text() == "mean of 384 selected texels")
    frames = np.stack([btf.frame(btf.nearest(light, btf.grid.views[0])) for light in lights])
    mean = np.rint(frames[:, :, LEFT].mean(axis=(1, 2)))
    qtbot.waitUntil(lambda: np.array_equal(pair.captured.colours, mean))
    # The other view has other values.
    loaded.dims.set_current_step((0, 1), (1, 3))
    qtbot.waitUntil(lambda: not np.array_equal(pair.captured.colours, mean))


def test_a_texel_below_the_mouse_is_looked_at_without_a_capture(
    qtbot: QtBot, viewer: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> None:
    workspace_of(viewer).models.current = model
    dock = open_dock(LatentSpace, viewer)
    qtbot.waitUntil(lambda: not dock.embeddings.run.running)
    dock.inspect_section.toggleButton().click()
    dock.links.pointed.emit((3, 4))
    qtbot.waitUntil(lambda: len(dock.inspect.pair.decoded.vectors) > 20)
    assert len(dock.inspect.pair.captured.vectors) == 0
    dock.close()
    wait_for_all(PATIENCE / 1000)


def test_a_walk_goes_from_one_texel_to_the_other(
    qtbot: QtBot, loaded: ViewerModel, dock: LatentSpace, model: CompressedBTF
) -> None:
    dock.inspect_section.toggleButton().click()
    walk, pair = dock.inspect.walk, dock.inspect.pair
    assert not walk.slider.isEnabled()
    walk.buttons[0].click()
    ends = []
    for i in (40, 600):
        dock.map._click(dock.map.place_of(i), "replace")
        ends.append(walk.ends[len(ends)])
    assert walk.is_ready
    # Clicks for the walk select nothing.
    assert not workspace_of(loaded).models.selection(model).count
    lights = pair.decoded.vectors
    for share, latents in (
        (0, model.latent_map[ends[0]]),
        (50, (model.latent_map[ends[0]] + model.latent_map[ends[1]]) / 2),
        (100, model.latent_map[ends[1]]),
    ):
        walk.slider.setValue(share)
        between = model.with_latents(np.broadcast_to(latents, model.latent_map.shape).copy())
        qtbot.waitUntil(lambda: not dock.inspect.decoder.busy)
        lights, view = pair.decoded.vectors, dock.inspect._shown.view
        for light, colour, v in zip(lights, pair.decoded.colours, view, strict=True):
            expected = model.values.store(between.decode(light, v))[0, 0]
            assert np.abs(colour.astype(int) - expected).max() <= 2
    walk.stop.click()
    assert walk.ends == (None, None)
    assert not walk.slider.isEnabled()


@pytest.mark.parametrize("with_relight", [True, False])
def test_a_moved_latent_is_seen_and_the_model_stays(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: LatentSpace,
    model: CompressedBTF,
    open_dock: Callable[..., Any],
    with_relight: bool,
) -> None:
    dock.inspect_section.toggleButton().click()
    sliders = dock.inspect.edit.sliders
    before = model.latent_map.copy()
    if with_relight:
        relight = open_dock(Relight, loaded)
        qtbot.waitUntil(lambda: relight.image_layer() is not None)
        relight.light_theta.setValue(30)
        qtbot.waitUntil(lambda: not relight.renderer.busy)

    def relit() -> NDArray[np.uint8]:
        (layer,) = (layer for layer in loaded.layers if is_kind(layer, "relit"))
        return np.asarray(layer.data)

    assert not sliders.sliders[0].isEnabled()
    workspace_of(loaded).models.selection(model).take(half(LEFT))
    assert next(label.text() for label in sliders.labels if label.isVisible()).startswith("latent ")
    sliders.sliders[0].setValue(40)
    qtbot.waitUntil(lambda: any(is_kind(layer, "relit") for layer in loaded.layers))
    light, view = workspace_of(loaded).relit_directions or ((30, 0), (0, 0))
    plain = napari_btf.relight(model, light, view)
    qtbot.waitUntil(lambda: not np.array_equal(relit(), plain))
    # It is no longer hidden by what marks the selection, and it is in view.
    places = [x.translate[-1] for x in loaded.layers if x.name.startswith("selected texels")]
    assert places == [0]
    (image,) = (layer for layer in loaded.layers if is_kind(layer, "relit"))
    assert loaded.scene.camera.center[-1] == pytest.approx((image.translate[-1] + 31) / 2, abs=1)
    # Only what is selected changes, and it changes as it would with these latents.
    ((latent, deviations),) = sliders.offsets.items()
    latents = before.copy()
    latents[:, LEFT, latent] += deviations * before[..., latent].std()
    light, view = (
        (relight.light, relight.view) if with_relight else workspace_of(loaded).relit_directions
    )
    expected = napari_btf.relight(model.with_latents(latents), light, view)
    qtbot.waitUntil(lambda: np.abs(relit().astype(int) - expected).max() <= 2)
    np.testing.assert_array_equal(
        relit()[:, RIGHT], napari_btf.relight(model, light, view)[:, RIGHT]
    )
    assert workspace_of(loaded).models.current is model
    assert workspace_of(loaded).models.all == (model,)
    np.testing.assert_array_equal(model.latent_map, before)

    sliders.reset.click()
    plain = napari_btf.relight(model, light, view)
    qtbot.waitUntil(lambda: np.array_equal(relit(), plain))
    marked = [x for x in loaded.layers if x.name.startswith("selected texels")]
    assert len(marked) == 2
    sliders.sliders[1].setValue(-40)
    qtbot.waitUntil(lambda: not np.array_equal(relit(), plain))
    # Closed, the dock leaves the surface as it is.
    dock.close()
    qtbot.waitUntil(lambda: np.array_equal(relit(), plain))
