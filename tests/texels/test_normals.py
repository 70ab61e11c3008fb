from __future__ import annotations

import numpy as np

from napari_btf.directions import angles_to_vectors
from napari_btf.texels.normals import surface_normals


def test_normals_of_a_surface_with_highlights_and_shadows() -> None:
    rng = np.random.default_rng(0)
    light = angles_to_vectors(rng.uniform(0, 70, 60), rng.uniform(0, 360, 60))
    normals = angles_to_vectors(rng.uniform(0, 40, 500), rng.uniform(0, 360, 500))
    half = light + np.array([0.0, 0.0, 1.0])
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    gloss = np.clip(normals @ half.T, 0, 1) ** 200
    values = 0.5 * np.clip(normals @ light.T, 0, 1) + gloss
    values[:, 7] = 0.0  # something stood in the light
    found = surface_normals(values.astype(np.float32), light)
    apart = np.degrees(np.arccos(np.clip(np.sum(found * normals, axis=1), -1, 1)))
    assert np.median(apart) < 1
    assert np.percentile(apart, 95) < 4


def test_what_is_black_faces_up() -> None:
    light = angles_to_vectors(np.full(20, 30.0), np.arange(20) * 18.0)
    found = surface_normals(np.zeros((3, 20), dtype=np.float32), light)
    np.testing.assert_array_equal(found, np.tile([0.0, 0.0, 1.0], (3, 1)))
