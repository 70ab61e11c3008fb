"""Light and view directions: angles, unit vectors, the stereographic disk.

Everything inside the package uses unit vectors with x = image right, y = image up and
z = out of the surface. Angles appear in file names, user interfaces and public arguments
called ``theta`` (polar angle from the normal) and ``phi`` (azimuth, counter-clockwise from
+x), in degrees.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_btf.errors import UsageError

__all__ = [
    "Angles",
    "AzimuthConvention",
    "DirectionGroups",
    "angle_between",
    "angles_to_vectors",
    "directions_text",
    "disk_to_vectors",
    "format_angles",
    "great_circle",
    "group_directions",
    "unit_vector",
    "vectors_to_angles",
    "vectors_to_disk",
]

FloatArray = NDArray[np.float64]
#: Theta and phi, in degrees.
Angles = tuple[float, float]

#: Directions closer than this are the same direction (degrees). File names carry at most
#: two decimals, and rigs repeat a position to about a hundredth of a degree.
SAME_DIRECTION_DEGREES = 0.02


def angles_to_vectors(theta: ArrayLike, phi: ArrayLike) -> FloatArray:
    """Convert polar angles to unit vectors.

    Parameters
    ----------
    theta, phi : array_like, shape (...)
        Degrees; any real numbers (a negative ``theta`` points to the opposite azimuth).

    Returns
    -------
    ndarray, shape (..., 3)
        ``(sin t cos p, sin t sin p, cos t)``.
    """
    t = np.deg2rad(np.asarray(theta, dtype=np.float64))
    p = np.deg2rad(np.asarray(phi, dtype=np.float64))
    t, p = np.broadcast_arrays(t, p)
    return np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], axis=-1)


def unit_vector(name: str, angles: Angles) -> FloatArray:
    """Return the unit vector of a direction above the surface.

    Parameters
    ----------
    name : str
        Name of the direction in the error message: "light" or "view".
    angles : (theta, phi)
        Degrees. A theta of 90 is the horizon, and a negative theta points to the opposite azimuth.
        Any finite phi is accepted.

    Raises
    ------
    UsageError
        If theta lies outside -90 to 90, or if an angle is not a finite number.
    """
    theta, phi = angles
    if not (np.isfinite(phi) and -90.0 <= theta <= 90.0):
        raise UsageError(
            None,
            f"{name} {theta:g},{phi:g} is not a direction above the surface",
            "give theta between -90 and 90 and any phi, in degrees",
        )
    return angles_to_vectors(theta, phi)


def vectors_to_angles(vectors: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Convert unit vectors to polar angles.

    Parameters
    ----------
    vectors : array_like, shape (..., 3)
        Unit vectors.

    Returns
    -------
    theta, phi : ndarray, shape (...)
        Degrees, ``0 <= theta <= 180`` and ``0 <= phi < 360``; ``phi`` is 0 at the pole.
    """
    v = np.asarray(vectors, dtype=np.float64)
    radius = np.hypot(v[..., 0], v[..., 1])
    theta = np.rad2deg(np.arctan2(radius, v[..., 2]))
    phi = np.rad2deg(np.arctan2(v[..., 1], v[..., 0])) % 360.0
    phi = np.where((radius < 1e-9) | (phi >= 360.0), 0.0, phi)
    return theta, phi


def vectors_to_disk(vectors: ArrayLike) -> FloatArray:
    """Project the hemisphere onto the unit disk (stereographic projection).

    Parameters
    ----------
    vectors : array_like, shape (..., 3)
        Unit vectors with z > -1.

    Returns
    -------
    ndarray, shape (..., 2)
        ``(x, y) / (1 + z)``: radius ``tan(theta / 2)``, 0 at normal incidence, 1 at grazing.
    """
    v = np.asarray(vectors, dtype=np.float64)
    return v[..., :2] / (1.0 + v[..., 2:])


def disk_to_vectors(points: ArrayLike) -> FloatArray:
    """Convert points on the stereographic disk to unit vectors; inverse of `vectors_to_disk`.

    Parameters
    ----------
    points : array_like, shape (..., 2)

    Returns
    -------
    ndarray, shape (..., 3)
    """
    p = np.asarray(points, dtype=np.float64)
    square = np.sum(p * p, axis=-1, keepdims=True)
    return np.asarray(np.concatenate([2.0 * p, 1.0 - square], axis=-1) / (1.0 + square))


def angle_between(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return the angles between unit vectors, in degrees.

    Uses the half-angle form, which keeps its precision for nearly equal directions
    (W. Kahan, "How futile are mindless assessments of roundoff", 2006, section 12).

    Parameters
    ----------
    a, b : array_like, shape (..., 3)

    Returns
    -------
    ndarray, shape (...)
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    apart = np.linalg.norm(a - b, axis=-1)
    return np.asarray(np.rad2deg(2.0 * np.arctan2(apart, np.linalg.norm(a + b, axis=-1))))


def great_circle(a: ArrayLike, b: ArrayLike, share: ArrayLike) -> FloatArray:
    """Interpolate along the great circle from ``a`` to ``b``; if opposite, through the normal.

    This is "slerp": Shoemake, "Animating rotation with quaternion curves", 1985.

    Parameters
    ----------
    a, b : array_like, shape (..., 3)
        Unit vectors.
    share : array_like, shape (...)
        Fraction of the way from ``a`` to ``b``, 0..1.

    Returns
    -------
    ndarray, shape (..., 3)
        Unit vectors.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    share = np.asarray(share, dtype=np.float64)[..., np.newaxis]
    angle = np.deg2rad(angle_between(a, b))[..., np.newaxis]
    # The way has two halves, because no shortest way between opposite vectors is unique.
    middle = np.where(angle > np.pi - 1e-6, [0.0, 0.0, 1.0], a + b)
    middle = middle / np.linalg.norm(middle, axis=-1, keepdims=True)
    first = share < 0.5
    start, end = np.where(first, a, middle), np.where(first, middle, b)
    share, angle = np.where(first, 2 * share, 2 * share - 1), angle / 2
    sine = np.sin(angle)
    arc = np.sin((1 - share) * angle) * start + np.sin(share * angle) * end
    moved = np.where(sine > 1e-9, arc / np.maximum(sine, 1e-12), start)
    return np.asarray(moved / np.linalg.norm(moved, axis=-1, keepdims=True))


def format_angles(vector: ArrayLike) -> str:
    """Format one unit vector as ``"theta, phi"``, in degrees with at most two decimals."""
    theta, phi = vectors_to_angles(vector)
    return f"{float(theta):.4g}\N{DEGREE SIGN}, {float(phi):.5g}\N{DEGREE SIGN}"


class DirectionGroups(NamedTuple):
    """The distinct directions of a list, and the index of each entry's direction."""

    vectors: FloatArray
    """Distinct unit vectors, shape (M, 3), ordered by theta, then phi."""
    member_of: NDArray[np.intp]
    """Row in ``vectors`` of each entry's direction, shape (N,)."""


def group_directions(vectors: ArrayLike) -> DirectionGroups:
    """Find the distinct directions in a list.

    An entry belongs to a group if it lies within `SAME_DIRECTION_DEGREES` of its first entry.

    Parameters
    ----------
    vectors : array_like, shape (N, 3)
        Unit vectors.

    Returns
    -------
    DirectionGroups
    """
    from scipy.spatial import cKDTree

    v = np.asarray(vectors, dtype=np.float64).reshape(-1, 3)
    exact, inverse = np.unique(v.round(12), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    reach = 2.0 * np.sin(np.deg2rad(SAME_DIRECTION_DEGREES) / 2.0)
    representative = np.full(len(exact), -1, dtype=np.intp)
    neighbours = cKDTree(exact).query_ball_point(exact, reach) if len(exact) else []
    for i in range(len(exact)):
        if representative[i] < 0:
            group = [j for j in neighbours[i] if representative[j] < 0]
            representative[group] = i
    kept = np.unique(representative)
    theta, phi = vectors_to_angles(exact[kept])
    order = np.lexsort((phi.round(3), theta.round(3)))
    rank = np.empty(len(exact), dtype=np.intp)
    rank[kept[order]] = np.arange(len(kept))
    return DirectionGroups(exact[kept[order]], rank[representative[inverse]])


@dataclass(frozen=True)
class AzimuthConvention:
    """How a capture measures azimuths: in which sense of rotation, and from which zero direction.

    ``phi = zero + phi_capture``, or ``zero - phi_capture`` if azimuths increase clockwise. So
    ``cw`` swaps up and down, ``cw+180`` swaps left and right, and ``ccw+90`` rotates directions by
    a quarter turn counter-clockwise.

    Parameters
    ----------
    clockwise : bool
        Whether the azimuths of the capture increase clockwise.
    zero : float
        Direction of the capture's azimuth 0, in degrees counter-clockwise from image right.
    """

    clockwise: bool = False
    zero: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.zero):
            raise UsageError(None, f"azimuths cannot start at {self.zero}, expected degrees")

    @classmethod
    def parse(cls, text: str) -> AzimuthConvention:
        """Parse the text form that `str` gives: ``ccw``, ``cw``, ``cw+90``, ``ccw-45.5``.

        Raises
        ------
        UsageError
            If the text does not have this form.
        """
        found = re.fullmatch(
            r"(c?cw)\s*([+-]\s*(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)?", text.strip().lower()
        )
        if found is None:
            raise UsageError(
                None,
                f"{text!r} is not an azimuth convention, expected ccw or cw, followed by the "
                "degrees of azimuth 0 unless they are 0, such as cw+90 or ccw-45.5",
            )
        return cls(found[1] == "cw", float("".join((found[2] or "0").split())))

    def __str__(self) -> str:
        direction = "cw" if self.clockwise else "ccw"
        return direction + f"{float(self.zero):+}".removesuffix(".0") if self.zero else direction

    @property
    def is_identity(self) -> bool:
        """Whether the convention leaves all directions unchanged."""
        return not self.clockwise and self.zero % 360.0 == 0.0

    def apply(self, vectors: ArrayLike) -> FloatArray:
        """Convert directions of a capture to the convention of this package.

        Parameters
        ----------
        vectors : array_like, shape (..., 3)
            Unit vectors computed from the capture's own azimuths.

        Returns
        -------
        ndarray, shape (..., 3)
        """
        v = np.asarray(vectors, dtype=np.float64)
        right, up = v[..., 0], -v[..., 1] if self.clockwise else v[..., 1]
        # Quarter turns are computed separately, because they must be exact.
        quarter, rest = divmod(self.zero % 360.0, 90.0)
        cos, sin = np.cos(np.deg2rad(rest)), np.sin(np.deg2rad(rest))
        for _ in range(int(quarter)):
            cos, sin = -sin, cos
        return np.stack([cos * right - sin * up, sin * right + cos * up, v[..., 2]], axis=-1)


def directions_text(light: ArrayLike, view: ArrayLike) -> str:
    """Format the angles of a light and a view, given as unit vectors."""
    return f"light {format_angles(light)}   view {format_angles(view)}"


def within_radius(points: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Move points (..., 2) beyond ``radius`` onto the circle of that radius around the origin."""
    length = np.hypot(points[..., 0], points[..., 1])[..., np.newaxis]
    return np.asarray(points * np.minimum(1.0, radius / np.maximum(length, 1e-12)))
