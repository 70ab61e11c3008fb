"""A lamp of the scene, and the direction of a lamp or of the viewer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.directions import angles_to_vectors
from napari_btf.relighting import Light
from napari_btf.values import to_linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NORMAL", "WHITE", "Colour", "Direction", "Lamp", "changed", "one_more", "without"]

Colour = tuple[float, float, float]

WHITE: Colour = (1.0, 1.0, 1.0)
#: Decimals of intensities, so that a sum is the same after a lamp was added and removed again.
_DIGITS = 9


class Direction(NamedTuple):
    """A direction above the surface, in degrees.

    A unit vector alone would not do: at the normal it has no azimuth, but people choose an azimuth
    there, and a circle or a sweep starts along it.
    """

    theta: float
    phi: float

    @classmethod
    def of(cls, theta: float, phi: float, decimals: int = 2) -> Direction:
        """A direction as spin boxes show it: theta from 0 to 90, phi from 0 up to 360 degrees."""
        theta, phi = round(float(theta), decimals), round(float(phi), decimals) % 360.0
        return cls(min(max(theta, 0.0), 90.0), round(phi, decimals))

    @property
    def vector(self) -> NDArray[np.float64]:
        """The unit vector, (3,)."""
        return angles_to_vectors(self.theta, self.phi)


NORMAL = Direction(0.0, 0.0)


@dataclass(frozen=True)
class Lamp:
    """One light of the scene.

    Parameters
    ----------
    direction : Direction
        Where the light comes from.
    colour : (red, green, blue)
        sRGB, 0 to 1.
    intensity : float
        1 is the intensity of the lights in the capture.
    is_on : bool
    """

    direction: Direction = NORMAL
    colour: Colour = WHITE
    intensity: float = 1.0
    is_on: bool = True

    @property
    def light(self) -> Light:
        """The lamp as a `Light`.

        A lamp that is off has intensity 0, so that its decoded image stays in the cache.
        """
        red, green, blue = to_linear(np.array(self.colour, dtype=np.float32)).tolist()
        intensity = self.intensity if self.is_on else 0.0
        return Light(*self.direction, (red, green, blue), intensity)


def changed(lamps: tuple[Lamp, ...], index: int, lamp: Lamp) -> tuple[Lamp, ...]:
    """The same lamps with another one at an index."""
    return (*lamps[:index], lamp, *lamps[index + 1 :])


def one_more(lamps: tuple[Lamp, ...], direction: Direction) -> tuple[Lamp, ...]:
    """Add a white lamp; all lamps together stay as bright as before."""
    total = _brightness(lamps) or 1.0
    dimmed = _of_brightness(lamps, total * len(lamps) / (len(lamps) + 1))
    return (*dimmed, Lamp(direction, intensity=round(total / (len(lamps) + 1), _DIGITS)))


def without(lamps: tuple[Lamp, ...], index: int) -> tuple[Lamp, ...]:
    """Remove a lamp; the others together become as bright as all lamps were."""
    rest = lamps[:index] + lamps[index + 1 :]
    return _of_brightness(rest, _brightness(lamps))


def _brightness(lamps: tuple[Lamp, ...]) -> float:
    return sum(lamp.intensity for lamp in lamps if lamp.is_on)


def _of_brightness(lamps: tuple[Lamp, ...], wanted: float) -> tuple[Lamp, ...]:
    """Scale the lamps that are on to a sum of intensities."""
    total = _brightness(lamps)
    if not total:
        return lamps
    factor = wanted / total
    return tuple(
        replace(x, intensity=round(x.intensity * factor, _DIGITS)) if x.is_on else x for x in lamps
    )
