"""Captures made of layers that are open already, and captures of many channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari.layers import Image, Points

from napari_btf.directions import angles_to_vectors, vectors_to_angles
from napari_btf.errors import BTFError
from napari_btf.plugin.from_layer import add_capture_of, capture_from_layer, has_angles
from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.viewer.layers import capture_of
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.progress import finish
from napari_btf.training import train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

    from napari_btf.btf import BTF

Make = Callable[..., "BTF"] if TYPE_CHECKING else Any


def metadata_of(btf: BTF) -> dict[str, Any]:
    (tl, pl), (tv, pv) = vectors_to_angles(btf.light), vectors_to_angles(btf.view)
    return {"theta_l": tl.tolist(), "phi_l": pl.tolist(), "theta_v": tv.tolist(), "phi_v": pv}


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("shape", [(30,), (3, 10)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_layer_with_angles_in_its_metadata(
    viewer: ViewerModel, make_btf: Make, lazy: bool, shape: tuple[int, ...], channels: int
) -> None:
    source = make_btf(views=3, lights=10, channels=channels)
    frames = np.asarray(source.frames).reshape(*shape, *source.frames.shape[1:])
    frames = frames[..., 0] if channels == 1 else frames
    data = da.from_array(frames, chunks=(1, *frames.shape[1:])) if lazy else frames
    layer = viewer.add_layer(Image(data, rgb=channels == 3, metadata=metadata_of(source)))
    assert has_angles(layer)
    added = add_capture_of(viewer, layer)
    btf = capture_of(added)
    assert btf is not None
    np.testing.assert_allclose(btf.light, source.light, atol=1e-12)
    np.testing.assert_allclose(btf.view, source.view, atol=1e-12)
    np.testing.assert_array_equal(np.stack(list(btf.iter_frames())), source.frames)
    assert added.axis_labels == ("view", "light", "y", "x")
    assert not layer.visible
    assert workspace_of(viewer).captures.layers() == [added]


def test_unit_vectors_and_a_table(viewer: ViewerModel, make_btf: Make, tmp_path: Path) -> None:
    source = make_btf(views=1, lights=10)
    layer = viewer.add_layer(Image(source.frames, rgb=True, metadata={"light": 3 * source.light}))
    btf = capture_from_layer(layer)
    np.testing.assert_allclose(btf.light, source.light, atol=1e-12)
    np.testing.assert_array_equal(btf.view, np.tile([0.0, 0.0, 1.0], (10, 1)))

    layer.metadata = {}
    assert not has_angles(layer)
    theta, phi = vectors_to_angles(source.light)
    table = tmp_path / "angles.csv"
    rows = [f"{t},{p}" for t, p in zip(theta, phi, strict=True)]
    table.write_text("\n".join(["tl,pl", *rows]))
    np.testing.assert_allclose(capture_from_layer(layer, table).light, source.light, atol=1e-9)


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({}, "has no light directions; give metadata theta_l and phi_l"),
        ({"theta_l": [0, 1], "phi_l": [0, 1]}, "there are angles of 2 images"),
        ({"theta_l": ["a"] * 4, "phi_l": [0] * 4}, "the light directions in the metadata"),
        ({"light": np.zeros((4, 3))}, "the light directions in the metadata"),
        ({"light": np.ones((4, 3)), "view": np.ones((3, 3))}, "4 lights and 3 views"),
    ],
)
def test_what_does_not_fit(viewer: ViewerModel, metadata: dict[str, Any], problem: str) -> None:
    layer = viewer.add_layer(Image(np.zeros((4, 8, 9, 3), np.uint8), metadata=metadata))
    with pytest.raises(BTFError, match=problem):
        add_capture_of(viewer, layer)
    assert list(viewer.layers) == [layer]
    assert layer.visible


def test_other_layers_are_refused(viewer: ViewerModel) -> None:
    for layer in (None, viewer.add_layer(Points(np.zeros((3, 2))))):
        with pytest.raises(BTFError, match="no Image layer is selected"):
            capture_from_layer(layer)


@pytest.fixture
def spectral(tmp_path: Path) -> Path:
    """Five channels, two views and nine lights, 16 bits."""
    folder = tmp_path / "spectral"
    folder.mkdir()
    rng = np.random.default_rng(0)
    albedo = rng.uniform(0.2, 1.0, (10, 12, 5))
    for tv in (0, 30):
        for pl in range(0, 360, 40):
            shade = angles_to_vectors(40, pl) @ angles_to_vectors(20, tv)
            pixels = np.uint16(60000 * albedo * shade)
            tifffile.imwrite(
                folder / f"tl40_pl{pl}_tv{tv}_pv0.tif",
                pixels,
                photometric="minisblack",
                planarconfig="contig",
            )
    return folder


def test_a_slider_goes_through_many_channels(
    viewer: ViewerModel, spectral: Path, open_dock: Any, qtbot: QtBot
) -> None:
    (layer,) = open_path(viewer, spectral)
    assert layer.axis_labels == ("view", "light", "channel", "y", "x")
    assert layer.data.shape == (2, 9, 5, 10, 12)
    btf = capture_of(layer)
    assert btf is not None
    viewer.dims.current_step = (1, 7, 3, 0, 0)
    assert workspace_of(viewer).captures.step(btf) == (1, 7)
    i = btf.grid.observations[1, 7]
    np.testing.assert_array_equal(np.asarray(layer.data[1, 7, 3]), btf.frame(i)[..., 3])
    assert viewer.canvas.overlays.text.text == (
        "captured  light 40°, 280°   view 30°, 0°   channel 4"
    )

    model, _ = finish(train(btf))
    dock = open_dock(Relight, viewer)
    workspace_of(viewer).models.current = model
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    relit = dock.image_layer()
    assert relit.data.shape == (5, 10, 12)
    expected = btf.frame(btf.nearest(angles_to_vectors(40, 0), angles_to_vectors(0, 0)))
    dock.light_theta.setValue(40)
    qtbot.waitUntil(lambda: np.abs(relit.data[2] - expected[..., 2].astype(float)).mean() < 600)
