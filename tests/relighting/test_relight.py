from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.directions import angles_to_vectors, vectors_to_angles
from napari_btf.errors import UsageError
from napari_btf.evaluate import psnr
from napari_btf.export.images import write_image
from napari_btf.progress import finish
from napari_btf.relighting import default_view, differences_along, limits, outside, relight
from napari_btf.values import to_display


def fitted(btf: BTF, latents: int = 12) -> CompressedBTF:
    return finish(fit(btf, settings=FitSettings(latents, NetworkSettings(epochs=20))))


def angles_of(vector: np.ndarray) -> tuple[float, float]:
    theta, phi = vectors_to_angles(vector)
    return float(theta), float(phi)


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.uint16, 3), (np.uint8, 1)])
def test_a_captured_direction_gives_its_photograph(
    make_btf: Callable[..., BTF], dtype: type, channels: int
) -> None:
    btf = make_btf(lights=20, dtype=dtype, channels=channels)
    model = fitted(btf)
    for i in (0, 25, 59):
        image = relight(model, angles_of(btf.light[i]), angles_of(btf.view[i]))
        assert image.dtype == dtype
        assert image.shape == (12, 16, channels)
        assert psnr(image / btf.values.largest, btf.frame(i) / btf.values.largest) > 28


def test_without_a_view_it_is_the_most_frontal_one(make_btf: Callable[..., BTF]) -> None:
    model = fitted(make_btf())
    assert default_view(model) == (0, 0)
    np.testing.assert_array_equal(relight(model, (30, 10)), relight(model, (30, 10), (0, 0)))


def test_limits_and_what_lies_outside(make_btf: Callable[..., BTF]) -> None:
    model = fitted(make_btf(views=3))
    assert limits(model) == (pytest.approx(63), pytest.approx(20))
    assert outside(model, (63, 200), (20, 180)) is None
    assert "lights were captured up to 63° from the normal" in str(outside(model, (70, 0)))
    assert "views were captured up to 20° from the normal" in str(outside(model, (7, 0), (30, 0)))
    both = str(outside(model, (70, 0), (30, 0)))
    assert both.index("showing 63°, 0°, and views were captured") < both.index("showing 20°, 0°")
    assert outside(model, None, (20, 0)) is None
    assert str(outside(model, None, (30, 0))).startswith("views were captured up to 20°")
    one_view = fitted(make_btf(views=1))
    assert one_view.fixed_view
    assert outside(one_view, (10, 0), (0, 90)) is None
    assert "only one view was captured, 0°, 0°" in str(outside(one_view, (10, 0), (5, 0)))
    lights = angles_to_vectors(np.array([0.0, 30.0]), np.zeros(2))
    assert differences_along(one_view, lights) == []
    said = "only one view was captured, 0°, 0°; 1 of 2 frames show the nearest possible view"
    assert differences_along(one_view, lights, lights) == [said]


def test_the_side_of_a_negative_theta(make_btf: Callable[..., BTF]) -> None:
    model = fitted(make_btf(views=5))
    assert outside(model, (-63, 20), (-20, 7)) is None
    note = str(outside(model, (-70, 20)))
    assert "lights were captured up to 63° from the normal; showing 63°, 200°" in note
    np.testing.assert_array_equal(relight(model, (-70, 20)), relight(model, (63, 200)))
    assert "showing 20°, 187°" in str(outside(model, (5, 0), (-30, 7)))


def test_a_capture_with_one_light(make_btf: Callable[..., BTF]) -> None:
    btf = make_btf(views=9, lights=2)
    model = fitted(btf.select(np.arange(18) % 2 == 1), 4)
    (light,) = {(round(t), round(p)) for t, p in map(angles_of, model.light)}
    assert outside(model, light) is None
    asked = (light[0], light[1] + 40.0)
    expected = f"only one light was captured, {light[0]}°, {light[1]}°; showing that one"
    assert expected in str(outside(model, asked))
    np.testing.assert_array_equal(relight(model, asked), relight(model, light))


def test_lights_on_a_line(make_btf: Callable[..., BTF]) -> None:
    line = angles_to_vectors(np.linspace(-60, 60, 12), np.full(12, 30.0))
    model = fitted(replace(make_btf(views=1, lights=12), light=line), 4)
    for light in ((-60, 30), (60, 30), (12.3, 210), (0, 0)):
        assert outside(model, light) is None
    note = str(outside(model, (40, 120)))
    assert "do not vary in the direction of 40°, 120°; showing 0°, 0°" in note
    np.testing.assert_allclose(relight(model, (40, 120)), relight(model, (0, 0)), atol=1)
    shown = str(outside(model, (40, 75))).rsplit("showing ", 1)[1]
    theta, phi = map(float, shown.replace("°", "").split(","))
    assert (0 < theta < 40, phi) == (True, 30)
    np.testing.assert_allclose(relight(model, (40, 75)), relight(model, (theta, phi)), atol=1)
    assert "up to 60° from the normal; showing" in str(outside(model, (80, 31)))


def test_far_between_captured_lights_is_a_guess(make_btf: Callable[..., BTF]) -> None:
    ring = angles_to_vectors(np.full(8, 45.0), np.arange(8) * 45.0)
    model = fitted(replace(make_btf(views=1, lights=8), light=ring), 4)
    # On the ring, between two of its lights, and near it.
    for light in ((45, 90), (45, 112.5), (20, 0)):
        assert outside(model, light) is None
    assert outside(model, (0, 0)) == "the nearest captured light is 45° away; this is a guess"
    inwards = angles_to_vectors(np.array([45.0, 20.0, 10.0, 0.0]), np.zeros(4))
    assert differences_along(model, inwards) == [
        "2 of 4 frames are a guess, up to 45° away from the nearest captured light"
    ]


def test_captured_directions_are_never_outside(make_btf: Callable[..., BTF]) -> None:
    for views in (1, 3):
        model = fitted(make_btf(views=views), 4)
        for light, view in zip(model.light, model.view, strict=True):
            assert outside(model, angles_of(light), angles_of(view)) is None


@pytest.mark.parametrize("light", [(91, 0), (-100, 0), (float("nan"), 0), (0, float("inf"))])
def test_directions_below_the_surface_are_refused(
    make_btf: Callable[..., BTF], light: tuple[float, float]
) -> None:
    with pytest.raises(UsageError, match="is not a direction above the surface"):
        relight(fitted(make_btf()), light)


@pytest.mark.parametrize("extension", ["png", "tif", "bmp", "tga"])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_written_exactly(tmp_path: Path, extension: str, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (7, 9, channels), dtype=np.uint8)
    path = tmp_path / "new" / f"image.{extension}"
    write_image(path, pixels)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels.squeeze())


def test_16_bits_stay_16_bits(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65535, (7, 9, 3), dtype=np.uint16)
    write_image(tmp_path / "image.png", pixels)
    write_image(tmp_path / "image.tif", pixels)
    write_image(tmp_path / "image.jpg", pixels)
    png = imagecodecs.png_decode((tmp_path / "image.png").read_bytes())
    np.testing.assert_array_equal(png, pixels)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "image.tif"), pixels)
    with Image.open(tmp_path / "image.jpg") as image:
        assert image.size == (9, 7)


def test_images_that_cannot_be_written(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(UsageError, match=r"not written as \.doc; use one of \.bmp"):
        write_image(tmp_path / "image.doc", pixels)
    (tmp_path / "file").write_text("hello")
    with pytest.raises(UsageError, match="cannot be written"):
        write_image(tmp_path / "file" / "image.png", pixels)


def test_radiance_is_kept_by_tiff_and_shown_by_others(tmp_path: Path) -> None:
    radiance = np.linspace(0, 3, 7 * 9 * 3, dtype=np.float32).reshape(7, 9, 3)
    write_image(tmp_path / "image.tif", radiance)
    write_image(tmp_path / "image.png", radiance)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "image.tif"), radiance)
    with Image.open(tmp_path / "image.png") as image:
        np.testing.assert_array_equal(np.asarray(image), to_display(radiance))
