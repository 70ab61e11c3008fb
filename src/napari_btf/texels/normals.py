"""Surface normals of texels from their brightness under many lights (photometric stereo)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["surface_normals"]

_ROUNDS = 5
_LEAST = 1e-3
#: Values below this are probably in shadow, so they get only a tenth of the weight.
_DARK, _SHADOW_WEIGHT = 0.02, 0.1


def surface_normals(
    values: NDArray[np.float32],
    light: NDArray[np.float64],
    used: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Estimate unit normals of texels by photometric stereo, robust to highlights and shadows.

    The method is that of R. J. Woodham, "Photometric method for determining surface orientation
    from multiple images", 1980, by iteratively reweighted least squares with Cauchy weights.

    Parameters
    ----------
    values : ndarray, shape (T, N)
        Brightness of each texel under each light, about 0 to 1.
    light : ndarray, shape (N, 3)
        Unit vectors.
    used : ndarray of bool, shape (T, N), optional
        Mask of the values to use; all by default.

    Returns
    -------
    ndarray, shape (T, 3)
        Unit normals; ``(0, 0, 1)`` for texels that are black under all lights.
    """
    light = light.astype(np.float32)
    squares = (light[:, :, np.newaxis] * light[:, np.newaxis]).reshape(len(light), 9)
    ridge = 1e-4 * np.eye(3, dtype=np.float32)
    dark = np.where(values < _DARK, np.float32(_SHADOW_WEIGHT), np.float32(1.0))
    weight = np.ones_like(values)
    if used is not None:
        weight *= used
        dark *= used
    scaled = np.zeros((len(values), 3), dtype=np.float32)
    for _ in range(_ROUNDS):
        matrix = (weight @ squares).reshape(-1, 3, 3) + ridge
        scaled = np.linalg.solve(matrix, ((weight * values) @ light)[..., np.newaxis])[..., 0]
        missed = np.abs(values - scaled @ light.T)
        usual = np.median(missed, axis=1, keepdims=True) + np.float32(_LEAST)
        weight = dark / (1.0 + (missed / (2.0 * usual)) ** 2)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    upwards = np.array([0.0, 0.0, 1.0], dtype=np.float32)
    return np.where(length > _LEAST, scaled / np.maximum(length, _LEAST), upwards)
