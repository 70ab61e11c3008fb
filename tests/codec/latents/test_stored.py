"""Latents in memory as float32, float16 or 8 bits."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit, load
from napari_btf.codec.decoding.part import Part
from napari_btf.codec.parallax.surface import Surface
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import UsageError
from napari_btf.progress import finish

SIZE = 128
LIGHTS = angles_to_vectors(np.linspace(0.0, 60.0, 12), 50.0 * np.arange(12))
VIEWS = angles_to_vectors(np.tile([0.0, 35.0, 50.0], 4), 70.0 * np.arange(12))


def noisy(views: bool) -> BTF:
    """A capture that needs all its latents."""
    frames = np.random.default_rng(0).integers(0, 255, (12, SIZE, SIZE, 3)).astype(np.uint8)
    return BTF(frames, LIGHTS, VIEWS if views else np.tile(VIEWS[0], (12, 1)))


@pytest.fixture(scope="module", params=["neural-basis", "parallax, both", "parallax, one view"])
def model(request: pytest.FixtureRequest) -> CompressedBTF:
    if request.param == "neural-basis":
        return finish(fit(noisy(False), settings=FitSettings(latents=24)))
    both = request.param == "parallax, both"
    surface = Surface(noisy(both), 16, 6 if both else 0, 4, 16, True, "cpu", seed=3)
    for latents in surface.latents:
        latents.detach().mul_(10.0)
    return surface.model()


def images(model: CompressedBTF, part: Part | None = None) -> np.ndarray:
    pairs = [
        ((20.0, 40.0), (30.0, 10.0)),
        ((50.0, 90.0), (30.0, 10.0)),
        ((5.0, 0.0), (45.0, 200.0)),
    ]
    return np.stack(
        [
            model.decode(angles_to_vectors(*light), angles_to_vectors(*view), part)
            for light, view in pairs
        ]
    )


@pytest.mark.parametrize(("kind", "most"), [("float16", 1 / 255), ("uint8", 5 / 255)])
def test_images_stay_what_they_are(model: CompressedBTF, kind: str, most: float) -> None:
    small = model.with_latents_as(kind)
    part = Part.of(SIZE, SIZE, slice(5, 90), slice(7, None), 3)
    exact = images(model)
    np.testing.assert_allclose(images(small), exact, atol=most)
    np.testing.assert_allclose(images(small, part), exact[:, 5:90:3, 7::3], atol=most)
    spread = np.ptp(model.latent_map, axis=(0, 1))
    error = np.abs(small.latent_map - model.latent_map).max(axis=(0, 1))
    assert (error <= spread * {"float16": 1 / 8000, "uint8": 1 / 500}[kind]).all()
    assert small.to_bytes() == model.to_bytes()


def held(path: Path, kind: str) -> int:
    """Bytes that are given back with a model of which a frame was decoded."""
    tracemalloc.start()
    loaded = load(path, kind)
    loaded.decode(LIGHTS[3], VIEWS[3])
    # Not all that was taken: threads that decode keep their arrays.
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    del loaded
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return before - after


def test_memory_is_smaller(model: CompressedBTF, tmp_path: Path) -> None:
    path = model.save(tmp_path / "model.safetensors")
    full, half, least = (held(path, kind) for kind in ("float32", "float16", "uint8"))
    latents = SIZE * SIZE * model.latent_count
    assert full - half > 1.5 * latents
    assert half - least > 0.7 * latents


def test_the_command_line_takes_them(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from napari_btf.cli import app

    model = finish(fit(noisy(False), settings=FitSettings(latents=6)))
    path = model.save(tmp_path / "model.safetensors")
    command = ["relight", str(path), "--light", "30,40", "--out"]
    for kind in ("float32", "uint8"):
        out = tmp_path / f"{kind}.png"
        result = CliRunner().invoke(app, [*command, str(out), "--latents-as", kind])
        assert result.exit_code == 0, result.output
    import imageio.v3 as iio

    a, b = (iio.imread(tmp_path / f"{kind}.png").astype(int) for kind in ("float32", "uint8"))
    assert 0 < np.abs(a - b).max() <= 3


def test_other_types_and_codecs_are_refused(tmp_path: Path) -> None:
    btf = noisy(False)
    model = finish(fit(btf, settings=FitSettings(4, NetworkSettings(epochs=1), codec="mlp")))
    path = model.save(tmp_path / "model.safetensors")
    with pytest.raises(UsageError, match="latents cannot be 'int4' in memory"):
        load(path, "int4")
    with pytest.raises(UsageError, match="codec mlp are float32 in memory"):
        load(path, "uint8")
