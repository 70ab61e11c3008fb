from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_btf.baselines import fit_hsh, fit_ptm, hsh_terms, light_series, ptm_terms
from napari_btf.btf import BTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import UsageError
from napari_btf.progress import Progress, finish

Make = Callable[..., BTF]


def hemisphere(count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Directions and weights of a quadrature that is exact for the harmonics tested here."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    phi = np.arange(2 * count) * 180 / count
    theta = np.rad2deg(np.arccos((nodes + 1) / 2))
    grid = np.meshgrid(theta, phi, indexing="ij")
    area = np.repeat(weights / 2 * np.pi / count, 2 * count)
    return angles_to_vectors(grid[0].ravel(), grid[1].ravel()), area


def frontal(light: np.ndarray) -> np.ndarray:
    return np.tile([0.0, 0.0, 1.0], (len(light), 1))


def quadratic(light: np.ndarray, height: int = 5, width: int = 7) -> tuple[BTF, np.ndarray]:
    """A capture in 16 bits that is a polynomial of the light, and its coefficients (6, H, W, 2)."""
    rng = np.random.default_rng(3)
    coefficients = rng.uniform(-0.1, 0.1, (6, height, width, 2))
    coefficients[5] = rng.uniform(0.4, 0.6, (height, width, 2))
    x, y = light[:, 0], light[:, 1]
    terms = np.stack([x**2, y**2, x * y, x, y, np.ones(len(x))])
    values = np.einsum("mn,mhwc->nhwc", terms, coefficients)
    frames = np.rint(values * 65535).astype(np.uint16)
    return BTF(frames, light, frontal(light)), coefficients


def some_lights(count: int = 20, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return angles_to_vectors(rng.uniform(0, 75, count), rng.uniform(0, 360, count))


def test_ptm_terms_of_a_known_light() -> None:
    light = angles_to_vectors(30, 60)  # x = sin 30 cos 60 = 1/4, y = sin 30 sin 60
    y = 0.5 * np.sqrt(3) / 2
    np.testing.assert_allclose(
        ptm_terms(light[None])[0], [1 / 16, y * y, y / 4, 1 / 4, y, 1], atol=1e-12
    )


def test_ptm_is_exact_on_a_quadratic_surface() -> None:
    capture, coefficients = quadratic(some_lights())
    fitted = finish(fit_ptm(capture, 10**6))
    assert fitted.note == "float32"
    found = fitted.blocks[0].codes.reshape(coefficients.shape)
    np.testing.assert_allclose(found, coefficients, atol=2e-4)
    others, _ = quadratic(some_lights(seed=5))
    for image, frame in zip(fitted.shaded(others.light, others.view), others.frames, strict=True):
        np.testing.assert_allclose(image, frame / 65535, atol=1e-4)


def test_eight_bits_cost_half_a_step_at_most() -> None:
    capture, coefficients = quadratic(some_lights())
    fitted = finish(fit_ptm(capture))
    # A scale and a bias, 4 bytes each, of every coefficient.
    assert fitted.nbytes == 6 * 5 * 7 * 2 + 6 * 8
    assert fitted.note == "8 bits"
    steps = np.ptp(coefficients, axis=(1, 2, 3)) / 255
    bound = np.abs(ptm_terms(capture.light)) @ (0.51 * steps)
    for image, frame, most in zip(
        fitted.shaded(capture.light, capture.view), capture.frames, bound, strict=True
    ):
        assert 0 < np.abs(image - frame / 65535).max() < most + 1e-4


def test_the_budget_decides_the_precision() -> None:
    capture, _ = quadratic(some_lights())
    single = 4 * 6 * (5 * 7 * 2 + 2)
    assert finish(fit_ptm(capture, single)).nbytes == single
    assert finish(fit_ptm(capture, single - 1)).nbytes == 6 * 5 * 7 * 2 + 6 * 8


@pytest.mark.parametrize("order", [3, 4])
def test_harmonics_are_orthonormal_over_the_hemisphere(order: int) -> None:
    light, area = hemisphere()
    assert area.sum() == pytest.approx(2 * np.pi)
    terms = hsh_terms(light, order)
    assert terms.shape[1] == order**2
    products = terms.T @ (area[:, None] * terms)
    np.testing.assert_allclose(products, np.eye(order**2), atol=1e-10)


def test_harmonics_of_known_lights() -> None:
    light = angles_to_vectors([0, 60, 60, 60], [0, 0, 90, 30])
    root = np.sqrt(0.5 * (1 - 0.5))  # cos theta (1 - cos theta)
    terms = hsh_terms(light, 2)
    np.testing.assert_allclose(terms[:, 0], 1 / np.sqrt(2 * np.pi))
    np.testing.assert_allclose(terms[0, 1:], [0, np.sqrt(3 / (2 * np.pi)), 0], atol=1e-7)
    sin, cos = np.sin(np.deg2rad([0, 90, 30])), np.cos(np.deg2rad([0, 90, 30]))
    np.testing.assert_allclose(terms[1:, 1], np.sqrt(6 / np.pi) * sin * root, atol=1e-12)
    np.testing.assert_allclose(terms[1:, 2], 0, atol=1e-12)
    np.testing.assert_allclose(terms[1:, 3], np.sqrt(6 / np.pi) * cos * root, atol=1e-12)


def test_harmonics_give_back_a_surface_made_of_them() -> None:
    light, other = some_lights(40), some_lights(10, seed=2)
    weights = np.random.default_rng(0).uniform(-0.02, 0.02, (9, 4, 6, 3))
    weights[0] = 1.0

    def made(lights: np.ndarray) -> np.ndarray:
        values = np.einsum("nm,mhwc->nhwc", hsh_terms(lights, 3), weights)
        assert values.min() > 0
        assert values.max() < 1
        return np.rint(values * 65535).astype(np.uint16)

    fitted = finish(fit_hsh(BTF(made(light), light, frontal(light)), 10**6))
    assert fitted.name == "HSH 9"
    found = np.stack(list(fitted.shaded(other, frontal(other))))
    np.testing.assert_allclose(found, made(other) / 65535, atol=2e-4)


def test_rows_in_blocks_are_the_same_surface(monkeypatch: pytest.MonkeyPatch) -> None:
    capture, _ = quadratic(some_lights())
    whole = np.stack(list(finish(fit_ptm(capture, 10**6)).shaded(capture.light, capture.view)))
    # Two rows at a time: 6 coefficients of 7 texels with 2 channels each.
    monkeypatch.setattr(light_series, "_MOST_COEFFICIENTS", 2 * 6 * 7 * 2)
    reports: list[Progress] = []
    parted = finish(fit_ptm(capture, 10**6), reports.append)
    assert len(parted.blocks) == 3
    found = np.stack(list(parted.shaded(capture.light, capture.view)))
    np.testing.assert_allclose(found, whole, atol=1e-6)
    assert [(r.step, r.total) for r in reports] == [(40, 100), (80, 100), (100, 100)]


def test_where_they_do_not_apply(make_btf: Make) -> None:
    with pytest.raises(UsageError, match="PTM applies to captures with one view only"):
        finish(fit_ptm(make_btf(views=3)))
    few, _ = quadratic(some_lights(8))
    with pytest.raises(UsageError, match="HSH 9 needs at least 9 well-spread lights"):
        finish(fit_hsh(few))
    # Many lights, but all of them of one theta: they do not tell the terms apart.
    ring, _ = quadratic(angles_to_vectors(np.full(20, 40.0), np.arange(20) * 18.0))
    with pytest.raises(UsageError, match=r"PTM needs at least 6 well-spread lights"):
        finish(fit_ptm(ring))
