"""Images made by torch on a device next to NumPy's, and images in one pass next to two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import runner
from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit, load
from napari_btf.codec.decoding.part import Part
from napari_btf.directions import unit_vector
from napari_btf.errors import UsageError
from napari_btf.progress import finish
from napari_btf.relighting import Light, Relighter, find_environment
from small_models import CODECS, SmallModel

Make = Callable[..., BTF]
DIRECTIONS = [((35, 20), (0, 0)), ((-50, 300), (25, 110)), ((70, 45), (40, 10))]


def assert_same_images(one: CompressedBTF, other: CompressedBTF) -> None:
    """But for rounding: by one level at most, and hardly anywhere."""
    for light, view in DIRECTIONS:
        a, b = (Relighter(model).frame(light, view) for model in (one, other))
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        apart = np.abs(a.astype(int) - b)
        assert apart.max() <= 1
        assert np.mean(apart > 0) < 0.01
        assert np.ptp(a) > 10


@pytest.mark.parametrize("codec", CODECS)
def test_a_device_gives_the_images_of_numpy(small_model: SmallModel, codec: str) -> None:
    model = small_model(codec)
    there = model.decoded_on("cpu")
    assert (model.device, there.device) == (None, "cpu")
    assert type(there) is type(model)
    assert_same_images(model, there)
    assert_same_images(there, there.decoded_on(None))
    part = Part.of(model.height, model.width, slice(1, 11), slice(3, None), 3)
    pair = unit_vector("light", (40, 60)), unit_vector("view", (20, 200))
    np.testing.assert_allclose(
        there.decode(*pair, part), model.decode(*pair, part), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(there.decode(*pair), model.decode(*pair), rtol=1e-4, atol=1e-5)


def test_what_is_edited_and_made_small_is_decoded_there_too(small_model: SmallModel) -> None:
    for codec in ("neural-basis", "parallax"):
        model = small_model(codec)
        flipped = model.latent_map[::-1, ::-1]
        assert_same_images(
            model.with_latents(flipped), model.with_latents(flipped).decoded_on("cpu")
        )
        for kind in ("float16", "uint8"):
            small = model.with_latents_as(kind)
            assert_same_images(small, small.decoded_on("cpu"))
            assert small.decoded_on("cpu").latents_as == kind


def test_rays_across_both_kinds_of_borders(small_model: SmallModel) -> None:
    model = small_model("parallax")
    # Heights of many texels, so that rays leave the surface on all sides.
    depth = model.depth
    moved = replace(depth.layers, biases=(*depth.layers.biases[:-1], np.float32([9.0])))
    for periodic in (False, True):
        deep = replace(model, depth=replace(depth, layers=moved), periodic=periodic)
        assert_same_images(deep, deep.decoded_on("cpu"))
        assert np.any(deep.relight((35, 20), (40, 90)) != model.relight((35, 20), (40, 90)))


def test_lights_and_surroundings_on_a_device(small_model: SmallModel) -> None:
    model = small_model("neural-basis")
    lights = [Light(40, 10, (1.0, 0.2, 0.1)), Light(55, 200, (0.1, 0.2, 1.0), 0.7)]
    for lighting in (lights, find_environment("studio")):
        a = Relighter(model).frame(lighting, (10, 20))
        b = Relighter(model.decoded_on("cpu")).frame(lighting, (10, 20))
        assert np.abs(a.astype(int) - b).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
def test_an_image_in_one_pass_is_decoded_and_stored(make_btf: Make, dtype: type) -> None:
    btf = make_btf(dtype=dtype) if np.dtype(dtype).kind == "u" else make_btf()
    if np.dtype(dtype).kind == "f":
        btf = replace(btf, frames=(btf.frames / 80.0).astype(dtype))
    settings = FitSettings(6, NetworkSettings(epochs=1), codec="neural-basis")
    model = finish(fit(btf, settings=settings))
    for light, view in DIRECTIONS:
        pair = unit_vector("light", light), unit_vector("view", view)
        image = model.image(*pair)
        assert image.dtype == dtype
        np.testing.assert_array_equal(image, model.values.store(model.decode(*pair)))
        part = Part.of(model.height, model.width, slice(2, 9), None, 2)
        np.testing.assert_array_equal(
            model.image(*pair, part), model.values.store(model.decode(*pair, part))
        )
        by_torch = model.decoded_on("cpu").image(*pair).astype(np.float64)
        np.testing.assert_allclose(by_torch, image.astype(np.float64), rtol=2e-3, atol=1)


def test_a_surface_of_many_chunks(small_model: SmallModel) -> None:
    """Texels are decoded in chunks; where one ends must not show."""
    model = small_model("mlp")
    tiled = model.with_latents(np.tile(model.latent_map, (11, 13, 1)))
    assert tiled.height * tiled.width > 5 * 4096
    image, small = (m.relight((35, 20), (25, 110)) for m in (tiled, model))
    assert np.abs(image.astype(int) - np.tile(small, (11, 13, 1))).max() <= 1


def test_a_device_that_is_not_there(
    small_model: SmallModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runner(capsys)
    model = small_model("neural-basis")
    with pytest.raises(UsageError, match="device 'moon' cannot be used here"):
        model.decoded_on("moon")
    path, out = model.save(tmp_path / "model.safetensors"), tmp_path / "out.png"
    how = ("relight", path, "--light", "30,40", "--out", out, "--device")
    code, _, err = run(*how, "moon")
    assert code == 2
    assert "device 'moon' cannot be used here" in err
    assert not out.exists()
    assert run(*how, "cpu")[0] == 0
    apart = np.asarray(Image.open(out)).astype(int) - load(path).relight((30, 40))
    assert np.abs(apart).max() <= 1
