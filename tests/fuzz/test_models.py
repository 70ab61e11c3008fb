"""Model files of strangers: loaded and decoded, or refused in one sentence, in bounded memory."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from bounded import bounded_memory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parsers import PARSERS, model_bytes, models, write

from napari_btf.codec import CompressedBTF, load
from napari_btf.codec.decoding.layers import Layers
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import BTFError, ModelFileError

MODELS = PARSERS["models"]
NEURAL_BASIS, HALF, ABRDF_CONV, MLP, PARALLAX = range(5)
Tensors = dict[str, Any]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(number=st.integers(0, 2**32))
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, number: int
) -> None:
    folder = tmp_path_factory.mktemp("model")
    write(MODELS.example(number), folder)
    with bounded_memory():
        try:
            MODELS.open(folder)
        except BTFError as error:
            said = str(error).replace(str(folder), "")
            assert "\n" not in said
            assert len(said) <= 300


def content(which: int) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors (dtype, shape, bytes) and the description of a model."""
    data = models()[which]["model.safetensors"]
    length = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + length])
    description = json.loads(table.pop("__metadata__")["napari-btf"])
    body = data[8 + length :]
    tensors = {
        name: [entry["dtype"], entry["shape"], body[slice(*entry["data_offsets"])]]
        for name, entry in table.items()
    }
    return tensors, description


def put(tensors: Tensors, name: str, values: np.ndarray) -> None:
    kinds = {"u1": "U8", "f2": "F16", "f4": "F32", "i4": "I32", "i8": "I64"}
    tensors[name] = [kinds[values.dtype.str[1:]], list(values.shape), values.tobytes()]


def opened(folder: Path, tensors: Tensors, description: dict[str, Any]) -> None:
    (folder / "model.safetensors").write_bytes(model_bytes(tensors, description))
    with bounded_memory():
        MODELS.open(folder)


def refuses(folder: Path, tensors: Tensors, description: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModelFileError, match=problem):
        opened(folder, tensors, description)


@pytest.mark.parametrize("which", [NEURAL_BASIS, MLP, PARALLAX])
@pytest.mark.parametrize("side", [16_000, 2**20])
def test_a_small_file_holds_no_large_surface(tmp_path: Path, which: int, side: int) -> None:
    tensors, description = content(which)
    dtype = np.uint16 if which == NEURAL_BASIS else np.uint8
    stream = imagecodecs.jpegxl_encode(np.zeros((4000, 4000), dtype), lossless=True, effort=1)
    put(tensors, "latent_streams", np.frombuffer(stream, np.uint8))
    put(tensors, "latent_lengths", np.array([len(stream)]))
    refuses(
        tmp_path,
        tensors,
        description | {"height": side, "width": side},
        r"it claims .* cannot hold",
    )
    # This one is believed until its stream is seen to be of another size.
    refuses(tmp_path, tensors, description | {"height": 2000, "width": 2000}, "a stream is damaged")


def test_a_small_file_holds_no_image_of_many_channels(tmp_path: Path) -> None:
    tensors, description = content(NEURAL_BASIS)
    count = tensors["table"][1][0]
    put(tensors, "table", np.zeros((count, 4, 4000), np.float16))
    claimed = description | {"channels": 4000, "height": 2000, "width": 2000}
    refuses(tmp_path, tensors, claimed, r"4000 channels, which .* cannot hold")


def test_memory_that_is_not_there(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux says how much memory a process may have")
    tensors, description = content(NEURAL_BASIS)
    claimed = description | {"height": 3000, "width": 3000}
    (tmp_path / "model.safetensors").write_bytes(model_bytes(tensors, claimed))
    with bounded_memory(250 << 20), pytest.raises(ModelFileError, match=r"MB are free; end other"):
        load(tmp_path / "model.safetensors")


@pytest.mark.parametrize("which", [ABRDF_CONV, MLP, PARALLAX])
def test_few_directions_are_not_millions_of_pairs(tmp_path: Path, which: int) -> None:
    tensors, description = content(which)
    up = np.tile(np.float32([0, 0, 1]), (4000, 1))
    put(tensors, "lights", up)
    put(tensors, "views", up)
    put(tensors, "pairs", np.zeros((0, 2), np.uint8))
    refuses(tmp_path, tensors, description, "more pairs of directions than any capture has")


@pytest.mark.parametrize("which", range(5))
def test_tensors_without_axes(tmp_path: Path, which: int) -> None:
    tensors, description = content(which)
    for name, (dtype, _, raw) in tensors.items():
        item = {"U8": 1, "F16": 2}.get(dtype, 8 if dtype == "I64" else 4)
        changed = {**tensors, name: [dtype, [], raw[:item].ljust(item, b"\0")]}
        refuses(tmp_path, changed, description, "description is not complete|does not fit its")


@pytest.mark.parametrize("smoothing", [0.0, 1e-3])
@pytest.mark.parametrize("dome", [0.0, 1.0])
def test_directions_may_repeat(tmp_path: Path, smoothing: float, dome: float) -> None:
    tensors, description = content(NEURAL_BASIS)
    count = tensors["table"][1][0]
    said = description | {"smoothing": smoothing, "dome": dome}
    for repeated in (np.zeros(count), np.arange(count) // 2, [0, 4, 3, 2, *[0] * (count - 4)]):
        lights = np.asarray(repeated, np.uint8)
        put(tensors, "pairs", np.stack([np.zeros(count, np.uint8), lights], axis=1))
        opened(tmp_path, tensors, said)


def test_directions_that_almost_repeat(tmp_path: Path) -> None:
    tensors, description = content(NEURAL_BASIS)
    count = tensors["table"][1][0]
    lights = angles_to_vectors(np.full(count, 30.0), np.arange(count) * 1e-4)
    put(tensors, "lights", lights.astype(np.float32))
    put(tensors, "pairs", np.stack([np.zeros(count, np.uint8), np.arange(count)], 1).astype("u1"))
    # Whatever becomes of them: a finite image, or a refusal.
    with suppress(ModelFileError):
        opened(tmp_path, tensors, description | {"smoothing": 0.0})


@pytest.mark.parametrize("value", [2.0, True, None, "1", 1.5])
@pytest.mark.parametrize("key", ["depth_latents", "light_latents"])
def test_counts_are_whole_numbers(tmp_path: Path, key: str, value: object) -> None:
    tensors, description = content(PARALLAX)
    refuses(tmp_path, tensors, description | {key: value}, "description is not complete or wrong")


@pytest.mark.parametrize("network", ["depth", "shift", "shade"])
@pytest.mark.parametrize("modulation", ["", "_modulation"])
def test_weights_whose_products_overflow(tmp_path: Path, network: str, modulation: str) -> None:
    tensors, description = content(PARALLAX)
    for layer in range(2):
        name = f"{network}{modulation}_{layer}_weight"
        put(tensors, name, np.full(tensors[name][1], 1e17, np.float32))
    refuses(tmp_path, tensors, description, "the networks give values of any size")


def test_lengths_whose_sum_overflows(tmp_path: Path) -> None:
    tensors, description = content(MLP)
    length = len(tensors["latent_streams"][2])
    put(tensors, "latent_lengths", np.array([2**62, 2**62, 2**62, 2**62, length]))
    refuses(tmp_path, tensors, description, "the streams have other lengths")


def test_headers_without_end(tmp_path: Path) -> None:
    tensors, description = content(MLP)
    for shape in ([2**47] * 100_000, [10**4000], [2] * 9, {}, "12"):
        tensors["latent_scale"][1] = shape
        refuses(tmp_path, tensors, description, "not complete|does not fit|not a model file")
    tensors, description = content(MLP)
    long = description | {"source": "x" * 10**5}
    (tmp_path / "model.safetensors").write_bytes(model_bytes(tensors, long))
    assert len(load(tmp_path / "model.safetensors").source) < 300


def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no pipes with names here")
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match="it is not a file"):
        load(tmp_path / "model.safetensors")


def with_nan(model: CompressedBTF) -> CompressedBTF:
    """Return what a training that has failed gives."""
    if isinstance(model, ParallaxBTF):
        layers = model.shade.layers
        broken = Layers(
            (layers.weights[0] * np.float32(np.nan), *layers.weights[1:]), layers.biases
        )
        return replace(model, shade=replace(model.shade, layers=broken))
    return replace(model, table=model.table * np.float32(np.nan))  # type: ignore[call-arg]


@pytest.mark.parametrize("which", [NEURAL_BASIS, PARALLAX])
def test_what_cannot_be_loaded_replaces_nothing(tmp_path: Path, which: int) -> None:
    write(models()[which], tmp_path)
    path = tmp_path / "model.safetensors"
    before, model = path.read_bytes(), load(path)
    with pytest.raises(
        ModelFileError, match=r"was not saved.*not numbers; an older file"
    ) as caught:
        with_nan(model).save(path)
    assert len(str(caught.value).replace(str(path), "")) <= 300
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert model.save(path).read_bytes() == before


@pytest.mark.parametrize("which", range(5))
def test_saving_and_loading_gives_the_same(tmp_path: Path, which: int) -> None:
    write(models()[which], tmp_path)
    model = load(tmp_path / "model.safetensors")
    copy = load(model.save(tmp_path / "copy.safetensors"))
    pair = angles_to_vectors(20, 30), angles_to_vectors(10, 200)
    np.testing.assert_array_equal(copy.decode(*pair), model.decode(*pair))
