"""The parallax codec on made-up surfaces whose shifts are known."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.decomposition import PCA

from napari_btf.btf import BTF
from napari_btf.codec import load
from napari_btf.codec.parallax import fit as parallax_training
from napari_btf.codec.parallax import steps as parallax_steps
from napari_btf.codec.parallax.batches import hold_out, is_periodic, load_pool
from napari_btf.codec.parallax.fit import fit_parallax
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.codec.parallax.settings import ParallaxSettings
from napari_btf.codec.parallax.storage import expected
from napari_btf.codec.parallax.surface import Surface
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import ModelFileError, UsageError
from napari_btf.evaluate import psnr, psnr_over
from napari_btf.progress import Progress, finish

SIZE, DEPTH = 24, 1.5
SMALL = ParallaxSettings(latents=6, depth_latents=4, light_latents=0, hidden=32, steps=20)


def texture() -> np.ndarray:
    """A periodic cloudy picture in 0..1, shape (SIZE, SIZE, 3), of 45 frequencies."""
    noise = np.random.default_rng(1).normal(size=(SIZE, SIZE, 3))
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)) * SIZE
    waves = np.fft.fft2(noise, axes=(0, 1)) * (frequency < 5)[..., None]
    picture = np.fft.ifft2(waves, axes=(0, 1)).real
    return np.clip(0.5 + 0.2 * picture / picture.std(), 0, 1)


def deep_plane(lights: int = 1, dtype: type = np.uint8, channels: int = 3) -> BTF:
    """The picture on a plane below the reference plane, seen from 25 views.

    A view ray through (x, y) of the reference plane goes on down, away from the viewer: it meets
    the picture at ``x - depth * tan(theta) cos(phi)``, and rows count downwards.
    """
    phi = np.arange(8) * 45.0
    theta = np.concatenate([[0.0], np.repeat([15.0, 30.0, 45.0], 8)])
    view = angles_to_vectors(theta, np.concatenate([[0.0], phi, phi + 15, phi + 30]))
    light = angles_to_vectors(15.0 * np.arange(lights), 90.0 * np.arange(lights))
    view, light = np.repeat(view, lights, axis=0), np.tile(light, (len(view), 1))
    spectrum = np.fft.fft2(texture()[..., :channels], axes=(0, 1))
    frequency = np.fft.fftfreq(SIZE)
    frames = []
    for v, cosine in zip(view, light[:, 2], strict=True):
        right, down = -DEPTH * v[0] / v[2], DEPTH * v[1] / v[2]
        turn = np.exp(2j * np.pi * (frequency[:, None] * down + frequency * right))
        shifted = np.fft.ifft2(spectrum * turn[..., None], axes=(0, 1)).real
        frames.append(np.clip(shifted, 0, 1) * cosine)
    values = np.stack(frames)
    if np.dtype(dtype).kind == "u":
        values = np.rint(values * np.iinfo(dtype).max)
    return BTF(values.astype(dtype), light, view, source="made/here")


def random_model(periodic: bool = True, light_latents: int = 3) -> ParallaxBTF:
    """A model that was not trained: large latents, so that everything moves."""
    btf = deep_plane(lights=3)
    surface = Surface(btf, 5, 4, light_latents, 16, periodic, "cpu", seed=3)
    for part in surface.latents:
        part.detach().mul_(20.0)
    return surface.model()


@pytest.fixture(scope="module")
def plane() -> BTF:
    return deep_plane()


@pytest.fixture(scope="module")
def learned(plane: BTF) -> ParallaxBTF:
    return finish(fit_parallax(plane, settings=replace(SMALL, steps=200)))


def test_parallax_is_learned_better_than_by_pca(plane: BTF, learned: ParallaxBTF) -> None:
    values = plane.frames / 255.0
    abrdfs = values.transpose(1, 2, 0, 3).reshape(SIZE * SIZE, -1)
    pca = PCA(learned.latent_count).fit(abrdfs)
    linear = psnr(pca.inverse_transform(pca.transform(abrdfs)), abrdfs)
    decoded = np.stack(list(learned.shaded(plane.light, plane.view)))
    assert psnr(np.clip(decoded, 0, 1), values) > linear + 6.0


def test_a_quality_is_reached_with_the_smallest_file(plane: BTF, learned: ParallaxBTF) -> None:
    best, sizes = finish(psnr_over(learned, plane)), []
    settings = replace(SMALL, steps=200)
    for target in (best - 0.5, best - 4.0):
        model = finish(fit_parallax(plane, settings=replace(settings, target_psnr=target)))
        sizes.append(model.file_size)
        assert target <= finish(psnr_over(model, plane)) < target + 4.0
    assert sizes[1] < sizes[0] < learned.file_size
    unreached = finish(fit_parallax(plane, settings=replace(settings, target_psnr=best + 1.0)))
    assert unreached.file_size == learned.file_size


def test_the_depth_map_has_sign_and_size(learned: ParallaxBTF) -> None:
    depth = learned.depth_map()
    assert depth.shape == (SIZE, SIZE)
    assert np.median(depth) == pytest.approx(DEPTH, abs=0.2)


def test_no_torch_before_it_trains() -> None:
    """Nor ever its compiler, which takes a second to import."""
    code = """
import sys
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.codec.parallax import fit as _, model, steps, storage, surface
from napari_btf.progress import finish
from napari_btf.samples import open_sample
before = "torch" in sys.modules
sample = open_sample().select(range(7))
finish(fit(sample, [[0, 0]], FitSettings(4, NetworkSettings(epochs=1), codec="parallax")))
print(before, "torch" in sys.modules, "torch._dynamo" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True", "False"]


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("light_latents", [0, 3])
def test_numpy_decodes_what_torch_trained(periodic: bool, light_latents: int) -> None:
    """With the quantised latents and weights put back into torch."""
    model = random_model(periodic, light_latents)
    btf = BTF(np.zeros((3, SIZE, SIZE, 3), np.uint8), model.light[20:23], model.view[20:23])
    surface = Surface(btf, 5, 4, light_latents, 16, periodic, "cpu", seed=0)
    ends = [4, model.latent_count - light_latents]
    parts = np.split(model.latent_map.reshape(SIZE * SIZE, -1), ends, axis=1)
    tensors = [torch.from_numpy(part.copy()) for part in parts if part.shape[1]]
    for name in surface.networks:
        network = getattr(model, name.split("_")[0])
        layers = network.modulation if "modulation" in name else network.layers
        for weight, bias in zip(layers.weights, layers.biases, strict=True):
            tensors += [torch.from_numpy(weight), torch.from_numpy(bias)]
    for parameter, tensor in zip(surface.parameters, tensors, strict=True):
        parameter.detach().copy_(tensor)
    texels = torch.arange(SIZE * SIZE).expand(3, -1)
    with torch.no_grad():
        theirs = surface.colours(torch.arange(3), texels).numpy().reshape(3, SIZE, SIZE, 3)
    ours = np.stack(list(model.shaded(btf.light, btf.view)))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.ptp(ours) > 0.1


def test_decoding_is_deterministic_whatever_was_decoded_before() -> None:
    model = random_model()
    first = model.decode(model.light[5], model.view[5])
    for i in (0, 40, 41):
        model.decode(model.light[i], model.view[i])
    np.testing.assert_array_equal(model.decode(model.light[5], model.view[5]), first)
    fresh = random_model()
    np.testing.assert_array_equal(fresh.decode(model.light[5], model.view[5]), first)


def test_periodic_surfaces_can_be_tiled() -> None:
    """Two by two tiles give the same image four times; at clamped borders they do not."""
    for periodic in (True, False):
        model = random_model(periodic)
        tiled = replace(model.latents, codes=np.tile(model.latents.codes, (2, 2, 1)))
        one = model.decode(model.light[40], model.view[40])
        four = replace(model, latents=tiled).decode(model.light[40], model.view[40])
        assert (np.abs(four - np.tile(one, (2, 2, 1))).max() < 1e-3) == periodic


def test_directions_beyond_the_captured_ones_show_the_edge() -> None:
    model = random_model()
    edge, beyond = angles_to_vectors([45.0, 80.0], [30.0, 30.0])
    light = model.light[0]
    np.testing.assert_allclose(model.decode(light, beyond), model.decode(light, edge), atol=1e-4)


@pytest.mark.parametrize("light_latents", [0, 3])
def test_saved_and_loaded_it_is_the_same(light_latents: int, tmp_path: Path) -> None:
    model = random_model(light_latents=light_latents)
    again = load(model.save(tmp_path / "model.safetensors"))
    assert isinstance(again, ParallaxBTF)
    for i in (0, 33):
        np.testing.assert_array_equal(
            again.decode(model.light[i], model.view[i]), model.decode(model.light[i], model.view[i])
        )
    np.testing.assert_allclose(again.light, model.light, atol=1e-6)
    np.testing.assert_allclose(again.view, model.view, atol=1e-6)
    assert (again.dtype, again.source, again.periodic) == (model.dtype, "here", True)


def test_pairs_that_are_no_grid_are_kept(tmp_path: Path) -> None:
    model = random_model()
    some = replace(model, light=model.light[:-4], view=model.view[:-4])
    path = some.save(tmp_path / "model.safetensors")
    assert len(load(path).light) == len(model.light) - 4
    tensors = load_file(path)
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    tensors["pairs"][3] = 200
    save_file(tensors, path, metadata)
    with pytest.raises(ModelFileError, match="a pair names directions that are not there"):
        load(path)


def test_files_that_contradict_themselves_are_noticed() -> None:
    description, tensors = random_model().pack()
    description |= {"height": SIZE, "width": SIZE, "channels": 3}
    description["latents"] = len(tensors["latent_scale"])
    shapes = {name: values.shape for name, values in tensors.items()}
    assert {name: shape for name, (shape, _) in expected(description, shapes).items()} == shapes
    for key, value in (("depth_latents", 12), ("shade_layers", 99), ("periodic", 1)):
        with pytest.raises((ValueError, KeyError)):
            expected({**description, key: value}, shapes)
    shapes["shade_1_weight"] = (16, 99)
    assert {name: shape for name, (shape, _) in expected(description, shapes).items()} != shapes


@pytest.mark.parametrize(("dtype", "channels"), [(np.float32, 1), (np.uint16, 1), (np.float16, 3)])
def test_other_values_and_channels(dtype: type, channels: int) -> None:
    btf = deep_plane(dtype=dtype, channels=channels)
    model = finish(fit_parallax(btf, settings=replace(SMALL, steps=120)))
    image = model.values.store(model.decode(btf.light[3], btf.view[3]))
    assert image.shape == (SIZE, SIZE, channels)
    assert image.dtype == dtype
    largest = btf.values.largest
    assert psnr(image / largest, btf.frame(3) / largest) > psnr(
        np.broadcast_to(btf.frames.mean(axis=(0, 1, 2)) / largest, image.shape),
        btf.frame(3) / largest,
    )


def test_seeds_repeat(plane: BTF) -> None:
    a, b, c = (
        finish(fit_parallax(plane, settings=replace(SMALL, seed=seed))).pack()[1]
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not np.array_equal(a["latent_streams"], c["latent_streams"])


def test_latents_are_as_fine_as_the_file_may_hold(plane: BTF, tmp_path: Path) -> None:
    sizes = {}
    for most_bytes in (None, 33_500, 32_000):
        model = finish(fit_parallax(plane, settings=replace(SMALL, most_bytes=most_bytes)))
        sizes[most_bytes] = model.save(tmp_path / "model.safetensors").stat().st_size
        assert sizes[most_bytes] == model.file_size
        again = load(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(again.latent_map, model.latent_map)
    assert sizes[None] > 33_500 >= sizes[33_500] > 32_000 >= sizes[32_000]
    with pytest.raises(UsageError, match="bytes at least"):
        finish(fit_parallax(plane, settings=replace(SMALL, most_bytes=1000)))


def test_damaged_latents_are_refused(tmp_path: Path) -> None:
    path = random_model().save(tmp_path / "model.safetensors")
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    for name, damage in (
        ("latent_streams", lambda values: np.roll(values, 7)),
        ("latent_lengths", lambda values: values - 1),
    ):
        tensors = load_file(path)
        damaged = tmp_path / "damaged.safetensors"
        save_file({**tensors, name: damage(tensors[name])}, damaged, metadata)
        with pytest.raises(ModelFileError, match="it is damaged"):
            load(damaged)


def test_stopping_keeps_what_there_is(plane: BTF) -> None:
    asked = iter(range(1000))
    reports: list[Progress] = []
    settings = replace(SMALL, steps=10_000_000)
    model = finish(
        fit_parallax(plane, settings=settings, stop=lambda: next(asked) > 20), reports.append
    )
    assert np.isfinite(model.decode(plane.light[0], plane.view[0])).all()
    assert reports[-1].step == reports[-1].total
    assert reports[-1].validation_error is not None


def test_texels_that_were_not_chosen_are_encoded_too(plane: BTF) -> None:
    coords = np.argwhere(np.indices((SIZE, SIZE))[1] < SIZE // 2)
    phases: list[Progress] = []
    settings = replace(SMALL, steps=250)
    model = finish(fit_parallax(plane, coords, settings), phases.append)
    assert {"train", "encode"} <= {report.phase for report in phases}
    decoded = np.stack(list(model.shaded(plane.light, plane.view)))[:, :, SIZE // 2 :]
    captured = plane.frames[:, :, SIZE // 2 :] / 255.0
    assert psnr(decoded, captured) > psnr(np.full_like(captured, captured.mean()), captured) + 3


def test_one_view_or_one_light_needs_no_look_up(tmp_path: Path) -> None:
    btf = deep_plane(lights=3)
    one_view, one_light = btf.select(range(3)), btf.select(range(0, len(btf), 3))
    settings = replace(SMALL, light_latents=2)
    model = finish(fit_parallax(one_view, settings=settings))
    assert (model.depth_latents, model.light_latents, model.fixed_view) == (0, 2, True)
    assert not model.depth_map().any()
    model = finish(fit_parallax(one_light, settings=settings))
    assert (model.depth_latents, model.light_latents) == (4, 0)
    again = load(model.save(tmp_path / "model.safetensors"))
    assert again.latent_count == model.latent_count


def test_captures_larger_than_the_memory_for_them(plane: BTF) -> None:
    limit = 5 * plane.frame(0).nbytes
    pool = finish(load_pool(plane, np.arange(len(plane)), 0, limit))
    assert (pool.size, pool.is_whole) == (5, False)
    seen = set(pool.observation)
    for _ in range(40):
        pool.renew()
        seen |= set(pool.observation)
    assert seen == set(range(len(plane)))
    places, texels = np.arange(5), np.full((5, 1), 7)
    np.testing.assert_allclose(
        pool.values(places, texels)[:, 0], plane.frames[pool.observation, 0, 7] / 255.0, rtol=1e-6
    )
    settings = replace(SMALL, pool_bytes=limit)
    assert finish(fit_parallax(plane, settings=settings)).latent_count == 10


def test_a_stop_still_encodes_the_texels_that_were_not_chosen(
    plane: BTF, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallax_training, "_LAST_SECONDS", 1.5)
    monkeypatch.setattr("napari_btf.codec.fitting.loop.REPORT_SECONDS", 0.0)
    coords = np.argwhere(np.ones((SIZE, SIZE // 2)))
    trained: list[Progress] = []
    settings = replace(SMALL, steps=2000)
    model = finish(
        fit_parallax(plane, coords, settings, lambda: len(trained) > 150), trained.append
    )
    rest = np.index_exp[:, :, SIZE // 2 :]
    decoded = np.stack(list(model.shaded(plane.light, plane.view)))[rest]
    values = (plane.frames / 255.0)[rest]
    one_colour = np.broadcast_to(values.mean(axis=(1, 2), keepdims=True), values.shape)
    assert psnr(np.clip(decoded, 0, 1), values) > psnr(one_colour, values) + 2.0


def test_several_threads_may_decode_one_model() -> None:
    model = random_model()
    pairs = range(0, 75, 5)
    alone = [model.decode(model.light[i], model.view[i]) for i in pairs]
    for _ in range(5):
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda i: model.decode(model.light[i], model.view[i]), pairs))
        np.testing.assert_array_equal(together, alone)


def test_a_divergence_goes_back_to_the_best(plane: BTF, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallax_steps, "_WEIGHT_RATE", 1e6)
    reports: list[Progress] = []
    model = finish(fit_parallax(plane, settings=SMALL), reports.append)
    assert any(report.phase == "train slower" for report in reports)
    assert np.isfinite(model.decode(plane.light[0], plane.view[0])).all()


def test_whether_the_borders_meet_is_seen() -> None:
    btf = deep_plane()
    for cut, meets in ((SIZE, True), (SIZE - 5, False)):
        part = replace(btf, frames=btf.frames[:, :, :cut])
        pool = finish(load_pool(part, np.arange(len(part)), seed=0))
        assert is_periodic(pool) == meets


def test_what_is_held_out_is_not_trained_on() -> None:
    used, held = hold_out(200, seed=0)
    assert len(held) == 3
    assert not set(used) & set(held)
    assert set(used) | set(held) == set(range(200))
    used, held = hold_out(3, seed=0)
    assert list(used) == list(held) == [0, 1, 2]


@pytest.mark.parametrize(
    "wrong", [{"latents": 0}, {"steps": 0}, {"seconds": -1.0}, {"hidden": 0}, {"seed": -1}]
)
def test_settings_that_cannot_be_are_refused(plane: BTF, wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        finish(fit_parallax(plane, settings=replace(SMALL, **wrong)))
