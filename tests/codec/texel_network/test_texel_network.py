"""The codecs that ask a network for every texel, on small made-up surfaces."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit, load
from napari_btf.codec.choice import plan
from napari_btf.codec.fitting import checks
from napari_btf.codec.fitting.settings import MEMORY
from napari_btf.codec.texel_network.autoencoder import Autoencoder
from napari_btf.codec.texel_network.model import (
    AbrdfConvBTF,
    MlpBTF,
    TexelNetworkBTF,
    direction_inputs,
)
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import ModelFileError, UsageError
from napari_btf.evaluate import psnr, psnr_over
from napari_btf.progress import Progress, finish
from napari_btf.relighting import outside, relight

Make = Callable[..., BTF]
CODECS = ("abrdf-conv", "mlp")


def quick(codec: str, latents: int | None = None, **network: Any) -> FitSettings:
    return FitSettings(latents, NetworkSettings(**({"epochs": 40} | network)), codec=codec)


def trained(btf: BTF, codec: str, latents: int | None = None, **network: Any) -> TexelNetworkBTF:
    model = finish(fit(btf, settings=quick(codec, latents, **network)))
    assert isinstance(model, TexelNetworkBTF)
    return model


def mean_psnr(btf: BTF) -> float:
    """Of every texel's mean colour."""
    values = btf.frames / btf.values.largest
    return psnr(np.broadcast_to(values.mean(axis=0), values.shape), values)


@pytest.mark.parametrize(("codec", "latents"), [("abrdf-conv", 8), ("mlp", 9)])
def test_it_learns_the_surface(make_btf: Make, codec: str, latents: int) -> None:
    btf = make_btf(views=1, lights=20, height=16)
    reports: list[Progress] = []
    model = finish(fit(btf, settings=quick(codec)), reports.append)
    assert (model.architecture, model.latent_count, model.channels) == (codec, latents, 3)
    assert {report.phase for report in reports} == {"read", "train", "encode"}
    error = next(report for report in reversed(reports) if report.phase == "train")
    assert error.train_error is not None
    assert error.validation_error is not None
    reached = finish(psnr_over(model, btf))
    assert reached > mean_psnr(btf) + 6
    # It was measured on texels that were held out.
    assert reached > -10 * np.log10(error.validation_error) - 1


def test_sizes_as_published(make_btf: Make) -> None:
    btf = make_btf(views=1, lights=20)
    conv, mlp = (trained(btf, codec, epochs=1) for codec in CODECS)
    assert isinstance(conv, AbrdfConvBTF)
    units = [(106, 10), (106, 106), (106, 106), (106, 106), (3, 106)]
    assert [weight.shape for weight in conv.layers.weights] == units
    assert conv.latent_bytes == 32 * 12 * 16
    assert isinstance(mlp, MlpBTF)
    assert [weight.shape for weight in mlp.layers.weights] == [(50, 11), (50, 50), (3, 50)]
    assert 0 < mlp.latent_bytes < 9 * 12 * 16 + 300
    for model in (conv, mlp):
        assert (
            0
            < model.file_size - model.latent_bytes
            < 4.2 * sum(part.size for part in (*model.layers.weights, *model.layers.biases)) + 3000
        )


def test_both_directions_are_told_where_the_view_varies(make_btf: Make) -> None:
    btf = make_btf(views=5, lights=12, height=16)
    model = trained(btf, "mlp", epochs=20)
    assert model.coordinates == 4
    light = angles_to_vectors(30, 40)
    frontal, tilted = (model.decode(light, angles_to_vectors(theta, 0)) for theta in (0, 20))
    assert np.abs(frontal - tilted).max() > 0.01
    one_view = btf.select(np.flatnonzero(btf.view[:, 2] > 0.999))
    model = trained(one_view, "mlp", epochs=1)
    assert model.coordinates == 2
    frontal, tilted = (model.decode(light, angles_to_vectors(theta, 0)) for theta in (0, 20))
    np.testing.assert_array_equal(frontal, tilted)
    assert outside(model, (30, 40), (20, 0)) is not None


@pytest.mark.parametrize("convolution", [True, False])
def test_decoding_gives_what_was_trained(make_btf: Make, convolution: bool) -> None:
    btf = make_btf(views=3, lights=10)
    abrdfs = btf.frames.transpose(1, 2, 0, 3).reshape(-1, 30, 3).astype(np.float32) / 255
    disks = direction_inputs(btf.light, btf.view, 4)
    learner = Autoencoder(abrdfs, disks, convolution, 5, (20, 20, 20), "cpu", seed=4)
    latents = learner.encode(abrdfs).reshape(12, 16, 5)
    common: Any = {"light": btf.light, "view": btf.view, "dtype": np.dtype(np.uint8)}
    model = AbrdfConvBTF(layers=learner.layers(), latents=latents, **common)
    images = np.stack(list(model.shaded(btf.light, btf.view)))
    everything = np.arange(192), np.tile(np.arange(30), (192, 1))
    assert np.ptp(images) > 0.1
    assert np.mean((images - btf.frames / 255) ** 2) == pytest.approx(
        learner.validate(*everything), rel=1e-4
    )


@pytest.mark.parametrize("codec", CODECS)
def test_the_encoder_encodes_other_texels(
    make_btf: Make, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    btf = make_btf(views=1, lights=20, height=24)
    coords = np.argwhere(np.indices((24, 16))[0] < 16)
    model = finish(fit(btf, coords, quick(codec)))
    images = np.stack(list(model.shaded(btf.light, btf.view)))[:, 16:]
    other = replace(btf, frames=btf.frames[:, 16:])
    assert psnr(images, other.frames / 255) > mean_psnr(other) + 4
    # In blocks of a few texels it comes out the same.
    monkeypatch.setattr(checks, "GATHERED_BYTES", MEMORY // (260 * 60))
    again = finish(fit(btf, coords, quick(codec)))
    apart = np.abs(again.latent_map - model.latent_map)
    # Rounding may move a latent across the border of two levels.
    assert apart.max() < 1.5 * np.ptp(model.latent_map, axis=(0, 1)).max() / 255
    assert np.mean(apart > 1e-4) < 0.01


@pytest.mark.parametrize("codec", CODECS)
def test_seeds_repeat(make_btf: Make, codec: str) -> None:
    btf = make_btf(views=1, lights=10)
    a, b, c = (trained(btf, codec, epochs=2, seed=seed).latent_map for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("codec", CODECS)
def test_a_divergence_goes_back_to_the_best(
    make_btf: Make, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_btf.codec.texel_network.steps._RATE", 1e30)
    monkeypatch.setattr("napari_btf.codec.fitting.loop.REPORT_SECONDS", 0.0)
    btf, reports = make_btf(lights=20), []
    model = finish(fit(btf, settings=quick(codec, epochs=10)), reports.append)
    assert "train slower" in {report.phase for report in reports}
    assert np.isfinite(reports[-1].train_error or 0.0)
    assert np.isfinite(model.decode(btf.light[0], btf.view[0])).all()
    assert finish(psnr_over(model, btf)) > 5


@pytest.mark.parametrize("codec", CODECS)
def test_stopping_keeps_what_there_is(make_btf: Make, codec: str) -> None:
    btf = make_btf(views=1, lights=10)
    asked = iter(range(1000))
    job = fit(btf, None, quick(codec, epochs=10**6), stop=lambda: next(asked) > 20)
    model = finish(job)
    assert np.isfinite(model.decode(btf.light[0], btf.view[0])).all()
    short = finish(fit(btf, None, quick(codec, epochs=None, seconds=0.01)))
    assert short.latent_map.shape == model.latent_map.shape


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("dtype", "channels"), [(np.float32, 1), (np.uint16, 5), (np.float16, 3)])
def test_saved_and_loaded_it_is_the_same(
    make_btf: Make, tmp_path: Path, codec: str, dtype: type, channels: int
) -> None:
    btf = make_btf(views=2, lights=10, channels=channels, dtype=np.uint16)
    if np.dtype(dtype).kind == "f":
        btf = replace(btf, frames=(btf.frames / 30000).astype(dtype))
    model = trained(btf, codec, latents=4, epochs=2)
    again = load(model.save(tmp_path / "model.safetensors"))
    assert type(again) is type(model)
    assert (again.dtype, again.channels, again.source) == (np.dtype(dtype), channels, "here")
    between = angles_to_vectors(33, 71), angles_to_vectors(9, 50)
    np.testing.assert_array_equal(again.decode(*between), model.decode(*between))
    assert relight(again, (80, 10)).shape == (12, 16, channels)
    assert model.file_size == (tmp_path / "model.safetensors").stat().st_size


def test_auto_takes_neither(make_btf: Make) -> None:
    few, many = make_btf(views=3, lights=100), make_btf(views=20, lights=13, height=6, width=6)
    assert {plan(btf, FitSettings()).codec.name for btf in (few, many)}.isdisjoint(CODECS)


@pytest.mark.parametrize(
    ("codec", "wrong", "problem"),
    [
        (
            "abrdf-conv",
            {"bytes_per_texel": 8.0},
            "abrdf-conv codec is made for a number of latents",
        ),
        ("mlp", {"target_psnr": 30.0}, "mlp codec is made for a number of"),
        ("abrdf-conv", {"latents": 0}, "0 latents were asked for; use 1 to 256"),
        ("mlp", {"latents": 40}, "40 latents were asked for; use 1 to 30"),
        ("mlp", {"network": NetworkSettings(epochs=0)}, "0 epochs"),
    ],
)
def test_what_they_cannot_do(
    make_btf: Make, codec: str, wrong: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        finish(fit(make_btf(views=1, lights=10), settings=FitSettings(codec=codec, **wrong)))


@pytest.mark.parametrize("codec", CODECS)
def test_too_little_to_learn_from(make_btf: Make, codec: str) -> None:
    with pytest.raises(UsageError, match="needs 2 observations"):
        finish(fit(make_btf(views=1, lights=1), settings=quick(codec, 1)))
    with pytest.raises(UsageError, match="no texels are chosen"):
        finish(fit(make_btf(), np.zeros((0, 2), int), quick(codec, 1)))
    for count in (2, 3):
        model = finish(fit(make_btf(), np.zeros((count, 2), int), quick(codec, 1, epochs=1)))
        assert np.isfinite(model.latent_map).all()


@pytest.fixture(scope="module", params=CODECS)
def content(request: pytest.FixtureRequest) -> bytes:
    """Of a small model file of each codec."""
    light = angles_to_vectors(np.linspace(0, 70, 12), np.linspace(0, 600, 12))
    frames = np.random.default_rng(0).integers(0, 256, (12, 6, 7, 3)).astype(np.uint8)
    btf = BTF(frames, light, light[::-1] * (1, 1, 1), source="here")
    return trained(btf, request.param, 3, epochs=1).to_bytes()


def decodes_or_is_refused(path: Path) -> bool:
    try:
        model = load(path)
    except ModelFileError:
        return False
    for light, view in ((0, 0), (0, 0)), ((40, 200), (13, 100)), ((-90, 3), (90, 1)):
        assert np.isfinite(relight(model, light, view)).all()
    return model.file_size > 0


damage = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@damage
@given(where=st.floats(0, 1), early=st.booleans(), cut=st.booleans(), byte=st.integers(0, 255))
def test_damaged_files_are_refused_or_harmless(
    content: bytes, tmp_path: Path, where: float, early: bool, cut: bool, byte: int
) -> None:
    damaged = bytearray(content)
    at = int(where * ((2500 if early else len(content)) - 1))
    if cut:
        damaged = damaged[:at]
    else:
        damaged[at] = byte
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(bytes(damaged))
    assert not (decodes_or_is_refused(path) and cut)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"coordinates": 3}, "coordinates is neither 2 nor 4"),
        ({"coordinates": 2}, "does not fit its description"),
        ({"decoder_layers": 0}, "decoder_layers is 0"),
        ({"decoder_layers": 2}, "does not fit its description"),
        ({"latents": 4}, "does not fit its description"),
        ({"architecture": "parallax"}, "description is not complete or wrong"),
    ],
)
def test_files_that_contradict_themselves(
    content: bytes, tmp_path: Path, changes: dict[str, object], problem: str
) -> None:
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    description = json.loads(table["__metadata__"]["napari-btf"]) | changes
    table["__metadata__"]["napari-btf"] = json.dumps(description)
    header = json.dumps(table).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    with pytest.raises(ModelFileError, match=problem):
        load(path)


def test_weights_no_training_gives(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    tensors = load_file(path)
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    for name in ("decoder_0_weight", "decoder_1_weight"):
        tensors[name] = np.full(tensors[name].shape, 1e17, np.float32)
    save_file(tensors, path, metadata)
    with pytest.raises(ModelFileError, match="the network gives colours of any size"):
        load(path)
