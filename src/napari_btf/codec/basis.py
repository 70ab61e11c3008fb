"""The decoder's basis over directions, evaluated once per frame, in numpy.

``B(light, view) = network(light, view) + spline(light, view)``: a small smooth network for
the trend, a spline for what it leaves (see `napari_btf.codec.spline`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.directions import disk_to_vectors, vectors_to_disk

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec.spline import DirectionSpline

__all__ = ["DirectionBasis", "DirectionSpace", "SmoothNetwork", "direction_space"]

#: Values of the basis at most, so that what is decoded stays finite in single precision.
_LARGEST = 1e12


@dataclass(frozen=True, eq=False)
class DirectionSpace:
    """Coordinates of (light, view) pairs: both stereographic disks, less what never varies.

    Parameters
    ----------
    centre : ndarray, shape (4,)
        Mean of ``(light x, light y, view x, view y)`` over the captured pairs.
    axes : ndarray, shape (4, D)
        Orthonormal axes along which the pairs vary; D = 2 for a fixed view.
    light_radius, view_radius : float
        Largest disk radii captured. Pairs beyond are moved onto them: nothing is known there.
    """

    centre: NDArray[np.float64]
    axes: NDArray[np.float64]
    light_radius: float
    view_radius: float

    def __call__(self, light: ArrayLike, view: ArrayLike) -> NDArray[np.float64]:
        """Coordinates, shape (P, D), of unit vectors of shape (P, 3)."""
        disks = np.concatenate(
            [
                _within(vectors_to_disk(light), self.light_radius),
                _within(vectors_to_disk(view), self.view_radius),
            ],
            axis=-1,
        )
        return np.asarray((disks - self.centre) @ self.axes)

    def shown(
        self, light: ArrayLike, view: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The pairs that are decoded when these are asked for: unit vectors of shape (P, 3).

        Others than those asked for beyond the captured radii, and off the dimensions along
        which the captured pairs vary.
        """
        disks = self.centre + self(light, view) @ self.axes.T
        return disk_to_vectors(disks[..., :2]), disk_to_vectors(disks[..., 2:])


def direction_space(light: ArrayLike, view: ArrayLike) -> DirectionSpace:
    """The `DirectionSpace` of captured pairs, given as unit vectors of shape (N, 3)."""
    disks = np.concatenate([vectors_to_disk(light), vectors_to_disk(view)], axis=-1)
    centre = disks.mean(axis=0)
    _, spread, axes = np.linalg.svd(disks - centre, full_matrices=False)
    # 1e-3 on the disk is a tenth of a degree: less is the rig's own tolerance.
    varies = spread > 1e-3 * np.sqrt(len(disks))
    radius = np.hypot(disks[:, 0], disks[:, 1]).max(), np.hypot(disks[:, 2], disks[:, 3]).max()
    return DirectionSpace(centre, axes[varies].T, float(radius[0]), float(radius[1]))


def _within(points: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    length = np.hypot(points[..., 0], points[..., 1])[..., np.newaxis]
    return np.asarray(points * np.minimum(1.0, radius / np.maximum(length, 1e-12)))


@dataclass(frozen=True, eq=False)
class SmoothNetwork:
    """A fully connected network with SiLU activations on low-frequency features.

    Parameters
    ----------
    weights, biases : tuple of ndarray
        Of each layer, weights of shape (out, in). No layers at all stand for zero.
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    @staticmethod
    def features(coordinates: ArrayLike) -> NDArray[np.float64]:
        """``(q, sin(pi q / 2), cos(pi q / 2))`` of coordinates, shape (P, D) -> (P, 3 D)."""
        q = np.asarray(coordinates, dtype=np.float64)
        return np.concatenate([q, np.sin(np.pi / 2 * q), np.cos(np.pi / 2 * q)], axis=-1)

    def __call__(self, coordinates: ArrayLike) -> NDArray[np.float64] | float:
        """Outputs, shape (P, M), or 0.0 for a network without layers."""
        if not self.weights:
            return 0.0
        h = self.features(coordinates)
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = h @ weight.T.astype(np.float64) + bias
            if i < len(self.weights) - 1:
                h = h / (1.0 + np.exp(-np.clip(h, -60.0, 60.0)))
        return h


@dataclass(frozen=True, eq=False)
class DirectionBasis:
    """K + 1 basis colours for every (light, view) pair: the mean, and one for each latent."""

    space: DirectionSpace
    network: SmoothNetwork
    spline: DirectionSpline
    latents: int
    channels: int

    def __call__(self, light: ArrayLike, view: ArrayLike) -> NDArray[np.float32]:
        """Basis at pairs of unit vectors, shapes (P, 3) -> (P, K + 1, C)."""
        q = self.space(light, view)
        table = self.network(q) + self.spline(q)
        # The columns of a latent that never varies may be of any size.
        np.clip(table, -_LARGEST, _LARGEST, out=table)
        return table.reshape(-1, self.latents + 1, self.channels).astype(np.float32)
