from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_btf.codec.latents.transformed import Spectrum, code_latents


def smooth_latents(height: int, width: int, count: int, seed: int = 0) -> np.ndarray:
    """Latents as PCA gives them: each weaker than the one before, neighbours alike."""
    rng = np.random.default_rng(seed)
    noise = np.fft.rfft2(rng.normal(0, 1, (count, height, width)))
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    planes = np.fft.irfft2(noise / (0.05 + np.hypot(y, x)), (height, width))
    return np.float32(planes * 0.8 ** np.arange(count)[:, None, None]).transpose(1, 2, 0) + 3


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 35),
    st.sampled_from([1e-4, 0.01, 0.3, 100.0]),
    st.integers(0, 5),
)
def test_what_comes_back_differs_by_less_than_a_step(
    height: int, width: int, count: int, step: float, seed: int
) -> None:
    latents = smooth_latents(height, width, count, seed)
    coded = code_latents(latents, step)
    back = coded.decode().values
    assert back.shape == latents.shape
    assert back.dtype == np.float32
    # By Parseval: each coefficient is off by at most the dead zone.
    error = np.sqrt(np.mean((back.astype(np.float64) - latents) ** 2))
    assert error <= 0.65 * step + 1e-4
    np.testing.assert_array_equal(coded.decode().values, back)


def test_the_error_is_the_one_that_was_foreseen() -> None:
    latents = smooth_latents(48, 64, 20)
    spectrum = Spectrum(latents)
    for step in (0.02, 0.5):
        back = spectrum.code(step, 20).decode().values
        error = np.sum((back.astype(np.float64) - latents) ** 2, axis=(0, 1))
        np.testing.assert_allclose(spectrum.distortion(step), error, rtol=1e-3, atol=1e-3)
    energy = np.sum(latents.astype(np.float64) ** 2, axis=(0, 1))
    np.testing.assert_allclose(spectrum.energy, energy, rtol=1e-4)


def test_estimates_are_close() -> None:
    spectrum = Spectrum(smooth_latents(256, 256, 8))
    for step in (0.05, 0.5):
        size, error = spectrum.estimate(step)
        coded = spectrum.code(step, 8)
        assert size.sum() == pytest.approx(coded.nbytes, rel=0.15)
        np.testing.assert_allclose(error, spectrum.distortion(step), rtol=0.1)


def test_neighbours_that_are_alike_cost_less() -> None:
    y, x = np.mgrid[:128, :128][..., np.newaxis]
    latents = np.float32(9 * np.sin(x / np.arange(5, 13)) * np.cos(y / np.arange(7, 15)))
    shuffled = latents.reshape(-1, 8)[np.random.default_rng(0).permutation(128 * 128)]
    shuffled = shuffled.reshape(latents.shape)
    assert code_latents(latents, 0.3).nbytes < 0.5 * code_latents(shuffled, 0.3).nbytes


def test_values_far_from_the_others_are_kept() -> None:
    latents = np.zeros((30, 40, 20), np.float32)
    latents[7, 8, 3] = 1e6
    latents[:, :, 18] = np.linspace(-1e5, 1e5, 40)
    coded = code_latents(latents, 0.5)
    assert len(coded.far_index) > 10
    np.testing.assert_allclose(coded.decode().values, latents, atol=3)


@pytest.mark.parametrize(
    "change",
    [
        {"height": 13},
        {"width": 15, "height": 12},
        {"latents": 21},
        {"lengths": np.array([5, 5])},
        {"lengths": np.array([2**62, 2**62])},
        {"streams": np.zeros(10, np.uint8)},
    ],
)
def test_damaged_streams_are_refused(change: dict[str, object]) -> None:
    coded = code_latents(smooth_latents(12, 16, 20), 0.1)
    with pytest.raises(ValueError, match="stream"):
        replace(coded, **change).decode()  # type: ignore[arg-type]
