from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator

from napari_btf.interpolation.points import spread_subset
from napari_btf.interpolation.spline import Places, fit_spline, leave_one_out, linear_places


def points_and_values(n: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (n, d))
    return points, np.stack([np.sin(3 * points[:, 0]), points.sum(1) + rng.normal(0, 0.1, n)], 1)


@settings(max_examples=25)
@given(st.integers(6, 60), st.integers(1, 4), st.sampled_from([0.0, 1e-3, 0.1]), st.integers(0, 99))
def test_samples_are_met_whatever_the_smoothing(
    n: int, d: int, smoothing: float, seed: int
) -> None:
    points, values = points_and_values(n, d, seed)
    places = linear_places(points)
    spline = fit_spline(places, values, smoothing)
    np.testing.assert_allclose(spline(places), values, atol=3e-3)


def test_without_smoothing_it_is_the_thin_plate_spline() -> None:
    points, values = points_and_values(50, 2, 0)
    at = np.random.default_rng(1).uniform(-0.8, 0.8, (200, 2))
    expected = RBFInterpolator(points, values, kernel="thin_plate_spline", degree=1)(at)
    spline = fit_spline(linear_places(points), values, 0.0, kernel="thin-plate")
    np.testing.assert_allclose(spline(linear_places(at)), expected, atol=1e-4)


def test_the_trend_is_followed_freely_whatever_the_smoothing() -> None:
    points, _ = points_and_values(40, 2, 0)
    at = np.random.default_rng(1).uniform(-2, 2, (200, 2))

    def places(x: np.ndarray) -> Places:
        return Places(x, np.stack([np.ones(len(x)), x[:, 0] * x[:, 1]], axis=1))

    spline = fit_spline(places(points), 3 * points[:, :1] * points[:, 1:] - 2, 100.0)
    np.testing.assert_allclose(spline(places(at)), 3 * at[:, :1] * at[:, 1:] - 2, atol=1e-3)


def test_smoothing_shows_between_the_samples_only() -> None:
    x = np.linspace(-1, 1, 21)[:, None]
    noise = np.where(np.arange(21) % 2, 0.1, -0.1)[:, None]
    smooth = fit_spline(linear_places(x), noise, 1.0)
    between = (x[:-1] + x[1:]) / 2 + 0.02
    assert np.abs(smooth(linear_places(x)) - noise).max() < 1e-3
    assert np.abs(smooth(linear_places(between))).max() < 0.06


@pytest.mark.parametrize("smoothing", [0.0, 0.01, 1.0])
def test_leaving_one_out_is_what_a_spline_without_it_misses(smoothing: float) -> None:
    points, values = points_and_values(25, 2, 5)
    places = linear_places(points)
    missed = leave_one_out(places, values, smoothing)
    for i in (0, 7, 24):
        rest = np.arange(25) != i
        spline = replace(
            fit_spline(places.at(rest), values[rest], smoothing), bumps=np.zeros((0, 2))
        )
        np.testing.assert_allclose(
            missed[i], values[i] - spline(places.at(slice(i, i + 1)))[0], atol=1e-4
        )


def test_it_is_continuous() -> None:
    points, values = points_and_values(30, 2, 3)
    spline = fit_spline(linear_places(points), values, 0.1)
    line = np.linspace([-1, -1], [1, 1], 20001)
    assert np.abs(np.diff(spline(linear_places(line)), axis=0)).max() < 5e-3


def test_many_samples_stand_on_a_spread_subset_and_are_still_met() -> None:
    points, values = points_and_values(300, 2, 4)
    spline = fit_spline(linear_places(points), values, 0.0, max_centres=60)
    assert len(spline.centres) == 60
    np.testing.assert_allclose(spline(linear_places(points)), values, atol=3e-3)


def test_spread_subset_leaves_no_large_gap() -> None:
    points = np.random.default_rng(0).uniform(0, 1, (2000, 2))
    chosen = points[spread_subset(points, 100)]
    assert len(np.unique(chosen, axis=0)) == 100
    gap = np.sqrt(((points[:, None] - chosen) ** 2).sum(-1)).min(1).max()
    assert gap < 0.13


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_samples(count: int) -> None:
    points = np.eye(3)[:count, : count - 1] if count > 1 else np.zeros((1, 0))
    values = np.arange(float(count))[:, None]
    places = linear_places(points)
    np.testing.assert_allclose(fit_spline(places, values, 0.0)(places), values, atol=1e-3)


def test_values_beyond_half_precision_are_met() -> None:
    points, values = points_and_values(40, 2, 5)
    spline = fit_spline(linear_places(points), 1e7 * values, 0.1)
    assert len(spline.bumps) == 40
    np.testing.assert_allclose(spline(linear_places(points)), 1e7 * values, rtol=1e-3, atol=1e3)


def test_samples_in_one_hyperplane() -> None:
    line = np.linspace(-1, 1, 12)[:, None] * [[1.0, 2.0]] + [[0.3, 0.1]]
    values = np.sin(3 * line[:, :1])
    spline = fit_spline(linear_places(line), values, 0.0)
    np.testing.assert_allclose(spline(linear_places(line)), values, atol=1e-3)
    assert np.abs(spline(linear_places([[0.5, -0.5]]))).max() < 3
