from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit, load
from napari_btf.codec.storage import to_bytes
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import ModelFileError
from napari_btf.progress import finish

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_btf.btf import BTF


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
    content = to_bytes(model)
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
        ({"height": 10**9}, "tensor 'latents' does not fit"),
        ({"latents": "many"}, "description is not complete"),
        ({"channels": 4}, "does not fit its description"),
        ({"layers": 7}, "description is not complete"),
        ({"dtype": "int32"}, "does not fit its description"),
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


def test_indices_beyond_their_table_are_refused(saved: Path) -> None:
    tensors = load_file(saved)
    with safe_open(saved, "np") as file:
        metadata = file.metadata()
    for wrong in (-1, 60, 2**40):
        tensors["spline_centres"][3] = wrong
        save_file(tensors, saved, metadata)
        with pytest.raises(ModelFileError, match="'spline_centres' is damaged"):
            load(saved)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(where=st.floats(0, 1), cut=st.booleans(), byte=st.integers(0, 255))
def test_a_damaged_file_is_refused_or_loads_never_crashes(
    saved: Path, where: float, cut: bool, byte: int
) -> None:
    content = bytearray(saved.read_bytes())
    at = int(where * (len(content) - 1))
    if cut:
        content = content[:at]
    else:
        content[at] = byte
    path = saved.with_name("damaged.safetensors")
    path.write_bytes(bytes(content))
    try:
        loaded = load(path)
    except ModelFileError:
        return
    assert not cut
    assert loaded.decode([0, 0, 1], [0, 0, 1]).shape == (12, 16, 3)
