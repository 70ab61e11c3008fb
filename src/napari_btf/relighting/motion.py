"""Motions: how light, view and environment move by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.directions import (
    angle_between,
    angles_to_vectors,
    great_circle,
    vectors_to_angles,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["Motion", "Pose", "along", "circle", "recorded", "sweep", "turn", "view_circle"]

Angles = tuple[float, float]

#: A circle nearer to the normal than this would stand still; it takes the other theta.
_LEAST_THETA, _USUAL_THETA = 5.0, 45.0
#: Keyframes are at least so far apart in time, as degrees: one may be meant to stand still.
_LEAST_DEGREES = 15.0


class Pose(NamedTuple):
    """The directions (theta, phi) of light and view, and the turn of the environment, in degrees.

    None stands for a part that does not move.
    """

    light: Angles | None = None
    view: Angles | None = None
    turn: float | None = None


@dataclass(frozen=True)
class Motion:
    """A motion: the pose at each time, and how long it takes.

    Parameters
    ----------
    length : float
        Degrees from its start to its end.
    at : callable
        The `Pose` after so many degrees.
    seconds : float, optional
        How long it takes, if it has a tempo of its own.
    is_closed : bool
        Whether it ends where it starts.
    """

    length: float
    at: Callable[[float], Pose]
    seconds: float | None = None
    is_closed: bool = True

    def poses(self, count: int) -> list[Pose]:
        """Return a number of poses, evenly in time.

        A closed motion does not repeat its first pose at its end.
        """
        steps = count if self.is_closed else max(count - 1, 1)
        return [self.at(self.length * i / steps) for i in range(count)]


def circle(light: Angles, reach: float = 90.0) -> Motion:
    """The light moves once around the normal at its theta, or at a usual theta if it is near it."""
    return Motion(360.0, _around(light, reach, lambda angles: Pose(light=angles)))


def view_circle(view: Angles, reach: float = 90.0) -> Motion:
    """The view moves once around the normal while the light stays, as in `circle`."""
    return Motion(360.0, _around(view, reach, lambda angles: Pose(view=angles)))


def turn(start: float) -> Motion:
    """The environment turns once around the normal, counter-clockwise."""
    return Motion(360.0, lambda degrees: Pose(turn=(start + degrees) % 360.0))


def _around(start: Angles, reach: float, pose: Callable[[Angles], Pose]) -> Callable[[float], Pose]:
    theta, phi = start
    if theta < _LEAST_THETA:
        theta = min(_USUAL_THETA, reach)
    return lambda degrees: pose((theta, (phi + degrees) % 360.0))


def sweep(light: Angles, reach: float = 90.0) -> Motion:
    """The light moves over the normal to the other side and back, up to ``reach`` degrees."""
    theta, phi = light
    theta = min(theta, reach)
    length = 4.0 * reach

    def at(degrees: float) -> Pose:
        # From reach down to -reach and up again; it starts where the light is.
        along_it = (degrees + reach - theta) % length if length else 0.0
        tilt = reach - along_it if along_it < 2 * reach else along_it - 3 * reach
        return Pose((abs(tilt), phi if tilt >= 0 else (phi + 180.0) % 360.0))

    return Motion(length, at)


def along(keyframes: Sequence[Pose], closed: bool = False) -> Motion:
    """Move from keyframe to keyframe on great circles, evenly in time; turns take the shorter way.

    Parameters
    ----------
    keyframes : sequence of Pose
        At least two, with light and view.
    closed : bool
        Whether it goes back to the first one.
    """
    stops = [*keyframes, keyframes[0]] if closed else list(keyframes)
    vectors, turns = _vectors(stops)
    apart = angle_between(vectors[:-1], vectors[1:]).max(axis=1)
    apart = np.maximum(apart, np.abs(np.diff(turns)))
    ends = np.concatenate([[0.0], np.cumsum(np.maximum(apart, _LEAST_DEGREES))])
    return Motion(float(ends[-1]), _between(stops, vectors, turns, ends), is_closed=closed)


def recorded(poses: Sequence[Pose], seconds: Sequence[float]) -> Motion:
    """Repeat recorded poses at their own pace.

    Parameters
    ----------
    poses : sequence of Pose
        At least two, with light and view.
    seconds : sequence of float
        When each was, increasing.
    """
    ends = np.asarray(seconds, dtype=np.float64) - seconds[0]
    vectors, turns = _vectors(poses)
    length = float(ends[-1])
    return Motion(length, _between(poses, vectors, turns, ends), length, is_closed=False)


def _vectors(poses: Sequence[Pose]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return light and view as unit vectors, (N, 2, 3), and turns without jumps, (N,)."""
    pairs = [(pose.light or (0.0, 0.0), pose.view or (0.0, 0.0)) for pose in poses]
    vectors = np.array([[angles_to_vectors(*angles) for angles in pair] for pair in pairs])
    return vectors, np.unwrap([pose.turn or 0.0 for pose in poses], period=360.0)


def _between(
    stops: Sequence[Pose],
    vectors: NDArray[np.float64],
    turns: NDArray[np.float64],
    ends: NDArray[np.float64],
) -> Callable[[float], Pose]:
    """Return the pose at a time, between stops at given times."""

    def at(time: float) -> Pose:
        i = int(np.clip(np.searchsorted(ends, time, side="right") - 1, 0, len(ends) - 2))
        part = float(np.clip((time - ends[i]) / (ends[i + 1] - ends[i]), 0.0, 1.0))
        # At a keyframe its own angles: an azimuth at the normal is one, too.
        if part in (0.0, 1.0) or stops[i] == stops[i + 1]:
            return stops[i + int(part)]
        (t0, p0), (t1, p1) = (
            vectors_to_angles(great_circle(vectors[i, k], vectors[i + 1, k], part)) for k in (0, 1)
        )
        turned = (
            None if stops[i].turn is None else float(turns[i] + part * (turns[i + 1] - turns[i]))
        )
        # A rounding error below the horizon is on it.
        light, view = (min(float(t0), 90.0), float(p0)), (min(float(t1), 90.0), float(p1))
        return Pose(light, view, None if turned is None else turned % 360.0)

    return at
