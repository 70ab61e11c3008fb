"""What latents look like, walks between them, and edited models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_btf.codec import CompressedBTF, load
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import UsageError
from napari_btf.inspection import decode_texels, edited, texel_abrdfs, walk
from small_models import CODECS, SmallModel

LIGHT = angles_to_vectors([0.0, 25.0, 40.0, 55.0], [0.0, 100.0, 200.0, 310.0])
VIEW = angles_to_vectors([0.0, 20.0, 10.0, 0.0], [0.0, 180.0, 40.0, 0.0])


@pytest.fixture(params=CODECS)
def model(request: pytest.FixtureRequest, small_model: SmallModel) -> CompressedBTF:
    return small_model(request.param)


def images(model: CompressedBTF) -> np.ndarray:
    return np.stack([model.decode(*pair) for pair in zip(LIGHT, VIEW, strict=True)])


def some_texels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers((0, 0), (12, 16), (7, 2))


def test_abrdfs_of_texels_are_cut_out_of_images(model: CompressedBTF) -> None:
    yx = some_texels()
    expected = images(model)[:, yx[:, 0], yx[:, 1]].swapaxes(0, 1)
    assert expected.shape == (7, 4, 3)
    np.testing.assert_allclose(texel_abrdfs(model, yx, LIGHT, VIEW), expected, atol=1e-5)


def test_latents_decode_to_what_their_texel_is(model: CompressedBTF) -> None:
    if model.architecture == "parallax":
        # Its rays move along the surface: all around must be as the texel is.
        model = model.with_latents(np.broadcast_to(model.latent_map[4, 7], (12, 16, 12)))
    yx = some_texels(1)
    latents = model.latent_map[tuple(yx.T)]
    expected = images(model)[:, yx[:, 0], yx[:, 1]].swapaxes(0, 1)
    decoded = decode_texels(model, latents, LIGHT, VIEW)
    np.testing.assert_allclose(decoded, expected, atol=1e-5)
    assert np.ptp(decoded) > 0.05


def test_a_walk_leads_from_one_abrdf_to_another(model: CompressedBTF) -> None:
    start, end = model.latent_map[2, 3], model.latent_map[9, 12]
    way = walk(start, end, 5)
    assert (way.shape, way.dtype) == ((5, model.latent_count), np.float32)
    np.testing.assert_array_equal(way[[0, -1]], [start, end])
    np.testing.assert_allclose(way[2], (start + end) / 2, rtol=1e-5, atol=1e-6)
    decoded = decode_texels(model, way, LIGHT, VIEW)
    ends = decode_texels(model, [start, end], LIGHT, VIEW)
    np.testing.assert_allclose(decoded[[0, -1]], ends, atol=1e-6)
    # It does not jump.
    steps = np.abs(np.diff(decoded, axis=0)).max(axis=(1, 2))
    assert steps.max() <= np.abs(ends[1] - ends[0]).max() + 1e-6
    with pytest.raises(UsageError, match="a walk of 1 steps; use 2 or more"):
        walk(start, end, 1)


def test_a_selection_of_another_surface_is_refused(model: CompressedBTF) -> None:
    mask = np.zeros((16, 12), bool)
    with pytest.raises(UsageError, match=r"shape \(16, 12\), the model 12 x 16"):
        edited(model, mask, np.zeros(model.latent_count))


def moved(model: CompressedBTF) -> tuple[CompressedBTF, np.ndarray, np.ndarray]:
    """A model edited in the lower right, where, and by what."""
    mask = np.zeros((12, 16), bool)
    mask[8:, 10:] = True
    # By the spread of each latent; of parallax not the depth, which would move rays.
    offsets = 2 * model.latent_map.std(axis=(0, 1))
    offsets[: getattr(model, "depth_latents", 0)] = 0
    return edited(model, mask, offsets), mask, offsets


def test_an_edit_changes_what_was_selected_alone(model: CompressedBTF) -> None:
    before, file = images(model), model.to_bytes()
    latents = model.latent_map.copy()
    other, mask, offsets = moved(model)
    assert type(other) is type(model)
    np.testing.assert_allclose(other.latent_map[mask], latents[mask] + offsets, rtol=1e-6)
    np.testing.assert_array_equal(other.latent_map[~mask], latents[~mask])
    after = images(other)
    if model.architecture == "parallax":
        # Its rays may land on what was moved, a few texels away, also across the border.
        np.testing.assert_allclose(after[:, :, 3:7], before[:, :, 3:7], atol=1e-3)
    else:
        np.testing.assert_array_equal(after[:, ~mask], before[:, ~mask])
    assert np.abs(after - before)[:, mask].max() > 0.02
    # The other one is what it was, in memory and as a file.
    np.testing.assert_array_equal(model.latent_map, latents)
    np.testing.assert_array_equal(images(model), before)
    assert model.to_bytes() == file


def test_an_edited_model_may_be_saved(model: CompressedBTF, tmp_path: Path) -> None:
    other, _, _ = moved(model)
    back = load(other.save(tmp_path / "edited.safetensors"))
    assert type(back) is type(model)
    # A file may round latents to 8 bits over their range, which is three times as wide.
    np.testing.assert_allclose(images(back), images(other), atol=0.03)
    assert np.abs(images(back) - images(model)).max() > 0.02


def test_no_edit_is_the_same_model(model: CompressedBTF) -> None:
    other = edited(model, np.ones((12, 16), bool), np.zeros(model.latent_count))
    np.testing.assert_allclose(images(other), images(model), atol=1e-6)


@pytest.mark.parametrize("offsets", [np.nan, np.inf])
def test_an_edit_that_is_none(model: CompressedBTF, offsets: Any) -> None:
    with pytest.raises(ValueError, match="not finite"):
        edited(model, np.ones((12, 16), bool), offsets)
