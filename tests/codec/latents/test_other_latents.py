"""The decoders of all codecs with other latents than their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_btf.codec import CompressedBTF, load
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import UsageError
from small_models import CODECS, SmallModel

PAIR = angles_to_vectors(30.0, 100.0), angles_to_vectors(10.0, 40.0)


@pytest.fixture(params=CODECS)
def model(request: pytest.FixtureRequest, small_model: SmallModel) -> CompressedBTF:
    return small_model(request.param)


def test_the_same_latents_are_the_same_surface(model: CompressedBTF) -> None:
    same = model.with_latents(model.latent_map)
    assert type(same) is type(model)
    np.testing.assert_allclose(same.decode(*PAIR), model.decode(*PAIR), atol=1e-6)


def test_a_surface_of_another_size(model: CompressedBTF, tmp_path: Path) -> None:
    tiled = model.with_latents(np.tile(model.latent_map, (2, 3, 1)))
    assert (tiled.height, tiled.width) == (24, 48)
    image = tiled.decode(*PAIR)
    assert image.shape == (24, 48, 3)
    if model.architecture != "parallax":
        np.testing.assert_allclose(image, np.tile(model.decode(*PAIR), (2, 3, 1)), atol=1e-6)
    back = load(tiled.save(tmp_path / "tiled.safetensors"))
    np.testing.assert_allclose(back.decode(*PAIR), image, atol=0.02)


@pytest.mark.parametrize("kind", ["float16", "uint8"])
def test_other_latents_that_take_less_memory(model: CompressedBTF, kind: str) -> None:
    random = np.random.default_rng(0)
    shape = (10, 9, model.latent_count)
    latents = model.latent_map[:10, :9] + 0.1 * np.float32(random.normal(0, 1, shape))
    other = model.with_latents(latents)
    if not model.has_small_latents:
        with pytest.raises(UsageError, match="are float32 in memory"):
            other.with_latents_as(kind)
        return
    small = other.with_latents_as(kind)
    error = np.abs(small.decode(*PAIR) - other.decode(*PAIR))
    assert 0 < error.max() < 0.03
    # And others in their place again.
    again = small.with_latents(latents + 1)
    np.testing.assert_allclose(
        again.decode(*PAIR), model.with_latents(latents + 1).decode(*PAIR), atol=0.03
    )


def test_a_row_of_texels(model: CompressedBTF) -> None:
    row = model.of_texels(model.latent_map[3])
    assert (row.height, row.width) == (1, 16)
    if model.architecture != "parallax":
        np.testing.assert_allclose(row.decode(*PAIR)[0], model.decode(*PAIR)[3], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda latents: latents[..., :-1], "are not"),
        (lambda latents: latents[0], "are not"),
        (lambda latents: latents[:0], "are not"),
        (lambda latents: np.where(latents == latents[0, 0], np.nan, latents), "not finite"),
    ],
)
def test_latents_of_another_form(
    model: CompressedBTF, change: Callable[[np.ndarray], np.ndarray], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        model.with_latents(change(model.latent_map))
