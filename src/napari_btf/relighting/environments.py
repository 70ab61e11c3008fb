"""Environment maps: light from all directions, given by an image or by a formula."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.directions import angles_to_vectors, vectors_to_angles
from napari_btf.errors import UsageError
from napari_btf.formats.images import files as _images
from napari_btf.formats.images.types import ImageFileError
from napari_btf.relighting.lights import Light
from napari_btf.values import to_linear

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["PRESETS", "Environment", "find_environment"]

#: Rows and columns to which an image is reduced: far more pixels than the lights that replace it.
_ROWS, _COLUMNS = 64, 128
_LIGHTS = 64
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_GOLDEN = 180.0 * (3.0 - 5.0**0.5)


@dataclass(frozen=True, eq=False)
class Environment:
    """Radiance from all directions above the surface.

    Parameters
    ----------
    radiance : ndarray, shape (H, 2 H, 3)
        An equirectangular image in linear light. The first row is the direction of the surface
        normal, the middle row is the horizon, and the lower half is ignored. The middle column is
        the direction in which the top edge of the surface points (phi 90); the direction of its
        right edge (phi 0) is a quarter of the width to the right.
    name : str
        The name for error messages.
    turn : float
        Angle in degrees by which the environment is turned counter-clockwise about the normal.
    count : int
        Number of lights that replace the environment; see `lights`.

    Raises
    ------
    UsageError
        If the upper half is black everywhere or has negative or non-finite values, or if ``turn``
        is not finite.
    """

    radiance: NDArray[np.floating]
    name: str = ""
    turn: float = 0.0
    count: int = _LIGHTS

    def __post_init__(self) -> None:
        above = self.radiance[: len(self.radiance) // 2]
        shines = np.isfinite(above).all() and (above >= 0).all() and (above @ _LUMINANCE > 0).any()
        if not np.isfinite(self.turn):
            raise UsageError(
                None,
                f"the environment {self.name} is turned by {self.turn} degrees",
                "give a finite number of degrees",
            )
        if not (shines and self.count >= 1):
            raise UsageError(
                None,
                f"the environment {self.name} cannot light a surface",
                "its upper half must be finite, not negative, and bright somewhere",
            )

    def lights(self, most_theta: float = 90.0) -> list[Light]:
        """Replace the environment by directional lights, spread evenly up to a largest theta.

        Each pixel's radiance, times its solid angle, is shared among the three nearest lights. The
        shares are chosen so that the irradiance of a level surface does not change. They contain
        no cosine of theta, because the captured images contain it already. All intensities
        together give a level surface the same irradiance as one frontal light of intensity 1.

        Parameters
        ----------
        most_theta : float
            Largest theta of the lights in degrees, usually that of the captured lights.

        Returns
        -------
        list of Light
            `count` lights. Their directions depend only on ``most_theta`` and `count`, so that
            decoded images can be kept while the environment turns.
        """
        from scipy.spatial import cKDTree

        directions = _spread(self.count, most_theta)
        pixels, solid_angle = _pixels(*self.radiance.shape[:2])
        turned = _turned(pixels, self.turn).reshape(-1, 3)
        power = (self.radiance[: len(pixels)] * solid_angle[..., np.newaxis]).reshape(-1, 3)
        power = power * turned[:, 2:]
        # All environments give the same irradiance: the exposure of the image sets the brightness.
        power /= (power @ _LUMINANCE).sum()
        near = min(4, len(directions))
        distance, index = cKDTree(directions).query(turned, k=range(1, near + 1))
        share = 1.0 / np.maximum(distance, 1e-6)
        if near == 4:
            # A share fades to zero where a fourth light comes as near, so that it never jumps.
            share = (share - share[:, -1:]) ** 2 + 1e-12
        share /= share.sum(axis=1, keepdims=True)
        sums = np.zeros((len(directions), 3))
        shared = share[..., np.newaxis] * power[:, np.newaxis]
        np.add.at(sums, index.ravel(), shared.reshape(-1, 3))
        sums /= directions[:, 2:]
        theta, phi = vectors_to_angles(directions)
        found = []
        for rgb, t, p in zip(sums, theta, phi, strict=True):
            luminance = float(rgb @ _LUMINANCE)
            red, green, blue = (rgb / luminance).tolist() if luminance > 0 else (1.0, 1.0, 1.0)
            found.append(Light(float(t), float(p), (red, green, blue), luminance))
        return found


def find_environment(name: str | Path, turn: float = 0.0) -> Environment:
    """Return the preset of this name, or read an equirectangular image file.

    Parameters
    ----------
    name : str or Path
        A name in `PRESETS`, or an image file (JPEG, PNG, TIFF, OpenEXR, Radiance HDR ...) that is
        twice as wide as high. Integer pixels are taken as sRGB, floating-point ones as linear.
    turn : float
        Angle in degrees by which the environment is turned counter-clockwise about the normal.

    Raises
    ------
    UsageError
        If the name is neither a preset nor a readable equirectangular image.
    """
    preset = PRESETS.get(str(name))
    if preset is not None:
        return Environment(preset(_pixels(_ROWS, _COLUMNS)[0]), str(name), turn)
    path = Path(name)
    try:
        pixels = _images.decode(path.read_bytes())
    except ImageFileError as error:
        raise UsageError(path, f"the image {error}", error.remedy) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        known = ", ".join(PRESETS)
        raise UsageError(
            path, f"it cannot be read ({reason})", f"name an image, or one of {known}"
        ) from error
    height, width, channels = pixels.shape
    if channels not in (1, 3) or abs(width - 2 * height) > 0.02 * width or height < 2:
        raise UsageError(
            path,
            f"{width} x {height} pixels of {channels} channels are no equirectangular image",
            "use an image that is grey or RGB and twice as wide as high",
        )
    return Environment(_reduced(pixels), path.name, turn)


def _reduced(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Convert an image to linear radiance, (H, W, 3), and shrink it if it is large."""
    from skimage.transform import resize_local_mean

    if pixels.dtype.kind == "f":
        linear = np.maximum(pixels, 0).astype(np.float64)
    else:
        linear = to_linear(pixels * np.float32(1.0 / np.iinfo(pixels.dtype).max))
    if len(linear) > _ROWS:
        linear = resize_local_mean(linear, (_ROWS, _COLUMNS), channel_axis=-1)
    return np.repeat(linear, 3 // linear.shape[2], axis=2).astype(np.float64)


def _pixels(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return direction (H / 2, W, 3) and solid angle (H / 2, W) of each pixel of the upper half.

    The image is equirectangular; see `Environment`. Directions are unit vectors, solid angles are
    in steradians.
    """
    rows = np.arange(height // 2)
    theta = 180.0 * (rows + 0.5) / height
    phi = 270.0 - 360.0 * (np.arange(width) + 0.5) / width
    edges = np.cos(np.deg2rad(180.0 * np.arange(height // 2 + 1) / height))
    solid_angle = -np.diff(edges)[:, np.newaxis] * (2.0 * np.pi / width)
    return angles_to_vectors(theta[:, np.newaxis], phi), solid_angle


def _spread(count: int, most_theta: float) -> NDArray[np.float64]:
    """Spread directions (L, 3) evenly over the spherical cap up to a theta: a Fibonacci lattice.

    Gonzalez, "Measurement of areas on a sphere using Fibonacci and latitude-longitude lattices",
    2010.
    """
    # Below 90 degrees, because `Environment.lights` divides by the cosine of theta.
    depth = 1.0 - np.cos(np.deg2rad(np.clip(most_theta, 1.0, 89.0)))
    z = 1.0 - depth * (np.arange(count) + 0.5) / count
    return angles_to_vectors(np.rad2deg(np.arccos(z)), _GOLDEN * np.arange(count))


def _turned(vectors: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Rotate vectors (..., 3) counter-clockwise about the z axis."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(vectors @ turn)


def _overcast(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """The CIE overcast sky, three times as bright at the zenith as at the horizon.

    Moon and Spencer, "Illumination from a non-uniform sky", 1942.
    """
    return np.asarray((1.0 + 2.0 * direction[..., 2:]) / 3.0 * [0.96, 1.0, 1.06])


def _window(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """A tall window on the left in a dim, warm room."""
    theta, phi = vectors_to_angles(direction)
    inside = (np.abs(phi - 180.0) < 28.0) & (theta > 35.0) & (theta < 80.0)
    daylight, room = np.array([0.92, 1.0, 1.12]), np.array([1.2, 1.0, 0.75])
    return np.where(inside[..., None], 12.0 * daylight, 0.25 * room)


def _studio(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """A large soft box at the upper left, a weaker one at the right, a small one at the bottom."""
    found = np.full(direction.shape, 0.03)
    boxes = ((42.0, 135.0, 20.0, 10.0), (55.0, 15.0, 28.0, 1.6), (72.0, 265.0, 12.0, 4.0))
    for theta, phi, radius, radiance in boxes:
        cosine = direction @ angles_to_vectors(theta, phi)
        # The edge of a soft box is blurred over a few degrees.
        edge = (cosine - np.cos(np.deg2rad(radius))) / 0.03
        found += radiance / (1.0 + np.exp(-np.clip(edge, -60.0, 60.0)))[..., None]
    return found


#: Environments by name: each function maps unit vectors (..., 3) to linear radiance (..., 3).
PRESETS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "overcast": _overcast,
    "window": _window,
    "studio": _studio,
}
