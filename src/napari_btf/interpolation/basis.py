"""The decoder's basis over directions, evaluated once per frame, in NumPy.

The basis is a spline (see `napari_btf.interpolation.spline`) over the hemispheres of lights and
views. Its distance measure, its trend and its smoothing differ from capture to capture; a
`Continuation` holds these settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_btf.directions import disk_to_vectors, vectors_to_disk, within_radius
from napari_btf.interpolation.spline import RIDGE, Places

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

#: The trend of a spline, whose functions are fitted without penalty: linear in the unit vectors
#: (which suits matte surfaces), or quadratic in coordinates on the stereographic disks.
Trend = Literal["vectors", "disks"]
TRENDS: tuple[Trend, ...] = ("vectors", "disks")

#: Basis values are clamped to this magnitude, so that decoded values stay finite in float32.
LARGEST_BASIS = 1e12


@dataclass(frozen=True)
class Continuation:
    """Settings of the spline that interpolates a basis between the captured pairs.

    Parameters
    ----------
    smoothing : float
        Weight of the spline's bending energy.
    dome : float
        Factor of the z coordinates before distances between directions are measured: 1 keeps the
        hemispheres, smaller values flatten them.
    trend : {"vectors", "disks"}
        Functions that the spline fits with hardly a penalty (see `Trend`).
    ridge : float
        Penalty of the slopes of the trend. It is larger where the captured directions do not
        determine them, such as the slope along z on a ring of lights.
    """

    smoothing: float = 0.0
    dome: float = 1.0
    trend: Trend = "vectors"
    ridge: float = RIDGE


@dataclass(frozen=True, eq=False)
class DirectionSpace:
    """Coordinates of (light, view) pairs: both stereographic disks, without constant dimensions.

    Parameters
    ----------
    centre : ndarray, shape (4,)
        Mean of ``(light x, light y, view x, view y)`` over the captured pairs.
    axes : ndarray, shape (4, D)
        Orthonormal axes along which the pairs vary; D = 2 for a fixed view.
    light_radius, view_radius : float
        Largest captured radii on the disks. Directions beyond are clamped to these radii, because
        nothing is known there.
    """

    centre: NDArray[np.float64]
    axes: NDArray[np.float64]
    light_radius: float
    view_radius: float

    def __call__(self, light: ArrayLike, view: ArrayLike) -> NDArray[np.float64]:
        """Return the coordinates (P, D) of pairs of unit vectors, each of shape (P, 3)."""
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
        """Return the pairs that are decoded in place of the requested pairs.

        A pair changes if it lies beyond the captured radii, or off the dimensions along which the
        captured pairs vary. All arrays are unit vectors of shape (P, 3).
        """
        disks = self.centre + self(light, view) @ self.axes.T
        return disk_to_vectors(disks[..., :2]), disk_to_vectors(disks[..., 2:])

    def places(self, light: ArrayLike, view: ArrayLike, continuation: Continuation) -> Places:
        """Return the spline coordinates and trend values of pairs of unit vectors (P, 3)."""
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
    """Build the `DirectionSpace` of captured pairs, given as unit vectors of shape (N, 3)."""
    disks = np.concatenate([vectors_to_disk(light), vectors_to_disk(view)], axis=-1)
    centre = disks.mean(axis=0)
    _, spread, axes = np.linalg.svd(disks - centre, full_matrices=False)
    # 1e-3 on the disk is a tenth of a degree; a smaller spread is due to the rig's tolerance.
    varies = spread > 1e-3 * np.sqrt(len(disks))
    radius = np.hypot(disks[:, 0], disks[:, 1]).max(), np.hypot(disks[:, 2], disks[:, 3]).max()
    return DirectionSpace(centre, axes[varies].T, float(radius[0]), float(radius[1]))


@dataclass(frozen=True, eq=False)
class DirectionBasis:
    """K + 1 basis colours for every (light, view) pair: the mean and one colour per latent."""

    space: DirectionSpace
    continuation: Continuation
    spline: DirectionSpline
    latents: int
    channels: int

    def __call__(self, light: ArrayLike, view: ArrayLike) -> NDArray[np.float32]:
        """Evaluate the basis at pairs of unit vectors, shapes (P, 3) -> (P, K + 1, C)."""
        table = self.spline(self.space.places(light, view, self.continuation))
        # Clamped, because columns of a latent that never varies may have arbitrarily large values.
        np.clip(table, -LARGEST_BASIS, LARGEST_BASIS, out=table)
        return table.reshape(-1, self.latents + 1, self.channels).astype(np.float32)
