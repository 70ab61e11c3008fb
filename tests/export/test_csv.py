"""Models as CSV files and back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.codec.decoding.layers import Layers
from napari_btf.codec.texel_network.model import AbrdfConvBTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import ModelFileError, UsageError
from napari_btf.export.csv_export import write_csv
from napari_btf.export.csv_import import read_csv
from napari_btf.progress import finish
from napari_btf.relighting import outside, relight

Make = Callable[..., BTF]


def made_up(coordinates: int = 2, latents: int = 3, hidden: int = 7) -> AbrdfConvBTF:
    """A model with random latents and weights, some of them tiny."""
    rng = np.random.default_rng(coordinates)
    sizes = [latents + coordinates, hidden, hidden, 3]
    weights = [rng.normal(0, 0.4, (b, a)) for a, b in pairwise(sizes)]
    biases = [rng.normal(0.2, 0.1, size) for size in sizes[1:]]
    weights[1].flat[:3] = 1e-42, -1.2345678e-20, 0.0
    light, view = angles_to_vectors([0, 60, 75], [0, 120, 10]), np.tile([0.0, 0.0, 1.0], (3, 1))
    return AbrdfConvBTF(
        layers=Layers(
            tuple(weight.astype(np.float32) for weight in weights),
            tuple(bias.astype(np.float32) for bias in biases),
        ),
        latents=rng.normal(0, 1, (4, 5, latents)).astype(np.float32),
        light=light,
        view=light if coordinates == 4 else view,
        dtype=np.dtype(np.uint8),
    )


@pytest.mark.parametrize("coordinates", [2, 4])
def test_every_value_comes_back(tmp_path: Path, coordinates: int) -> None:
    model = made_up(coordinates)
    weights, latents = (tmp_path / f"{name}_cloth.csv" for name in ("weights_model", "latent_map"))
    assert write_csv(model, tmp_path, "cloth") == [latents, weights]
    again = read_csv(tmp_path, "cloth", (5, 4))
    np.testing.assert_array_equal(again.latents, model.latents)
    for one, other in zip(again.layers.weights, model.layers.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(again.layers.biases, model.layers.biases, strict=True):
        np.testing.assert_array_equal(one, other)
    pair = angles_to_vectors(40, 200), angles_to_vectors(30, 10)
    np.testing.assert_array_equal(again.decode(*pair), model.decode(*pair))
    assert (outside(again, (70, 10), (60, 10)) is None) == (coordinates == 4)
    assert outside(again, (80, 10)) is not None


def test_the_form_of_the_files(tmp_path: Path) -> None:
    model = made_up(latents=8, hidden=106)
    latents, weights = (path.read_text().splitlines() for path in write_csv(model, tmp_path, "t"))
    assert latents[0] == "0,1,2,3,4,5,6,7"
    assert len(latents) == 1 + 4 * 5
    second = [float(cell) for cell in latents[2].split(",")]
    np.testing.assert_array_equal(np.float32(second), model.latents[0, 1])
    assert weights[0] == "layer,type,row_index,col_index,value"
    assert weights[1].startswith("fc1,weight,0,0,")
    assert weights[11].startswith("fc1,weight,1,0,")
    assert weights[1 + 1060].startswith("fc1,bias,0,0,")
    assert weights[-1].startswith("output_rgb,bias,0,2,")
    assert len(weights) == 1 + 11 * 106 + 107 * 106 + 107 * 3


def test_files_as_the_predecessor_wrote_them(tmp_path: Path) -> None:
    """Doubles of single values, a layer of each kind, and an image worked out by hand."""
    (tmp_path / "latent_map_0.csv").write_text("0\r\n0.5\r\n-0.25\r\n")
    rows = [
        *(f"fc1,weight,0,{i},{float(np.float32(v))!r}" for i, v in enumerate((0.1, 0.2, 0.3))),
        *(f"fc1,weight,1,{i},{v}" for i, v in enumerate((-1.0, 0.0, 0.0))),
        "fc1,bias,0,0,0.05",
        "fc1,bias,0,1,-0.125",
        *(f"output_rgb,weight,{row},{column},1.0" for row in range(3) for column in range(2)),
        *(f"output_rgb,bias,0,{i},0.{i}" for i in range(3)),
    ]
    header = "layer,type,row_index,col_index,value"
    (tmp_path / "weights_model_0.csv").write_text("\r\n".join([header, *rows, ""]))
    model = read_csv(tmp_path, size=(2, 1))
    x, y = np.tan(np.deg2rad(30) / 2) * np.array([np.cos(0.5), np.sin(0.5)])
    image = model.decode(angles_to_vectors(30, np.rad2deg(0.5)), (0, 0, 1))
    for texel, latent in enumerate((0.5, -0.25)):
        units = 0.1 * latent + 0.2 * x + 0.3 * y + 0.05, max(0.0, -latent - 0.125)
        expected = max(0.0, units[0]) + units[1] + np.array([0.0, 0.1, 0.2])
        np.testing.assert_allclose(image[0, texel], np.clip(expected, 0, 1), atol=1e-6)


def test_other_codecs_leave_their_latents(make_btf: Make, tmp_path: Path) -> None:
    model = finish(fit(make_btf(), settings=FitSettings(4, NetworkSettings(epochs=2))))
    (path,) = write_csv(model, tmp_path / "new", "a")
    table = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.float32)
    np.testing.assert_array_equal(table.reshape(12, 16, 4), model.latent_map)
    network = NetworkSettings(epochs=1)
    mlp = finish(fit(make_btf(), settings=FitSettings(network=network, codec="mlp")))
    assert len(write_csv(mlp, tmp_path)) == 2
    again = read_csv(tmp_path, size=(16, 12))
    assert again.coordinates == 4
    np.testing.assert_array_equal(relight(again, (10, 20)), relight(mlp, (10, 20)))


def test_the_capture_says_size_and_directions(make_btf: Make, tmp_path: Path) -> None:
    btf = make_btf(views=1, lights=7, height=4, width=5)
    write_csv(made_up(), tmp_path)
    model = read_csv(tmp_path, capture=btf)
    np.testing.assert_array_equal(model.light, btf.light)
    assert (model.height, model.width, model.source) == (4, 5, "here")
    for other, problem in (
        (make_btf(views=1, channels=1, height=4, width=5), "5 x 4 texels of 1 channels"),
        (make_btf(views=3, height=4, width=5), "it has several views"),
    ):
        with pytest.raises(UsageError, match=problem):
            read_csv(tmp_path, capture=other)
    with pytest.raises(UsageError, match="do not say how wide"):
        read_csv(tmp_path)
    for tag in ("", "a/b", "..\\x"):
        with pytest.raises(UsageError, match="cannot be part of a file name"):
            write_csv(model, tmp_path, tag)


@pytest.mark.parametrize(
    ("name", "found", "put", "problem"),
    [
        ("latent_map_0", "0,1,2\n", "a,b,c\n", "line 1 is 'a,b,c', expected the header 0,1,2"),
        ("latent_map_0", "0,1,2\n", "", "line 1 is .* expected the header 0,1,2"),
        ("latent_map_0", "\n", "\n1,2\n", "line 2 is '1,2', expected 3 numbers"),
        ("latent_map_0", "\n", "\n3\n", "line 2 is '3', expected 3 numbers"),
        ("latent_map_0", "\n", "\n1,2,nan\n", "line 2 is '1,2,nan', expected 3 numbers"),
        ("latent_map_0", "\n", "\n1,2,x\n", "line 2 is '1,2,x', expected 3 numbers"),
        ("latent_map_0", "\n", "\n1,2,3\n", "it has 21 texels, not 5 x 4"),
        ("weights_model_0", "layer", "Layer", "line 1 is 'Layer,"),
        ("weights_model_0", "fc1,weight,0,2,", "fc1,weight,0,2,e", "line 4 is 'fc1,weight,0,2,e"),
        ("weights_model_0", "fc1,weight,0,2,", "fc1,gain,0,2,", "line 4 is 'fc1,gain"),
        ("weights_model_0", "fc1,weight,0,2,", "fc1,weight,0,-2,", "line 4 is"),
        ("weights_model_0", "fc1,weight,0,2,", "fc1,weight,0,1,", "line 4 .* each .* once"),
        ("weights_model_0", "fc1,weight,0,2,", "fc1,weight,0,2,1e99,", "line 4 is"),
        ("weights_model_0", "fc1,weight,0,2,", "fc9,weight,0,2,", "layer fc1 has 34 values"),
        ("weights_model_0", "fc1,weight,0,2,", "fc1,weight,9,2,", "has 35 values .* not 10 x 5"),
        ("weights_model_0", "fc1,bias,0,6,", "fc1,bias,1,0,", "has 7 values of type bias"),
        ("weights_model_0", "output_rgb", "fc3", ""),
        ("weights_model_0", "fc2", "fc1a", ""),
    ],
)
def test_wrong_files_are_named_with_their_lines(
    tmp_path: Path, name: str, found: str, put: str, problem: str
) -> None:
    write_csv(made_up(), tmp_path)
    path = tmp_path / f"{name}.csv"
    text = path.read_text()
    assert found in text
    path.write_text(text.replace(found, put) if not problem else text.replace(found, put, 1))
    if not problem:
        # Layers may have any names.
        assert read_csv(tmp_path, size=(5, 4)).channels == 3
        return
    with pytest.raises(ModelFileError, match=problem) as raised:
        read_csv(tmp_path, size=(5, 4))
    assert raised.value.path == str(path)


def test_layers_that_do_not_follow_one_another(tmp_path: Path) -> None:
    write_csv(made_up(), tmp_path)
    path = tmp_path / "weights_model_0.csv"
    lines = path.read_text().splitlines()
    narrow = [line for line in lines if not (line.startswith("output_rgb,w") and ",6," in line)]
    path.write_text("\n".join(narrow))
    with pytest.raises(ModelFileError, match=r"layer output_rgb has 3 x 6 weights.* 7 inputs"):
        read_csv(tmp_path, size=(5, 4))
    write_csv(made_up(latents=4), tmp_path, "b")
    (tmp_path / "latent_map_b.csv").write_bytes((tmp_path / "latent_map_0.csv").read_bytes())
    with pytest.raises(ModelFileError, match="its first layer has 6 inputs, expected 3 latents"):
        read_csv(tmp_path, "b", (5, 4))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ModelFileError, match="it cannot be read as text"):
        read_csv(tmp_path, size=(5, 4))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), name=st.sampled_from(["weights_model_0", "latent_map_0"]))
def test_damaged_text_is_refused_or_harmless(
    tmp_path: Path, data: st.DataObject, name: str
) -> None:
    write_csv(made_up(), tmp_path)
    path = tmp_path / f"{name}.csv"
    text = path.read_text()
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.text("0123456789.,-e\nxfc", max_size=4))
    gone = data.draw(st.integers(0, 4))
    path.write_text(text[:at] + put + text[at + gone :])
    try:
        model: Any = read_csv(tmp_path, size=(5, 4))
    except ModelFileError:
        return
    assert np.isfinite(model.decode((0, 0, 1), (0, 0, 1))).all()
