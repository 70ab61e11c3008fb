from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_btf.errors import UsageError
from napari_btf.export.images import write_image
from napari_btf.relighting import PRESETS, Environment, find_environment

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def level_irradiance(environment: Environment, most_theta: float = 90.0) -> np.ndarray:
    """What a level, matte, white surface shows: the sum of colours and cosines, (3,)."""
    return np.sum(
        [
            np.array(light.colour) * light.intensity * light.vector[2]
            for light in environment.lights(most_theta)
        ],
        axis=0,
    )


@pytest.mark.parametrize("most_theta", [0.0, 15.0, 75.0, 90.0])
@pytest.mark.parametrize("name", PRESETS)
def test_as_much_light_as_there_is(name: str, most_theta: float) -> None:
    environment = find_environment(name)
    lights = environment.lights(most_theta)
    assert len(lights) == 64
    assert max(light.theta for light in lights) <= max(most_theta, 1.0)
    received = level_irradiance(environment, most_theta)
    assert received @ LUMINANCE == pytest.approx(1.0, abs=1e-9)
    # Colours, too: whatever the range, the sum over the sky is the same.
    np.testing.assert_allclose(received, level_irradiance(environment), atol=1e-9)


def test_lights_of_a_uniform_sky_are_alike() -> None:
    """Radiance 1 / pi from everywhere: each of 64 lights has 2 pi / 64 of the solid angle."""
    lights = Environment(np.full((64, 128, 3), 7.0)).lights()
    # Those at the horizon also stand for what lies outside of all.
    inner = [light.intensity for light in lights if light.theta < 75]
    assert np.mean(inner) == pytest.approx(2 / 64, rel=0.1)
    assert all(light.colour == pytest.approx((1, 1, 1)) for light in lights)


def mean_direction(environment: Environment) -> np.ndarray:
    lights = environment.lights()
    mean = np.sum([light.vector * light.intensity for light in lights], axis=0)
    return mean / np.linalg.norm(mean)


def test_where_the_light_comes_from() -> None:
    left, right = find_environment("window"), find_environment("window", turn=180)
    assert mean_direction(left)[0] < -0.3
    assert mean_direction(right)[0] > 0.3
    up = find_environment("window", turn=-90)
    assert mean_direction(up)[1] > 0.3
    # An image: its middle column is ahead (up in the picture), a quarter further is right.
    for column, expected in ((64, (0, 1)), (96, (1, 0)), (32, (-1, 0)), (0, (0, -1))):
        sky = np.zeros((64, 128, 3))
        sky[16, [column - 1, column]] = 1.0
        x, y, z = mean_direction(Environment(sky))
        assert (x, y) == pytest.approx(np.multiply(expected, np.sin(np.pi / 4)), abs=0.12)
        assert z == pytest.approx(np.cos(np.pi / 4), abs=0.12)


def test_it_turns_without_jumps() -> None:
    # A sun larger than what lies between pixels: steps of a degree move every light a little.
    frames = []
    for turn in range(0, 60):
        lights = find_environment("studio", turn=float(turn)).lights()
        frames.append([light.intensity for light in lights])
    steps = np.abs(np.diff(frames, axis=0)).max()
    assert steps < 0.1 * np.max(frames)


def test_it_is_read_from_an_image(tmp_path: Path) -> None:
    radiance = np.random.default_rng(0).uniform(0, 4, (8, 16, 3)).astype(np.float32)
    write_image(tmp_path / "sky.tif", radiance)
    write_image(tmp_path / "sky.exr", radiance)
    for name in ("sky.tif", "sky.exr"):
        found = find_environment(tmp_path / name, 30.0)
        np.testing.assert_allclose(found.radiance, radiance, rtol=1e-6)
        assert (found.name, found.turn) == (name, 30.0)
    grey = np.full((100, 200), 188, dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    found = find_environment(tmp_path / "grey.png")
    assert found.radiance.shape == (64, 128, 3)
    np.testing.assert_allclose(found.radiance, 0.5028, atol=1e-3)


def test_images_that_are_no_environment(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No such file.*overcast, window, studio"):
        find_environment(tmp_path / "missing.png")
    Image.new("RGB", (30, 30)).save(tmp_path / "square.png")
    with pytest.raises(UsageError, match="twice as wide as high"):
        find_environment(tmp_path / "square.png")
    Image.new("RGB", (32, 16)).save(tmp_path / "black.png")
    with pytest.raises(UsageError, match="bright somewhere"):
        find_environment(tmp_path / "black.png")
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(UsageError, match=r"text\.png: the image"):
        find_environment(tmp_path / "text.png")
    with pytest.raises(UsageError, match="cannot light"):
        Environment(np.full((8, 16, 3), np.nan))
    for turn in (np.nan, np.inf):
        with pytest.raises(UsageError, match=f"turned by {turn} degrees; give a finite number"):
            find_environment("window", turn)
