"""Photometric stereo on surfaces whose normals are known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.directions import angle_between, angles_to_vectors
from napari_btf.errors import UsageError
from napari_btf.progress import Progress, finish
from napari_btf.relighting import estimate_surface
from napari_btf.values import from_linear

HEIGHT, WIDTH = 20, 24


def dome(rings: tuple[int, ...] = (12, 30, 45, 60, 72)) -> np.ndarray:
    phi = np.arange(12) * 30.0
    return np.concatenate([angles_to_vectors(theta, phi + theta) for theta in rings])


def bumps(tilt: float) -> np.ndarray:
    """Normals of smooth hills whose slopes reach a tilt, degrees."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / HEIGHT
    slope = np.tan(np.deg2rad(tilt))
    normal = np.stack([slope * np.sin(7 * x), slope * np.cos(5 * y), np.ones_like(x)], axis=-1)
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def matte(
    normals: np.ndarray, albedo: np.ndarray, light: np.ndarray, gloss: float = 0.0
) -> np.ndarray:
    cosine = np.clip(np.einsum("hwk,nk->nhw", normals, light), 0, None)
    half = light + np.array([0, 0, 1])
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    mirror = np.clip(np.einsum("hwk,nk->nhw", normals, half), 0, None) ** 60
    return cosine[..., None] * albedo + gloss * mirror[..., None]


def model_of(frames: np.ndarray, light: np.ndarray, latents: int = 16) -> CompressedBTF:
    view = np.tile([0.0, 0.0, 1.0], (len(light), 1))
    settings = FitSettings(latents, NetworkSettings(epochs=1), codec="neural-basis")
    return finish(fit(BTF(frames, light, view, source="made"), settings=settings))


def albedo() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.2, 0.8, (HEIGHT, WIDTH, 3))


def test_a_matte_surface_is_found_again() -> None:
    """Slopes up to 35 degrees: some lights are below the horizon of some texels."""
    light, normals, colours = dome(), bumps(25), albedo()
    radiance = matte(normals, colours, light).astype(np.float32)
    reports: list[Progress] = []
    found = finish(estimate_surface(model_of(radiance, light)), reports.append)
    assert {report.phase for report in reports} == {"normals"}
    assert found.normals.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(np.linalg.norm(found.normals, axis=-1), 1, atol=1e-5)
    error = angle_between(found.normals, normals)
    assert np.mean(error) < 0.6
    assert error.max() < 4
    assert np.abs(found.albedo - colours).mean() < 0.01


def test_photographs_of_8_bits_are_taken_as_srgb() -> None:
    light, normals, colours = dome(), bumps(20), albedo()
    linear = np.clip(matte(normals, colours, light), 0, 1).astype(np.float32)
    frames = np.rint(255 * from_linear(linear)).astype(np.uint8)
    found = finish(estimate_surface(model_of(frames, light)))
    assert np.mean(angle_between(found.normals, normals)) < 1.0
    assert np.abs(found.albedo - colours).mean() < 0.02


def test_highlights_and_shadows_are_left_out() -> None:
    light, normals, colours = dome(), bumps(20), albedo()
    rng = np.random.default_rng(1)
    radiance = matte(normals, colours, light, gloss=1.5)
    found = finish(estimate_surface(model_of(radiance.astype(np.float32), light, 50)))
    assert np.mean(angle_between(found.normals, normals)) < 3
    # Cast shadows: a fifth of all values, at random.
    radiance[rng.random(radiance.shape[:3]) < 0.2] *= 0.02
    found = finish(estimate_surface(model_of(radiance.astype(np.float32), light, 50)))
    robust = np.mean(angle_between(found.normals, normals))
    everything, *_ = np.linalg.lstsq(
        light, radiance.mean(axis=3).reshape(len(light), -1), rcond=None
    )
    plain = everything.T / np.linalg.norm(everything.T, axis=1, keepdims=True)
    naive = np.mean(angle_between(plain.reshape(normals.shape), normals))
    assert robust < 3.5
    assert robust < naive / 2


def test_a_black_surface_looks_up() -> None:
    light = dome()
    frames = np.zeros((len(light), 6, 6, 3), dtype=np.uint8)
    frames[:, 3:] = 100
    found = finish(estimate_surface(model_of(frames, light, 2)))
    assert np.isfinite(found.normals).all()
    np.testing.assert_allclose(found.albedo[:2], 0, atol=0.01)


def test_lights_that_do_not_suffice() -> None:
    line = angles_to_vectors(np.linspace(-60, 60, 12), np.full(12, 30.0))
    frames = matte(bumps(20), albedo(), line).astype(np.float32)
    with pytest.raises(UsageError, match="12 captured lights do not determine normals"):
        finish(estimate_surface(model_of(frames, line, 3)))
