"""Models as layers: opening a file, saving a layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Layer
from napari.plugins._npe2 import file_extensions_string_for_layers

import napari_btf
from napari_btf.errors import ModelFileError, UsageError
from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.reader import get_model_reader
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.train import Train
from napari_btf.plugin.viewer.layers import TAG, capture_of
from napari_btf.plugin.viewer.model_layers import latent_layer_data, model_of
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot


@pytest.fixture
def model_file(model: napari_btf.CompressedBTF, tmp_path: Path) -> Path:
    """The model of the capture on disk."""
    return model.save(tmp_path / "cloth.safetensors")


def test_latents_as_a_picture_and_a_stack(model: napari_btf.CompressedBTF) -> None:
    (picture, facts, kind), (stack, more, _) = latent_layer_data(model)
    assert kind == "image"
    assert facts["rgb"]
    assert (picture.shape, picture.dtype) == ((24, 32, 3), np.uint8)
    # Outside the percentiles there is little, between them all there is.
    assert [(np.mean(picture == end) < 0.05) for end in (0, 255)] == [True, True]
    assert all(np.ptp(picture[..., i]) == 255 for i in range(3))
    order = np.argsort(model.latent_map[..., 0], axis=None)
    assert (np.diff(picture[..., 0].ravel()[order].astype(int)) >= 0).all()
    np.testing.assert_array_equal(stack, model.latent_map[..., 3:].transpose(2, 0, 1))
    assert more["axis_labels"] == ("latent", "y", "x")
    low, high = more["contrast_limits"]
    assert stack.min() < low < high < stack.max()
    assert [model_of(Layer.create(*data)) for data in latent_layer_data(model)] == [model] * 2


def test_the_stack_stands_still_while_the_light_moves(
    model: napari_btf.CompressedBTF, capture: Any
) -> None:
    stack, options, _ = latent_layer_data(model, napari_btf.read(capture.folder))[1]
    assert stack.shape == (1, 2, 9, 24, 32)
    assert options["axis_labels"] == ("latent", "view", "light", "y", "x")
    # The same memory for all of them.
    assert stack.strides[1:3] == (0, 0)


def test_captures_opened_later_have_sliders_of_their_own(
    model: napari_btf.CompressedBTF, make_capture: Callable[..., Any]
) -> None:
    viewer = ViewerModel()
    workspace = workspace_of(viewer)
    for data in latent_layer_data(replace(model, source="cloth")):
        viewer.add_layer(Layer.create(*data))
    stack = viewer.layers["more latents of cloth"].data.copy()
    for name in ("first", "second"):
        open_path(viewer, make_capture(name).folder)
    layer = viewer.layers["more latents of cloth"]
    assert layer.data.shape == (1, 2, 9, 24, 32)
    np.testing.assert_array_equal(layer.data[:, 1, 7], stack)
    assert viewer.dims.axis_labels == ("latent", "view", "light", "y", "x")
    btf = capture_of(viewer.layers["second"])
    workspace.captures.go_to(btf, (1, 7))
    viewer.dims.set_current_step(0, 0)
    assert workspace.captures.step(btf) == (1, 7)


def test_opening_a_model_brings_layers_and_docks_back(
    model: napari_btf.CompressedBTF,
    model_file: Path,
    open_dock: Callable[..., Any],
    qtbot: QtBot,
) -> None:
    viewer = ViewerModel()
    dock, relight = open_dock(Train, viewer), open_dock(Relight, viewer)
    assert not dock.save_button.isEnabled()
    # As File > Open and drag and drop do: napari looks for a reader.
    layers = viewer.open(model_file, plugin=None)
    assert [layer.name for layer in layers] == ["latents of cloth", "more latents of cloth"]
    found = workspace_of(viewer).models.current
    assert found is not None
    assert found.path == model_file
    assert dock.save_button.isEnabled()
    assert dock.models.currentText().startswith("cloth.safetensors (")
    # The whole of it where the dock is too narrow.
    assert dock.models.toolTip().startswith(f"{dock.models.currentText()}\n")
    expected = napari_btf.relight(model, relight.light, relight.view)
    qtbot.waitUntil(lambda: relight.image_layer() is not None)
    np.testing.assert_array_equal(relight.image_layer().data, expected)


def test_a_dock_opened_later_knows_the_model(
    model_file: Path, viewer: ViewerModel, open_dock: Callable[..., Any]
) -> None:
    viewer.open(model_file, plugin="napari-btf")
    assert open_dock(Relight, viewer).light_theta.isEnabled()


def test_the_reader_takes_models_alone(tmp_path: Path) -> None:
    assert get_model_reader(str(tmp_path)) is None
    assert get_model_reader(["a.safetensors", "b.safetensors"]) is None
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"nothing")
    read = get_model_reader(str(path))
    assert read is not None
    with pytest.raises(ModelFileError, match="is not a model file"):
        read(str(path))


def test_layers_of_a_model_are_saved_as_the_model(
    model: napari_btf.CompressedBTF, loaded: ViewerModel, tmp_path: Path
) -> None:
    for data in latent_layer_data(model):
        loaded.add_layer(Layer.create(*data))
    loaded.layers["latents of cloth"].name = "renamed"
    loaded.layers.selection = {loaded.layers["renamed"]}
    one = tmp_path / "one.safetensors"
    assert loaded.layers.save(str(one), selected=True) == [str(one)]
    workspace = workspace_of(loaded)
    assert workspace.models.path_of(model) == one
    # All layers, of which one model is found.
    everything = tmp_path / "all.safetensors"
    assert loaded.layers.save(str(everything)) == [str(everything)]
    assert one.read_bytes() == everything.read_bytes()
    np.testing.assert_array_equal(
        napari_btf.relight(napari_btf.load(one), (40, 10), (15, 90)),
        napari_btf.relight(model, (40, 10), (15, 90)),
    )


def test_layers_of_no_model_or_of_two_are_refused(
    model: napari_btf.CompressedBTF,
    one_view_model: napari_btf.CompressedBTF,
    loaded: ViewerModel,
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "m.safetensors")
    loaded.add_image(np.zeros((4, 5)))
    with pytest.raises(UsageError, match="no layer of a model is here"):
        loaded.layers.save(path, plugin="napari-btf")
    for which in (model, one_view_model):
        for data in latent_layer_data(which):
            loaded.add_layer(Layer.create(*data))
    with pytest.raises(UsageError, match="of several models"):
        loaded.layers.save(path, plugin="napari-btf")
    assert not (tmp_path / "m.safetensors").exists()


def test_the_filter_of_the_dialog_saves_models_and_images(
    model: napari_btf.CompressedBTF, loaded: ViewerModel, tmp_path: Path
) -> None:
    # A name without extension, as the dialog suggests it. Which filter is the first depends on the
    # order in which plugins were installed.
    image = np.arange(20, dtype=np.uint8).reshape(4, 5)
    loaded.add_image(image, name="photograph")
    latents = loaded.add_layer(Layer.create(*latent_layer_data(model)[0]))
    names, writers = file_extensions_string_for_layers([latents])
    assert names is not None
    writer = writers[names.split(";;").index("BTF model (*.safetensors)")]
    loaded.layers.selection = {latents}
    loaded.layers.save(str(tmp_path / "latents of cloth"), selected=True, _writer=writer)
    saved = napari_btf.load(tmp_path / "latents of cloth.safetensors")
    assert saved.latent_count == model.latent_count
    loaded.layers.selection = {loaded.layers["photograph"]}
    loaded.layers.save(str(tmp_path / "photograph"), selected=True, _writer=writer)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "photograph.tif"), image)


def test_a_place_that_cannot_be_written_to(
    model: napari_btf.CompressedBTF, viewer: ViewerModel, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    layer = viewer.add_layer(Layer.create(*latent_layer_data(model)[0]))
    with pytest.raises(ModelFileError, match="file"):
        viewer.layers.save(str(tmp_path / "file" / "m.safetensors"))
    assert model_of(layer) is model
    assert layer.metadata[TAG]["kind"] == "latents"
