"""Sets of lights that are few, or lie on a curve: what is relit stays near what was captured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, fit, load
from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.directions import angles_to_vectors
from napari_btf.evaluate import psnr
from napari_btf.interpolation.spline import RIDGE
from napari_btf.progress import finish

Vectors = NDArray[np.float64]
UP = np.array([0.0, 0.0, 1.0])


def ring(count: int, theta: float = 45.0, span: float = 360.0) -> Vectors:
    return angles_to_vectors(np.full(count, theta), span * np.arange(count) / count)


def shifted(light: Vectors) -> Vectors:
    """Lights as a rig has them, a degree off."""
    moved = light + np.random.default_rng(0).normal(0, 0.01, light.shape)
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))


def matte(light: Vectors) -> NDArray[np.float64]:
    """A bumpy matte surface under each light, (N, 20, 28, 3), in 0..1."""
    y, x = np.mgrid[:20, :28]
    slopes = [-0.35 * np.sin(x / 5) * np.cos(y / 7), 0.35 * np.cos(x / 6) * np.sin(y / 4)]
    normal = np.dstack([*slopes, np.ones((20, 28))])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    lit = np.clip(np.einsum("hwk,nk->nhw", normal, light), 0, 1)[..., np.newaxis]
    return np.asarray((np.array([0.6, 0.5, 0.4]) * lit) ** (1 / 2.2))


def trained(light: Vectors) -> NeuralBasisBTF:
    frames = np.rint(255 * matte(light)).astype(np.uint8)
    btf = BTF(frames, light, np.tile(UP, (len(light), 1)))
    model = finish(fit(btf, settings=FitSettings(codec="neural-basis")))
    assert isinstance(model, NeuralBasisBTF)
    return model


SETS = {
    "one": ring(1),
    "two": ring(2, 30, 180),
    "three": ring(3),
    "ring of five": ring(5),
    "ring of eight": ring(8),
    "ring of forty": ring(40),
    "a ring's rig": shifted(ring(8)),
    "ring and zenith": np.vstack([ring(8), UP]),
    "arc": ring(8, 45, 160),
    "line": angles_to_vectors(np.abs(np.arange(-3, 4) * 20.0), 180.0 * (np.arange(7) < 3)),
    "below 20 degrees": np.vstack([UP, ring(5, 10), ring(5, 20)]),
    "repeated": np.vstack([ring(5), ring(5)]),
}


@pytest.mark.parametrize("light", SETS.values(), ids=SETS.keys())
def test_nothing_is_far_beyond_what_was_captured(light: Vectors) -> None:
    model = trained(light)
    anywhere = np.vstack([UP, *(ring(12, theta) for theta in (15, 30, 45, 60, 85))])
    images = np.stack(list(model.shaded(anywhere, np.tile(UP, (len(anywhere), 1)))))
    assert images.min() > -1.0
    assert images.max() < 2.0


@pytest.mark.parametrize("light", [ring(5), ring(8), ring(24), shifted(ring(8))])
def test_inside_a_ring_it_is_as_with_four_lights(light: Vectors, tmp_path: Path) -> None:
    path = trained(light).save(tmp_path / "ring.safetensors")
    model = load(path)
    assert isinstance(model, NeuralBasisBTF)
    assert psnr(model.decode(UP, UP), matte(UP[np.newaxis])[0]) > 17.0
    # On the ring it stays exact.
    assert psnr(model.decode(light[1], UP), matte(light[1:2])[0]) > 45.0


def test_lights_all_over_the_dome_need_no_ridge() -> None:
    light = np.vstack([UP, ring(6, 20), ring(10, 40), ring(12, 60)])
    assert trained(light).continuation.ridge == RIDGE
