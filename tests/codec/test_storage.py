from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit, load
from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import ModelFileError
from napari_btf.progress import finish
from napari_btf.relighting import outside, relight

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def model(make_btf: Callable[..., BTF]) -> CompressedBTF:
    return finish(fit(make_btf(lights=20), settings=FitSettings(4, NetworkSettings(epochs=20))))


@pytest.fixture
def saved(model: CompressedBTF, tmp_path: Path) -> Path:
    return model.save(tmp_path / "model.safetensors")


def test_a_model_comes_back_the_same(model: CompressedBTF, tmp_path: Path) -> None:
    path = model.save(tmp_path / "new" / "model.safetensors")
    back = load(path)
    between = angles_to_vectors(33, 71), angles_to_vectors(9, 50)
    np.testing.assert_array_equal(back.decode(*between), model.decode(*between))
    assert (back.source, back.dtype, back.path) == ("here", np.uint8, path)
    np.testing.assert_allclose(back.light, model.light, atol=1e-6)
    assert path.stat().st_size == model.file_size
    assert [entry.name for entry in path.parent.iterdir()] == ["model.safetensors"]


def test_saving_where_it_cannot_be_leaves_what_was_there(
    model: CompressedBTF, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match="it is a folder"):
        model.save(tmp_path)
    (tmp_path / "file").write_text("hello")
    with pytest.raises(ModelFileError, match="cannot be written"):
        model.save(tmp_path / "file" / "model.safetensors")
    assert (tmp_path / "file").read_text() == "hello"


def test_files_that_are_no_models(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(ModelFileError, match="there is no such file"):
        load(path)
    with pytest.raises(ModelFileError, match=str(tmp_path)):
        load(tmp_path)
    for content in (b"", b"hello", b"x" * 5000, (10**12).to_bytes(8, "little") + b"{}"):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"not a .*model"):
            load(path)
    save_file({"weights": np.zeros(3, np.float32)}, path)
    with pytest.raises(ModelFileError, match="not a napari-btf model"):
        load(path)


def change(model: CompressedBTF, path: Path, **changes: object) -> None:
    """Write a model whose description says something else."""
    content = model.to_bytes()
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    description = json.loads(table["__metadata__"]["napari-btf"]) | changes
    table["__metadata__"]["napari-btf"] = json.dumps(description)
    header = json.dumps(table).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"version": 99}, "a kind this version does not know"),
        ({"architecture": "oracle"}, "a kind this version does not know"),
        ({"height": 10**6}, "it claims 16 x 1000000 texels"),
        ({"height": 10**9}, "height is 1000000000"),
        ({"latents": "many"}, "description is not complete"),
        ({"latents": 5}, "tensor 'table' does not fit"),
        ({"channels": 4}, "does not fit its description"),
        ({"trend": "fashion"}, "trend is 'fashion'"),
        ({"trend": ["disks"]}, r"trend is \['disks'\]"),
        ({"dtype": "int32"}, "dtype is 'int32'"),
        ({"dtype": "uint64"}, "dtype is 'uint64'"),
        ({"dtype": None}, "dtype is None"),
        ({"height": float("inf")}, "height is inf"),
        ({"height": 12.0}, "height is 12.0"),
        ({"height": 13}, "it is damaged"),
        ({"width": 10**4000}, "width is 1000"),
        ({"step": None}, "step is None"),
        ({"step": "0.5"}, "step is '0.5'"),
        ({"step": float("nan")}, "step is nan"),
        ({"smoothing": -0.1}, "smoothing is -0.1"),
        ({"dome": "flat"}, "dome is 'flat'"),
        ({"format": [[["deep"] * 999]]}, "a kind this version does not know"),
    ],
)
def test_what_is_not_understood_is_refused(
    model: CompressedBTF, tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    path = tmp_path / "model.safetensors"
    change(model, path)
    assert load(path).height == 12
    change(model, path, **changes)
    with pytest.raises(ModelFileError, match=complaint):
        load(path)


@pytest.mark.parametrize("name", ["latent_lengths", "latent_streams"])
def test_latents_that_are_none(saved: Path, name: str) -> None:
    tensors = load_file(saved)
    with safe_open(saved, "np") as file:
        metadata = file.metadata()
    values = tensors[name]
    wrongs = [-1, 2**40, 2**62] if name == "latent_lengths" else [200 + values[0]]
    for wrong in wrongs:
        tensors[name] = np.concatenate([values[1:], np.array([wrong], values.dtype)])
        save_file(tensors, saved, metadata)
        with pytest.raises(ModelFileError, match="it is damaged"):
            load(saved)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38, -3e38])
@pytest.mark.parametrize("name", ["latent_offset", "table", "imagined_light"])
def test_values_no_training_gives_are_refused(
    content: bytes, tmp_path: Path, name: str, value: float
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    tensors = load_file(path)
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    tensors[name] = tensors[name].astype(np.float32)
    tensors[name].flat[1] = value
    save_file(tensors, path, metadata)
    with pytest.raises(ModelFileError, match=r"not numbers|is damaged"):
        load(path)


def test_a_description_without_end(model: CompressedBTF, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    change(model, path)
    content = path.read_bytes()
    for header in (b"[" * 10**5, b'{"a":' * 10**5, b'{"__metadata__":' + b"[" * 10**5):
        path.write_bytes(len(header).to_bytes(8, "little") + header + content)
        with pytest.raises(ModelFileError, match="not a napari-btf model"):
            load(path)
    change(model, path, source="\ud800")
    assert load(path).source == "?"


def decodes_or_is_refused(path: Path) -> bool:
    """Whether it loads; what loads can be used, and numpy has nothing to warn of."""
    try:
        model = load(path)
    except ModelFileError:
        return False
    for light, view in ((0, 0), (0, 0)), ((40, 200), (13, 100)), ((-90, 3), (90, 1)):
        image = relight(model, light, view)
        assert image.shape == (12, 16, 3)
        assert np.isfinite(image).all()
        assert outside(model, light, view) != ""
    assert model.file_size > 0
    return True


damage = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(scope="module")
def content() -> bytes:
    """Of a model file with every kind of tensor."""
    rng = np.random.default_rng(0)
    theta, phi = rng.uniform(0, 80, 60), rng.uniform(0, 360, 60)
    directions = angles_to_vectors(theta, phi), angles_to_vectors(theta[::-1] / 4, phi)
    frames = rng.uniform(0, 3, (60, 12, 16, 3)).astype(np.float16)
    model = finish(fit(BTF(frames, *directions), settings=FitSettings(4)))
    assert isinstance(model, NeuralBasisBTF)
    # Of noise, nothing is imagined.
    imagined = angles_to_vectors(np.full(3, 33.0), np.arange(3) * 100.0)
    table = np.concatenate([model.table, model.table[:3]])
    model = replace(model, table=table, imagined_light=imagined, imagined_view=imagined)
    assert len(model.basis.spline.points) == 63
    return model.to_bytes()


@damage
@given(where=st.floats(0, 1), cut=st.booleans(), byte=st.integers(0, 255))
def test_damaged_bytes_are_refused_or_harmless(
    content: bytes, tmp_path: Path, where: float, cut: bool, byte: int
) -> None:
    damaged = bytearray(content)
    at = int(where * (len(content) - 1))
    if cut:
        damaged = damaged[:at]
    else:
        damaged[at] = byte
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(bytes(damaged))
    assert not (decodes_or_is_refused(path) and cut)


@damage
@given(where=st.integers(0, 4000), byte=st.integers(0, 255))
def test_a_damaged_header_is_refused_or_harmless(
    content: bytes, tmp_path: Path, where: int, byte: int
) -> None:
    length = int.from_bytes(content[:8], "little")
    damaged = bytearray(content)
    damaged[where % (8 + length)] = byte
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(bytes(damaged))
    decodes_or_is_refused(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@damage
@given(data=st.data(), value=json_values)
def test_any_description_is_refused_or_harmless(
    content: bytes, tmp_path: Path, data: st.DataObject, value: object
) -> None:
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    description = json.loads(table["__metadata__"]["napari-btf"])
    place = data.draw(st.sampled_from(["description", "table", "shape", "tensor"]))
    name = data.draw(st.sampled_from(sorted(set(table) - {"__metadata__"})))
    if place == "description":
        description[data.draw(st.sampled_from(sorted(description)))] = value
    elif place == "table":
        table[name] = value
    elif place == "shape":
        table[name]["shape"] = value
    else:
        table[name][data.draw(st.sampled_from(["dtype", "shape", "data_offsets"]))] = value
    table["__metadata__"]["napari-btf"] = json.dumps(description)
    header = json.dumps(table).encode()
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    decodes_or_is_refused(path)
