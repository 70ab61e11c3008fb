"""A model costs what it may, and is as good as was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.errors import UsageError
from napari_btf.evaluate import psnr_over
from napari_btf.formats import read
from napari_btf.progress import finish
from napari_btf.samples import open_sample

Make = Callable[..., BTF]
NETWORK = NetworkSettings(seconds=0.2)


@pytest.mark.parametrize(
    ("bytes_per_texel", "least"), [(4.0, 34.8), (8.0, 36.2), (16.0, 39.4), (32.0, 42.6)]
)
def test_wallpaper_by_bytes(wallpaper: Path, bytes_per_texel: float, least: float) -> None:
    whole = read(wallpaper).in_memory()
    btf = replace(whole, frames=whole.frames[:, 64:192, 64:192].copy())
    settings = FitSettings(network=NETWORK, bytes_per_texel=bytes_per_texel)
    model = finish(fit(btf, settings=settings))
    limit = bytes_per_texel * 128 * 128 + 65536
    assert 0.95 * limit < model.file_size <= limit
    assert finish(psnr_over(model, btf)) > least


def frontal() -> BTF:
    """The sample from one view: 81 lights, 64 x 64."""
    btf = open_sample()
    return btf.select(btf.view[:, 2] > 0.999).in_memory()


@pytest.mark.parametrize("target", [20.0, 30.0, 38.0])
def test_the_sample_by_quality(target: float) -> None:
    btf = frontal()
    settings = FitSettings(network=NETWORK, target_psnr=target)
    model = finish(fit(btf, settings=settings))
    reached = finish(psnr_over(model, btf))
    assert target <= reached < target + 1.0


def test_a_better_model_is_larger() -> None:
    btf = frontal()
    models = [
        finish(fit(btf, settings=FitSettings(network=NETWORK, bytes_per_texel=size)))
        for size in (1, 8, 30)
    ]
    sizes = [model.file_size for model in models]
    scores = [finish(psnr_over(model, btf)) for model in models]
    assert sizes == sorted(sizes)
    assert scores == sorted(scores)
    assert scores[-1] > scores[0] + 3


@pytest.mark.parametrize("size", [64, 128, 1000])
def test_more_bytes_than_can_be_used_do_no_harm(size: float) -> None:
    btf = frontal()
    some, many = (
        finish(fit(btf, settings=FitSettings(network=NETWORK, bytes_per_texel=allowed)))
        for allowed in (30, size)
    )
    assert some.file_size < many.file_size <= size * 64 * 64 + 65536
    assert finish(psnr_over(many, btf)) > finish(psnr_over(some, btf))


@pytest.mark.parametrize("lights", [1, 2, 4, 9, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_few_lights_are_met_closely(make_btf: Make, lights: int, channels: int) -> None:
    """Eight bytes per texel are a lot for them, if not as many as they have."""
    btf = make_btf(lights=lights, height=64, width=64, channels=channels)
    model = finish(fit(btf, settings=FitSettings(network=NETWORK)))
    assert model.file_size <= 8 * 64 * 64 + 65536
    assert finish(psnr_over(model, btf)) > 50


def test_noise_takes_what_is_allowed() -> None:
    """Nothing about it can be foreseen, so each texel costs all it may."""
    sample = frontal().select(np.arange(81) < 12)
    frames = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3)).astype(np.uint8)
    btf = BTF(frames, sample.light, sample.view)
    scores = []
    for allowed in (8, 30):
        settings = FitSettings(network=NETWORK, bytes_per_texel=allowed)
        model = finish(fit(btf, settings=settings))
        limit = allowed * 64 * 64 + 65536
        assert 0.9 * limit < model.file_size <= limit
        scores.append(finish(psnr_over(model, btf)))
    assert scores[0] > 14
    assert scores[1] > scores[0] + 4


def test_eight_bytes_are_the_default(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    given = finish(fit(btf, settings=FitSettings(network=NETWORK, bytes_per_texel=8)))
    default = finish(fit(btf, settings=FitSettings(network=NETWORK)))
    np.testing.assert_array_equal(default.latent_map, given.latent_map)
    assert default.file_size <= 8 * 12 * 16 + 65536


def test_black_and_constant_captures(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    for value in (0, 200):
        flat = BTF(np.full_like(btf.frames, value), btf.light, btf.view)
        for settings in (
            FitSettings(network=NETWORK),
            FitSettings(network=NETWORK, target_psnr=50),
            FitSettings(3, NETWORK),
        ):
            model = finish(fit(flat, settings=settings))
            decoded = model.decode(btf.light[3], btf.view[3]) * 255
            np.testing.assert_allclose(decoded, value, atol=0.5)


def test_budgets_that_cannot_be_met(make_btf: Make) -> None:
    btf = make_btf(views=3, lights=10)
    with pytest.raises(UsageError, match="bytes_per_texel and latents exclude each other"):
        finish(fit(btf, settings=FitSettings(4, NETWORK, bytes_per_texel=8)))
    with pytest.raises(UsageError, match="bytes_per_texel is -1; use a number above 0"):
        finish(fit(btf, settings=FitSettings(network=NETWORK, bytes_per_texel=-1)))
    with pytest.raises(UsageError, match=r"400 dB need more than \d+ latents, which reach"):
        finish(fit(btf, settings=FitSettings(network=NETWORK, target_psnr=400)))


def test_a_decoder_that_takes_more_than_all(make_btf: Make) -> None:
    """Thousands of pairs of a few texels: the table of one latent alone is larger."""
    many = make_btf(views=20, lights=260, height=3, width=3)
    settings = FitSettings(network=NETWORK, bytes_per_texel=1, codec="neural-basis")
    with pytest.raises(UsageError, match="are less than the decoder takes; allow at least"):
        finish(fit(many, settings=settings))
