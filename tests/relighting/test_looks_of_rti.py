from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from napari_btf.baselines import fit_quick, ptm_normals, ptm_terms
from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF
from napari_btf.directions import angle_between, angles_to_vectors
from napari_btf.progress import finish
from napari_btf.relighting.looks import Look, LookKind, Shape, shape_of
from napari_btf.relighting.shots import Shot, described, make

TOP = np.array([0.0, 0.0, 1.0])


def concave(height: int = 3, width: int = 4) -> tuple[BTF, np.ndarray]:
    """A capture whose luminance has its maximum under a known light, and these lights."""
    rng = np.random.default_rng(4)
    top = rng.uniform(-0.4, 0.4, (height, width, 2))
    light = angles_to_vectors(rng.uniform(0, 70, 20), rng.uniform(0, 360, 20))
    away = ((light[:, np.newaxis, np.newaxis, :2] - top) ** 2).sum(axis=-1)
    values = (0.9 - 0.4 * away)[..., np.newaxis] * [1.0, 0.8, 0.6]
    frames = np.rint(65535 * values).astype(np.uint16)
    normals = np.dstack([top, np.sqrt(1 - (top**2).sum(axis=-1))])
    return BTF(frames, light, np.tile(TOP, (20, 1))), normals


@pytest.fixture(scope="module")
def ptm() -> CompressedBTF:
    return finish(fit_quick(concave()[0]))


def test_normals_of_a_ptm(ptm: CompressedBTF) -> None:
    shape = finish(shape_of(ptm))
    assert angle_between(shape.normals, concave()[1]).max() < 0.1
    expected = np.broadcast_to([0.9, 0.72, 0.54], (3, 4, 3))
    np.testing.assert_allclose(shape.brightest / 65535, expected, atol=1e-3)


def test_normals_of_a_quadratic_without_a_maximum() -> None:
    saddle = np.array([0.1, 0.1, 0.0, 0.5, 0.0, 0.3])
    normal = ptm_normals(saddle)
    assert np.linalg.norm(normal) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(normal[:2], (0.95, 0), atol=1e-6)
    lights = angles_to_vectors(np.arange(0, 70, 5), 77)
    assert (ptm_terms(lights) @ saddle).max() < ptm_terms(normal[np.newaxis])[0] @ saddle


def test_normals_of_a_trained_model(small_model: Callable[[str], CompressedBTF]) -> None:
    model = small_model("neural-basis")
    shape = finish(shape_of(model))
    assert shape.normals.shape == (model.height, model.width, 3)
    assert shape.brightest.dtype == model.dtype


def test_diffuse_gain_multiplies_the_curvature(ptm: CompressedBTF) -> None:
    # The coefficients of the paper: the curvature times g, the same normal, the same brightness.
    gain, shape = 3.0, finish(shape_of(ptm))
    look = Look("gain", shape, strength=(gain - 1) / 4)
    c = ptm.latent_map.reshape(3, 4, 3, 6).astype(float)
    u, v = (shape.normals[..., np.newaxis, i].astype(float) for i in (0, 1))
    a = gain * c[..., :3]
    du = (1 - gain) * (2 * c[..., 0] * u + c[..., 2] * v) + c[..., 3]
    dv = (1 - gain) * (2 * c[..., 1] * v + c[..., 2] * u) + c[..., 4]
    rest = (1 - gain) * (c[..., 0] * u**2 + c[..., 1] * v**2 + c[..., 2] * u * v)
    rest += (c[..., 3] - du) * u + (c[..., 4] - dv) * v + c[..., 5]
    paper = np.concatenate([a, np.stack([du, dv, rest], axis=-1)], axis=-1)
    light = angles_to_vectors(20, 130)
    expected = np.clip(paper @ ptm_terms(light[np.newaxis])[0], 0, 1)
    shown = finish(make(Shot(ptm, (20, 130), (0, 0), look=look))).pixels
    np.testing.assert_allclose(shown / 65535, expected, atol=2e-4)


@pytest.mark.parametrize("kind", ["specular", "gain", "normals"])
def test_a_part_looks_like_the_whole(ptm: CompressedBTF, kind: LookKind) -> None:
    shot = Shot(ptm, (35, 40), (0, 0), look=Look(kind, finish(shape_of(ptm))))
    whole = finish(make(shot)).pixels
    part = replace(shot, rows=slice(1, 3), columns=slice(1, 4))
    np.testing.assert_allclose(finish(make(part)).pixels, whole[1:3, 1:4], atol=1)
    coarse = replace(shot, step=2)
    assert finish(make(coarse)).pixels.shape == whole.shape


def test_highlights_and_shades_follow_the_normals() -> None:
    normals = angles_to_vectors([[0, 30]], [[0, 0]]).astype(np.float32)
    shape = Shape(normals, np.full((1, 2, 1), 200, dtype=np.uint8))
    pixels, whole = np.full((1, 2, 1), 100, dtype=np.uint8), (slice(None), slice(None))
    # The half vector of a light at 60 degrees and a view along the normal is at 30 degrees.
    pair = angles_to_vectors(60, 0), TOP
    specular = Look("specular", shape, 0.5, 20.0).of(pixels, *pair, whole, np.asarray)
    far = 75 + 127.5 * np.cos(np.deg2rad(30)) ** 20
    np.testing.assert_allclose(specular[0, :, 0], [far, 75 + 127.5], atol=1)
    shaded = Look("normals", shape).of(pixels, *pair, whole, np.asarray)
    np.testing.assert_allclose(shaded[0, :, 0], [127.5, 255 * np.cos(np.deg2rad(30))], atol=1)


def test_the_words_name_look_and_preview(ptm: CompressedBTF) -> None:
    shot = Shot(ptm, (35, 40), (0, 0), look=Look("gain", finish(shape_of(ptm))))
    assert described(shot).endswith("\nquick PTM, diffuse gain")
