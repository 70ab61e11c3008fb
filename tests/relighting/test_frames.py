"""Relighter: parts, exposure, several lights, and what is kept between frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.directions import angles_to_vectors, vectors_to_angles
from napari_btf.errors import UsageError
from napari_btf.evaluate.comparison import score, seen_pairs
from napari_btf.progress import finish
from napari_btf.relighting import Environment, Light, Relighter, combine, find_environment, relight
from napari_btf.values import from_linear, to_display, to_linear

Make = Callable[..., BTF]
RED, BLUE = Light(40, 10, (1.0, 0.2, 0.1)), Light(55, 200, (0.1, 0.2, 1.0), 0.7)


def fitted(btf: BTF) -> CompressedBTF:
    settings = FitSettings(12, NetworkSettings(epochs=1), codec="neural-basis")
    return finish(fit(btf, settings=settings))


def radiance(btf: BTF, dtype: type = np.float32, brightest: float = 3.0) -> BTF:
    return replace(btf, frames=(btf.frames / 255.0 * brightest).astype(dtype))


def linear(image: np.ndarray) -> np.ndarray:
    """By the formula of IEC 61966-2-1, in double precision."""
    v = image / np.iinfo(image.dtype).max
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


class Counting:
    """Counts what a model decodes."""

    def __init__(self, model: CompressedBTF, monkeypatch: pytest.MonkeyPatch) -> None:
        self.frames, whole = 0, type(model).shaded_part

        def counted(*arguments: Any) -> Iterator[np.ndarray]:
            for image in whole(*arguments):
                self.frames += 1
                yield image

        monkeypatch.setattr(type(model), "shaded_part", counted)

    def since(self) -> int:
        count, self.frames = self.frames, 0
        return count


def test_the_transfer_curve_there_and_back() -> None:
    values = np.linspace(0, 1, 1001, dtype=np.float32)
    np.testing.assert_allclose(from_linear(to_linear(values)), values, atol=1e-6)
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_allclose(to_linear(every.astype(np.float32) / 255), linear(every), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_part_of_a_frame(make_btf: Make, dtype: type) -> None:
    relighter = Relighter(fitted(make_btf(dtype=dtype)))
    whole = relighter.frame((40, 10), (10, 20))
    np.testing.assert_array_equal(whole, relight(relighter.model, (40, 10), (10, 20)))
    how: dict[str, Any] = {"rows": slice(2, 11), "columns": slice(4, None), "step": 3}
    for lighting in ((40, 10), [RED, BLUE], find_environment("overcast")):
        whole = relighter.frame(lighting, (10, 20))
        part = relighter.frame(lighting, (10, 20), **how)
        assert part.dtype == dtype
        assert np.abs(part.astype(int) - whole[2:11:3, 4::3]).max() <= 1


def test_exposure_and_gamma_of_radiance(make_btf: Make) -> None:
    for dtype in (np.float16, np.float32, np.float64):
        relighter = Relighter(fitted(radiance(make_btf(), dtype)))
        image = relighter.image((20, 30))
        assert image.dtype == dtype
        assert image.max() > 1.2
        np.testing.assert_array_equal(relighter.frame((20, 30)), to_display(image))
        brighter = relighter.image((20, 30), exposure=1.5)
        np.testing.assert_allclose(brighter, image * 2**1.5, rtol=2e-3)
        darker = relighter.frame((20, 30), exposure=-2, gamma=2.2)
        assert darker.dtype == np.uint8
        expected = np.rint(255 * np.clip(image.astype(np.float64) / 4, 0, 1) ** (1 / 2.2))
        np.testing.assert_allclose(darker, expected, atol=1)
        # As much light as there is: white, and no number that is none.
        assert relighter.frame((20, 30), exposure=64).min() in (0, 255)
        assert np.isfinite(relighter.image((20, 30), exposure=64)).all()


def test_exposure_of_integers_is_one_of_linear_light(make_btf: Make) -> None:
    relighter = Relighter(fitted(make_btf()))
    image = relighter.frame((20, 30))
    np.testing.assert_array_equal(relighter.frame((20, 30), gamma=1.8), image)
    halved = relighter.frame((20, 30), exposure=-1)
    np.testing.assert_allclose(linear(halved), linear(image) / 2, atol=0.004)


def test_wrong_exposure_and_gamma(make_btf: Make) -> None:
    relighter = Relighter(fitted(make_btf()))
    for exposure in (float("nan"), float("inf"), 1000.0):
        with pytest.raises(UsageError, match="the exposure is"):
            relighter.frame((0, 0), exposure=exposure)
    for gamma in (0.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="gamma is"):
            relighter.frame((0, 0), gamma=gamma)
    for nobody in ([], [RED, "light"]):
        with pytest.raises(UsageError, match="no light"):
            relighter.frame(nobody)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_light_adds_up_in_the_linear_domain(make_btf: Make, dtype: type) -> None:
    model = fitted(make_btf(dtype=dtype))
    one, two = (linear(relight(model, (t, p))) for t, p in ((40, 10), (55, 200)))
    sums = one * (1.0, 0.2, 0.1) + 0.7 * two * (0.1, 0.2, 1.0)
    image = combine(model, [RED, BLUE])
    assert image.dtype == dtype
    np.testing.assert_allclose(linear(image), np.minimum(sums, 1.0), atol=0.006)
    # One white light is what relight shows; two of half the intensity are, too.
    white = combine(model, [Light(40, 10)]).astype(int)
    assert np.abs(white - relight(model, (40, 10))).max() <= 1
    halves = combine(model, [Light(40, 10, intensity=0.5), Light(40, 370, intensity=0.5)])
    assert np.abs(halves.astype(int) - white).max() <= 1
    # As bright as it gets.
    assert (combine(model, [Light(0, 0, intensity=1e6)]) == np.iinfo(dtype).max).mean() > 0.99


def test_radiance_is_summed_as_it_is(make_btf: Make) -> None:
    model = fitted(radiance(make_btf()))
    one, two = relight(model, (40, 10)), relight(model, (55, 200))
    expected = one * np.array([1.0, 0.2, 0.1]) + 0.7 * two * np.array([0.1, 0.2, 1.0])
    np.testing.assert_allclose(combine(model, [RED, BLUE]), expected, atol=1e-5)
    half = fitted(radiance(make_btf(), np.float16))
    assert np.isfinite(combine(half, [Light(0, 0, intensity=1e30)])).all()


@pytest.mark.parametrize("channels", [1, 7])
def test_grey_and_spectral_surfaces_ignore_colours(make_btf: Make, channels: int) -> None:
    model = fitted(radiance(make_btf(channels=channels)))
    expected = relight(model, (40, 10)) + 0.7 * relight(model, (55, 200))
    np.testing.assert_allclose(combine(model, [RED, BLUE]), expected, atol=1e-5)
    # Integers of other than one or three channels are no sRGB.
    spectral = fitted(make_btf(channels=7))
    half = combine(spectral, [Light(40, 10, intensity=0.5)]).astype(float)
    np.testing.assert_allclose(half, relight(spectral, (40, 10)) / 2.0, atol=1)


def test_only_what_changes_is_decoded(make_btf: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(make_btf(views=3, lights=20))
    relighter, counting = Relighter(model), Counting(model, monkeypatch)
    around = find_environment("window")
    frame = relighter.frame(around)
    assert counting.since() == 64
    turned = relighter.frame(find_environment("window", turn=90))
    relighter.frame(find_environment("studio"), exposure=1)
    np.testing.assert_array_equal(relighter.frame(around), frame)
    assert counting.since() == 0
    assert np.abs(turned.astype(int) - frame).max() > 10
    relighter.frame(around, (20, 0))
    relighter.frame(around, (20, 0), step=2)
    assert counting.since() == 128
    # Of several lights the one that moves; none for a colour.
    relighter.frame([RED, BLUE])
    moved = replace(BLUE, theta=30.0, intensity=0.3)
    image = relighter.frame([RED, moved])
    assert counting.since() == 3
    np.testing.assert_array_equal(image, Relighter(model).frame([RED, moved]))
    # Without memory nothing is kept, and the image is the same.
    counting.since()
    forgetful = Relighter(model, memory=4 * 12 * 16 * 3 * 10)
    for _ in range(2):
        assert np.abs(forgetful.frame(around).astype(int) - frame).max() <= 1
    assert counting.since() == 128


def test_lights_that_are_none() -> None:
    for colour, intensity in (((-1, 0, 0), 1.0), ((1, 1, float("nan")), 1.0), ((1, 1, 1), -0.1)):
        with pytest.raises(UsageError, match="give red, green, blue and intensity"):
            Light(0, 0, colour, intensity)
    with pytest.raises(UsageError, match="above the surface"):
        Light(91, 0)


@pytest.mark.parametrize("theta", [90.0, -90.0])
def test_the_horizon_is_the_edge_of_what_was_captured(make_btf: Make, theta: float) -> None:
    model = fitted(make_btf())
    edge = 63.0 if theta > 0 else -63.0
    for phi in (0.0, 77.0, 360.0 + 77.0, -283.0, 7.2e6 + 77.0):
        image = relight(model, (theta, phi), (theta, 0.0))
        np.testing.assert_array_equal(image, relight(model, (edge, phi % 360.0), (edge / 3, 0.0)))


@pytest.mark.parametrize("bad", [(90.001, 0), (180, 0), (float("nan"), 0), (0, float("nan"))])
def test_below_the_horizon_there_is_nothing(make_btf: Make, bad: tuple[float, float]) -> None:
    relighter = Relighter(fitted(make_btf()))
    for light, view in ((bad, (0.0, 0.0)), ((0.0, 0.0), bad)):
        with pytest.raises(UsageError, match="is not a direction above the surface"):
            relighter.frame(light, view)


def test_an_environment_of_one_direction(make_btf: Make) -> None:
    """A sky that is black but for one pixel is a light."""
    model = fitted(radiance(make_btf()))
    sky = np.zeros((64, 128, 3))
    sky[14, 37] = 500.0
    lights = Environment(sky).lights()
    bright = [light for light in lights if light.intensity > 0.01]
    assert len(bright) <= 3
    image = Relighter(model).image(Environment(sky))
    # Theta 40.8, phi 270 - 105.5; a level matte surface gets as much as from a frontal light.
    expected = relight(model, (40.8, 164.5)) / np.cos(np.deg2rad(40.8))
    assert np.corrcoef(image.ravel(), expected.ravel())[0, 1] > 0.98
    assert image.mean() == pytest.approx(expected.mean(), rel=0.1)


def test_frames_are_the_plain_sum_to_one_of_255(make_btf: Make) -> None:
    """Texel by texel in double precision: an offset and the latents times their basis functions."""
    btf = make_btf()
    model = fitted(btf)
    relighter = Relighter(model)
    rng = np.random.default_rng(3)
    latents = model.latent_map.astype(np.float64)
    for theta, phi in zip(rng.uniform(0, 60, 12), rng.uniform(0, 360, 12), strict=True):
        light = np.array([angles_to_vectors(theta, phi)])
        (basis,) = model.basis(light, btf.view[:1]).astype(np.float64)
        plain = np.empty((model.height, model.width, model.channels))
        for y, x in np.ndindex(model.height, model.width):
            plain[y, x] = basis[0] + latents[y, x] @ basis[1:]
        view = vectors_to_angles(btf.view[0])
        frame = relighter.frame((theta, phi), (float(view[0]), float(view[1])))
        assert np.abs(frame - 255.0 * np.clip(plain, 0, 1)).max() <= 1.0


def test_frames_at_captured_directions_are_those_that_are_scored(make_btf: Make) -> None:
    btf = make_btf()
    model = fitted(btf)
    scores, _ = finish(score(model, btf, seen_pairs(model, btf), 1.0))
    relighter = Relighter(model)
    for i in range(0, len(btf), 7):
        pair = [tuple(float(a) for a in vectors_to_angles(v)) for v in (btf.light[i], btf.view[i])]
        frame = relighter.frame(*pair)
        decoded = model.values.store(model.decode(btf.light[i], btf.view[i]))
        np.testing.assert_array_equal(frame, decoded)
        error = np.mean((frame / 255.0 - btf.frame(i) / 255.0) ** 2)
        # Rounding to 8 bits adds a twelfth of a step squared.
        assert error == pytest.approx(scores.mse[i], abs=3e-6 + 0.01 * scores.mse[i])
