"""Relighting: images of the surface, or a part, under one light, several or an environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_btf.codec.decoding.part import Part
from napari_btf.directions import Angles, unit_vector
from napari_btf.errors import UsageError
from napari_btf.progress import Progress, finish
from napari_btf.relighting.environments import Environment
from napari_btf.relighting.lights import Light, LinearValues
from napari_btf.relighting.reach import default_view, limits
from napari_btf.values import to_display

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec import CompressedBTF
    from napari_btf.progress import Job

__all__ = ["Lighting", "Relighter", "combine", "relight"]

#: One white light of intensity 1, as (theta, phi) in degrees; several lights; or an environment.
Lighting = Angles | Sequence[Light] | Environment

#: Bytes of decoded images that a `Relighter` keeps by default.
_MEMORY = 256 << 20
#: Texels that a weighted sum handles at once, so that temporary arrays stay small.
_PIECE = 1 << 14
_MOST_STOPS = 64.0


class _Kept(NamedTuple):
    """The cache of a `Relighter`: linear images of the last lights, all of one view and part."""

    view: NDArray[np.float64]
    part: Part
    vectors: NDArray[np.float64]
    """Unit vectors towards the lights, (L, 3)."""
    images: NDArray[np.float32]
    """One flattened image per light, (L, H' * W' * C)."""


class Relighter:
    """Make images of one model, and keep decoded images in a cache between calls.

    The images of several lights are kept separately. When only colours, intensities, the exposure
    or the turn of an environment change, the kept images are summed with new weights; when one of
    several lights moves, only the image of that light is decoded. The model itself keeps what
    depends on the view alone. Only one thread at a time may use a relighter.

    Parameters
    ----------
    model : CompressedBTF
    memory : int
        Largest size of the cache in bytes.

    Attributes
    ----------
    decoded : int
        Number of images that were decoded for the last call; the cache had the others.
    """

    def __init__(self, model: CompressedBTF, memory: int = _MEMORY) -> None:
        self.model = model
        self._memory = memory
        self._linear = LinearValues(model)
        self._kept: _Kept | None = None
        self.decoded = 0

    def frame(
        self,
        lighting: Lighting,
        view: Angles | None = None,
        *,
        rows: slice | None = None,
        columns: slice | None = None,
        step: int = 1,
        exposure: float = 0.0,
        gamma: float | None = None,
    ) -> NDArray[Any]:
        """Return an image for display: as `image`, but radiance is tone-mapped to 8 bits.

        Parameters
        ----------
        lighting, view, rows, columns, step, exposure
            As for `image`.
        gamma : float, optional
            Encode radiance v as ``v ** (1 / gamma)`` instead of by the sRGB curve; 1 is white.
            Images of integer captures do not change.

        Returns
        -------
        ndarray of uint8 or uint16, shape (H', W', C)
        """
        if gamma is not None and not (np.isfinite(gamma) and gamma > 0):
            raise UsageError(None, f"gamma is {gamma:g}", "give a number above 0, such as 2.2")
        how: dict[str, Any] = {"rows": rows, "columns": columns, "step": step}
        return to_display(self.image(lighting, view, exposure=exposure, **how), gamma=gamma)

    def image(
        self,
        lighting: Lighting,
        view: Angles | None = None,
        *,
        rows: slice | None = None,
        columns: slice | None = None,
        step: int = 1,
        exposure: float = 0.0,
    ) -> NDArray[Any]:
        """Return an image in the data type of the captured images.

        Parameters
        ----------
        lighting : (theta, phi), sequence of Light, or Environment
            One white light of intensity 1, in degrees; several lights, whose images are summed in
            linear light; or an environment, which is replaced by `Environment.lights`.
        view : (theta, phi), optional
            Direction of the viewer in degrees; by default the captured view nearest to the normal.
        rows, columns : slice, optional
            The texels to decode; all by default.
        step : int
            Decode only every ``step``-th of these rows and columns.
        exposure : float
            Exposure in stops: linear light is multiplied by ``2 ** exposure``.

        Returns
        -------
        ndarray, shape (H', W', C)

        Raises
        ------
        UsageError
            If a direction is below the horizon, if there is no light or no texel, or if the
            exposure is not between -64 and 64.
        """
        how: dict[str, Any] = {"rows": rows, "columns": columns, "step": step}
        return finish(self.image_job(lighting, view, exposure=exposure, **how))

    def image_job(
        self,
        lighting: Lighting,
        view: Angles | None = None,
        *,
        rows: slice | None = None,
        columns: slice | None = None,
        step: int = 1,
        exposure: float = 0.0,
    ) -> Job[NDArray[Any]]:
        """Do the work of `image` as a job, which reports after each decoded light.

        An environment on a large surface takes seconds; the caller may close the job earlier.
        """
        if not abs(exposure) <= _MOST_STOPS:
            raise UsageError(None, f"the exposure is {exposure:g} stops", "give -64 to 64")
        model = self.model
        part = Part.of(model.height, model.width, rows, columns, step)
        towards = unit_vector("view", default_view(model) if view is None else view)
        if not isinstance(lighting, Environment) and _is_angles(lighting):
            light = unit_vector("light", lighting)  # type: ignore[arg-type]
            self.decoded = 1
            if not exposure:
                return model.image(light, towards, part)
            pair = light[np.newaxis], towards[np.newaxis]
            linear = self._linear.of(next(iter(model.shaded_part(*pair, part))))
        else:
            self.decoded = 0
            linear = yield from self._sum(self._lights(lighting), towards, part)
        # An overflow to infinity is harmless: `LinearValues.stored` clips to the largest value.
        with np.errstate(over="ignore"):
            linear *= np.float32(2.0**exposure)
        return self._linear.stored(linear)

    def _lights(self, lighting: Lighting) -> list[Light]:
        if isinstance(lighting, Environment):
            return lighting.lights(limits(self.model)[0])
        lights = [light for light in lighting if isinstance(light, Light)]
        if not lights or len(lights) != len(lighting):
            raise UsageError(None, "there is no light", "give at least one light")
        return lights

    def _sum(
        self, lights: list[Light], view: NDArray[np.float64], part: Part
    ) -> Job[NDArray[np.float32]]:
        """Sum the images of all lights in linear light, (H', W', C)."""
        channels = self.model.channels
        vectors = np.stack([light.vector for light in lights])
        weights = np.stack([light.weights(channels) for light in lights])
        values = part.shape[0] * part.shape[1] * channels
        most = max(1, self._memory // (4 * values))
        total = np.zeros(values, dtype=np.float32)
        for start in range(0, len(lights), most):
            some = slice(start, start + most)
            keep = len(lights) <= most
            images = yield from self._images(vectors[some], view, part, keep)
            _add_weighted(total, images, weights[some])
        return total.reshape(*part.shape, channels)

    def _images(
        self, vectors: NDArray[np.float64], view: NDArray[np.float64], part: Part, keep: bool
    ) -> Job[NDArray[np.float32]]:
        """Decode linear images of lights (L, 3), or take them from the cache: (L, H' * W' * C).

        With ``keep``, they replace the content of the cache.
        """
        kept = self._kept
        if (
            kept is not None
            and (kept.part, len(kept.vectors)) == (part, len(vectors))
            and np.array_equal(kept.view, view)
        ):
            images = kept.images
            wanted = np.flatnonzero((kept.vectors != vectors).any(axis=1))
        else:
            values = part.shape[0] * part.shape[1] * self.model.channels
            images = np.empty((len(vectors), values), dtype=np.float32)
            wanted = np.arange(len(vectors))
        # If the job is closed half-way, the overwritten images must not stay in the cache.
        self._kept = None
        views = np.broadcast_to(view, (len(wanted), 3))
        shaded = self.model.shaded_part(vectors[wanted], views, part)
        for done, (i, image) in enumerate(zip(wanted, shaded, strict=True), start=1):
            images[i] = self._linear.of(image).reshape(-1)
            self.decoded += 1
            yield Progress("lights", done, len(wanted))
        if keep:
            self._kept = _Kept(view, part, vectors, images)
        return images


def relight(model: CompressedBTF, light: Lighting, view: Angles | None = None) -> NDArray[Any]:
    """Return an image of the surface under one light from one view.

    Directions outside the captured range give the image at the edge of that range; see `outside`.

    Parameters
    ----------
    model : CompressedBTF
    light : (theta, phi), sequence of Light, or Environment
        One light in degrees, several lights, or an environment; see `Relighter.image`.
    view : (theta, phi), optional
        Direction of the viewer in degrees; by default the captured view nearest to the normal.

    Returns
    -------
    ndarray, shape (H, W, C)
        In the data type of the captured images.

    Raises
    ------
    UsageError
        If a theta lies outside -90 to 90.
    """
    return Relighter(model).image(light, view)


def combine(
    model: CompressedBTF, lights: Sequence[Light], view: Angles | None = None
) -> NDArray[Any]:
    """Return an image of the surface under several lights at once.

    The images of the single lights are summed in linear light: integer values (sRGB) are decoded
    before and encoded after the sum.

    Returns
    -------
    ndarray, shape (H, W, C)
        In the data type of the captured images.
    """
    return Relighter(model).image(lights, view)


def _is_angles(lighting: Angles | Sequence[Light]) -> bool:
    return len(lighting) == 2 and not any(isinstance(part, Light) for part in lighting)


def _add_weighted(
    total: NDArray[np.float32], images: NDArray[np.float32], weights: NDArray[np.float32]
) -> None:
    """Add images (L, N * C) to ``total`` (N * C,), with weights (L, C) per light and channel."""
    channels = weights.shape[1]
    if (weights == weights[:, :1]).all():
        total += weights[:, 0] @ images
        return
    piece = _PIECE * channels
    for start in range(0, len(total), piece):
        # All C x C products are computed and only C are used, because reading the images is slow.
        sums = weights.T @ images[:, start : start + piece]
        for channel in range(channels):
            total[start : start + piece][channel::channels] += sums[channel, channel::channels]
