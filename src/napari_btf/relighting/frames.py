"""Images under one light, several, or an environment; of the whole surface or a part of it."""

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

#: (theta, phi) of one light as in the capture; several lights; or an environment.
Lighting = Angles | Sequence[Light] | Environment

_MEMORY = 256 << 20
#: Values of frames that are weighted at once.
_PIECE = 1 << 14
_MOST_STOPS = 64.0


class _Kept(NamedTuple):
    """Linear images of some lights."""

    view: NDArray[np.float64]
    part: Part
    vectors: NDArray[np.float64]
    """(L, 3)."""
    images: NDArray[np.float32]
    """(L, H' * W' * C)."""


class Relighter:
    """Images of one model, with what is kept from one to the next.

    While only the light moves, what depends on the view is kept (by the model). The images of
    several lights are kept, too: when colours, intensities, exposure or the environment change,
    they are only weighted anew, and when one light of several moves, only its image is decoded.
    To be used by one thread at a time.

    Parameters
    ----------
    model : CompressedBTF
    memory : int
        Bytes of images that are kept, at most.

    Attributes
    ----------
    decoded : int
        Images that had to be decoded for the last one that was asked for; the others were kept.
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
        """An image for a screen: `image`, and of radiance 8 bits with 1 as white.

        Parameters
        ----------
        lighting, view, rows, columns, step, exposure
            As for `image`.
        gamma : float, optional
            Radiance becomes ``v ** (1 / gamma)`` instead of sRGB. Integers are shown as they are.

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
        """An image in the type of the captured ones.

        Parameters
        ----------
        lighting : (theta, phi), sequence of Light, or Environment
            One light as in the capture, degrees; several lights, whose images are summed in linear
            light; or an environment (see `Environment.lights`).
        view : (theta, phi), optional
            Degrees; the captured view nearest to normal if not given.
        rows, columns : slice, optional
            The texels to decode, all if not given.
        step : int
            Decode every ``step``-th of them in both directions.
        exposure : float
            Stops: linear light is multiplied by two to the power of this. 0 leaves it as it is.

        Returns
        -------
        ndarray, shape (H', W', C)

        Raises
        ------
        UsageError
            For a direction below the horizon, no light, no texel, or an exposure that is none.
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
        """`image` as a job, with a report after each image of several lights.

        An environment on a large surface takes seconds: such a job may be closed on its way.
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
        # What gets too large is white, or the largest number there is.
        with np.errstate(over="ignore"):
            linear *= np.float32(2.0**exposure)
        return self._linear.stored(linear)

    def _lights(self, lighting: Lighting) -> list[Light]:
        if isinstance(lighting, Environment):
            return lighting.lights(limits(self.model)[0])
        lights = [light for light in lighting if isinstance(light, Light)]
        if not lights or len(lights) != len(lighting):
            raise UsageError(None, "there is no light to show the surface under", "give a light")
        return lights

    def _sum(
        self, lights: list[Light], view: NDArray[np.float64], part: Part
    ) -> Job[NDArray[np.float32]]:
        """The sum of the images of lights, linear, (H', W', C)."""
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
        """Linear images of lights (L, 3), one a row."""
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
        # Half done, they are nobody's.
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
    """The surface under one light from one view, as an image.

    Parameters
    ----------
    model : CompressedBTF
    light, view : (theta, phi)
        Degrees. Directions beyond the captured ones (see `outside`) give the image at the
        edge of the captured range. Without ``view``: the captured view nearest to normal.
        Several lights or an environment, too: see `Relighter.image`.

    Returns
    -------
    ndarray, shape (H, W, C)
        In the type of the captured images.

    Raises
    ------
    UsageError
        If a theta lies outside -90 to 90.
    """
    return Relighter(model).image(light, view)


def combine(
    model: CompressedBTF, lights: Sequence[Light], view: Angles | None = None
) -> NDArray[Any]:
    """The surface under several lights at once: their images, summed in linear light.

    Integer captures (sRGB) are decoded to linear light, summed, and encoded again.

    Returns
    -------
    ndarray, shape (H, W, C)
        In the type of the captured images.
    """
    return Relighter(model).image(lights, view)


def _is_angles(lighting: Angles | Sequence[Light]) -> bool:
    return len(lighting) == 2 and not any(isinstance(part, Light) for part in lighting)


def _add_weighted(
    total: NDArray[np.float32], images: NDArray[np.float32], weights: NDArray[np.float32]
) -> None:
    """Add images (L, N * C), weighted by light and channel (L, C), to ``total`` (N * C,)."""
    channels = weights.shape[1]
    if (weights == weights[:, :1]).all():
        total += weights[:, 0] @ images
        return
    piece = _PIECE * channels
    for start in range(0, len(total), piece):
        # Every channel by the weights of every one: reading the images is what takes time.
        sums = weights.T @ images[:, start : start + piece]
        for channel in range(channels):
            total[start : start + piece][channel::channels] += sums[channel, channel::channels]
