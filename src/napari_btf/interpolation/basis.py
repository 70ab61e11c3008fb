"""The decoder's basis over directions, evaluated once per frame, in numpy.

The basis is a spline (see `napari_btf.interpolation.spline`) over the hemispheres of lights and
views. How high these are to it, and which functions of the directions it follows freely, differs
from capture to capture: a `Continuation` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_btf.directions import disk_to_vectors, vectors_to_disk, within_radius
from napari_btf.interpolation.spline import Places

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.interpolation.spline import DirectionSpline

__all__ = [
    "LARGEST_BASIS",
    "TRENDS",
    "Continuation",
    "DirectionBasis",
    "DirectionSpace",
    "Trend",
    "direction_space",
]

#: What a spline follows freely: functions linear in the unit vectors, as a matte surface shades,
#: or quadratic on the stereographic disks.
Trend = Literal["vectors", "disks"]
TRENDS: tuple[Trend, ...] = ("vectors", "disks")

#: Values of the basis at most, so that what is decoded stays finite in single precision.
LARGEST_BASIS = 1e12


@dataclass(frozen=True)
class Continuation:
    """How a basis is continued from the captured pairs to all others.

    Parameters
    ----------
    smoothing : float
        Weight of the spline's bending energy.
    dome : float
        Height of the domes of radius 1 on which distances between directions are measured: 1 for
        hemispheres, less for flatter ones.
    trend : {"vectors", "disks"}
    """

    smoothing: float = 0.0
    dome: float = 1.0
    trend: Trend = "vectors"


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
                within_radius(vectors_to_disk(light), self.light_radius),
                within_radius(vectors_to_disk(view), self.view_radius),
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

    def places(self, light: ArrayLike, view: ArrayLike, continuation: Continuation) -> Places:
        """Where pairs of unit vectors (P, 3) lie for the spline of a continuation."""
        vectors = np.concatenate(self.shown(light, view), axis=-1)
        if continuation.trend == "vectors":
            trend = vectors
        else:
            q = self(light, view)
            i, j = np.triu_indices(q.shape[1])
            trend = np.concatenate([q, q[:, i] * q[:, j]], axis=1)
        points = vectors * np.tile([1.0, 1.0, continuation.dome], 2)
        return Places(points, np.concatenate([np.ones((len(trend), 1)), trend], axis=1))


def direction_space(light: ArrayLike, view: ArrayLike) -> DirectionSpace:
    """The `DirectionSpace` of captured pairs, given as unit vectors of shape (N, 3)."""
    disks = np.concatenate([vectors_to_disk(light), vectors_to_disk(view)], axis=-1)
    centre = disks.mean(axis=0)
    _, spread, axes = np.linalg.svd(disks - centre, full_matrices=False)
    # 1e-3 on the disk is a tenth of a degree: less is the rig's own tolerance.
    varies = spread > 1e-3 * np.sqrt(len(disks))
    radius = np.hypot(disks[:, 0], disks[:, 1]).max(), np.hypot(disks[:, 2], disks[:, 3]).max()
    return DirectionSpace(centre, axes[varies].T, float(radius[0]), float(radius[1]))


@dataclass(frozen=True, eq=False)
class DirectionBasis:
    """K + 1 basis colours for every (light, view) pair: the mean, and one for each latent."""

    space: DirectionSpace
    continuation: Continuation
    spline: DirectionSpline
    latents: int
    channels: int

    def __call__(self, light: ArrayLike, view: ArrayLike) -> NDArray[np.float32]:
        """Basis at pairs of unit vectors, shapes (P, 3) -> (P, K + 1, C)."""
        table = self.spline(self.space.places(light, view, self.continuation))
        # The columns of a latent that never varies may be of any size.
        np.clip(table, -LARGEST_BASIS, LARGEST_BASIS, out=table)
        return table.reshape(-1, self.latents + 1, self.channels).astype(np.float32)
