"""Ways that light and view go by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.directions import (
    angle_between,
    angles_to_vectors,
    great_circle,
    vectors_to_angles,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Motion", "along", "circle", "sweep"]

Angles = tuple[float, float]
Pair = tuple[Angles, Angles]
Moved = tuple[Angles, Angles | None]

#: A circle nearer to the normal than this would stand still; it takes the other theta.
_LEAST_THETA, _USUAL_THETA = 5.0, 45.0
#: Keyframes are at least so far apart in time, as degrees: one may be meant to stand still.
_LEAST_DEGREES = 15.0


@dataclass(frozen=True)
class Motion:
    """A way, run through by degrees.

    Parameters
    ----------
    length : float
        Degrees from its start to its end.
    at : callable
        Light and view, (theta, phi) each, after so many degrees; None for a view that stays.
    """

    length: float
    at: Callable[[float], Moved]


def circle(light: Angles, reach: float = 90.0) -> Motion:
    """The light goes once around at its theta; at a usual one if it stands near the normal."""
    theta, phi = light
    if theta < _LEAST_THETA:
        theta = min(_USUAL_THETA, reach)
    return Motion(360.0, lambda degrees: ((theta, (phi + degrees) % 360.0), None))


def sweep(light: Angles, reach: float = 90.0) -> Motion:
    """The light goes over the normal to the other side and back, as far as ``reach`` degrees."""
    theta, phi = light
    theta = min(theta, reach)
    length = 4.0 * reach

    def at(degrees: float) -> Moved:
        # From reach down to -reach and up again; it starts where the light is.
        along_it = (degrees + reach - theta) % length if length else 0.0
        tilt = reach - along_it if along_it < 2 * reach else along_it - 3 * reach
        return (abs(tilt), phi if tilt >= 0 else (phi + 180.0) % 360.0), None

    return Motion(length, at)


def along(keyframes: Sequence[Pair], closed: bool = False) -> Motion:
    """From keyframe to keyframe on great circles, evenly in time.

    Parameters
    ----------
    keyframes : sequence of (light, view)
        At least two.
    closed : bool
        Whether it goes back to the first one.
    """
    stops = [*keyframes, keyframes[0]] if closed else list(keyframes)
    vectors = np.array([[angles_to_vectors(*angles) for angles in pair] for pair in stops])
    apart = angle_between(vectors[:-1], vectors[1:]).max(axis=1)
    ends = np.concatenate([[0.0], np.cumsum(np.maximum(apart, _LEAST_DEGREES))])

    def at(degrees: float) -> Moved:
        i = int(np.clip(np.searchsorted(ends, degrees, side="right") - 1, 0, len(ends) - 2))
        part = float(np.clip((degrees - ends[i]) / (ends[i + 1] - ends[i]), 0.0, 1.0))
        # At a keyframe its own angles: an azimuth at the normal is one, too.
        if part in (0.0, 1.0):
            return stops[i + int(part)]
        (t0, p0), (t1, p1) = (
            vectors_to_angles(great_circle(vectors[i, k], vectors[i + 1, k], part)) for k in (0, 1)
        )
        return (float(t0), float(p0)), (float(t1), float(p1))

    return Motion(float(ends[-1]), at)
