"""A shot: one image of a model to make, the image that was made, and both in words."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.directions import (
    angles_to_vectors,
    directions_text,
    format_angles,
    vectors_to_angles,
)
from napari_btf.progress import finish
from napari_btf.relighting import Environment, Light, Relighter, limits, outside
from napari_btf.values import to_display

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.progress import Job
    from napari_btf.relighting import Lighting

__all__ = [
    "Angles",
    "Frame",
    "Shot",
    "described",
    "described_model",
    "developed",
    "finished",
    "make",
    "problem_of",
]

#: Lights that are written out on the canvas.
_MOST_WRITTEN = 3


Angles = tuple[float, float]


@dataclass(frozen=True)
class Shot:
    """An image to make.

    Parameters
    ----------
    model : CompressedBTF
    light, view : (theta, phi)
        Degrees.
    exposure : float
        Stops.
    gamma : float, optional
        Radiance becomes ``v ** (1 / gamma)`` instead of sRGB.
    lighting : tuple of Light or Environment, optional
        What shines in place of one light as in the capture.
    rows, columns : slice, optional
        The texels to decode, from one to before another; all if not given.
    step : int
        Decode every so many-th texel in both directions.
    """

    model: CompressedBTF
    light: Angles
    view: Angles
    exposure: float = 0.0
    gamma: float | None = None
    lighting: tuple[Light, ...] | Environment | None = None
    rows: slice | None = None
    columns: slice | None = None
    step: int = 1

    @property
    def lit_by(self) -> Lighting:
        """What shines, as a `Relighter` takes it."""
        return self.light if self.lighting is None else self.lighting

    @property
    def whole(self) -> Shot:
        """The same image with all its texels."""
        return replace(self, rows=None, columns=None, step=1)

    @property
    def is_whole(self) -> bool:
        """Whether all texels are decoded."""
        return self.step == 1 and self.rows is None and self.columns is None

    @property
    def share(self) -> float:
        """How much of the surface is decoded, 0 to 1."""
        height, width = (len(range(n)[part]) for n, part in self.extents)
        return height * width / (self.model.height * self.model.width * self.step**2)

    @property
    def extents(self) -> tuple[tuple[int, slice], tuple[int, slice]]:
        """Texels of the surface down and across, and which of them are wanted."""
        everything = slice(None)
        return (
            (self.model.height, self.rows or everything),
            (self.model.width, self.columns or everything),
        )

    def sampled(self) -> tuple[slice, slice]:
        """Rows and columns from the middle of the first square of step x step, if there is one."""
        starts = []
        for length, part in self.extents:
            start, stop, _ = part.indices(length)
            starts.append(slice(start + min(self.step // 2, stop - start - 1), stop))
        return starts[0], starts[1]


@dataclass(frozen=True, eq=False)
class Frame:
    """An image that was made.

    Parameters
    ----------
    shot : Shot
    stored : ndarray, shape (H, W, C)
        In the captured type, exposed.
    pixels : ndarray of uint8 or uint16, shape (H, W, C)
        For a screen; a pixel for each texel of the shot's rows and columns.
    seconds : float
        It took.
    decoded : int
        Images under single lights that had to be decoded for it.
    """

    shot: Shot
    stored: NDArray[Any]
    pixels: NDArray[Any]
    seconds: float
    decoded: int = 1


def developed(
    stored: NDArray[Any], exposure: float, gamma: float | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """An image exposed, in its own type, and for a screen; integers stay as they are."""
    if stored.dtype.kind != "f":
        return stored, stored
    with np.errstate(over="ignore"):
        exposed = stored * stored.dtype.type(2.0**exposure) if exposure else stored
    return exposed, to_display(exposed, gamma)


def make(shot: Shot, relighter: Relighter | None = None) -> Job[Frame]:
    """Make an image; it may be given up after each light of several."""
    relighter = relighter or Relighter(shot.model)
    start = time.perf_counter()
    rows, columns = shot.sampled()
    stored = yield from relighter.image_job(
        shot.lit_by, shot.view, rows=rows, columns=columns, step=shot.step, exposure=shot.exposure
    )
    pixels = to_display(stored, shot.gamma)
    if shot.step > 1:
        pixels = _enlarged(pixels, shot)
    return Frame(shot, stored, pixels, time.perf_counter() - start, relighter.decoded)


def finished(frame: Frame) -> Frame:
    """The same image with all its texels."""
    return frame if frame.shot.is_whole else finish(make(frame.shot.whole))


def _enlarged(pixels: NDArray[Any], shot: Shot) -> NDArray[Any]:
    """Each pixel as a square of step x step: the layer keeps its size, and people's changes."""
    height, width = (len(range(n)[part]) for n, part in shot.extents)
    rows = np.minimum(np.arange(height) // shot.step, len(pixels) - 1)
    columns = np.minimum(np.arange(width) // shot.step, pixels.shape[1] - 1)
    return pixels[rows][:, columns]


def described(shot: Shot) -> str:
    """What the canvas says about a relit image."""
    lighting = shot.lighting
    view = angles_to_vectors(*shot.view)
    if lighting is None:
        return directions_text(angles_to_vectors(*shot.light), view)
    # On a line of its own: lights are long enough for a narrow canvas.
    towards = f"\nview {format_angles(view)}"
    if isinstance(lighting, Environment):
        turned = f" turned {lighting.turn:.0f}°" if lighting.turn else ""
        return f"environment {lighting.name}{turned}{towards}"
    lit = [light for light in lighting if light.intensity > 0]
    if not lit:
        return f"all lights off{towards}"
    places = [format_angles(light.vector) for light in lit[:_MOST_WRITTEN]]
    places += ["..."] * (len(lit) > _MOST_WRITTEN)
    count = "light" if len(lit) == 1 else f"{len(lit)} lights"
    return f"{count} {'; '.join(places)}{towards}"


def problem_of(shot: Shot) -> str | None:
    """Why an image is not what was asked for, in one sentence; None if it is."""
    lighting = shot.lighting
    if lighting is None:
        return outside(shot.model, shot.light, shot.view)
    if isinstance(lighting, Environment):
        # Its lights are put where the model reaches.
        theta, phi = vectors_to_angles(shot.model.light[0])
        return outside(shot.model, (float(theta), float(phi)), shot.view)
    problems = (outside(shot.model, (light.theta, light.phi), shot.view) for light in lighting)
    return next((problem for problem in problems if problem), None)


def described_model(model: CompressedBTF) -> str:
    """What the dock says about a model."""
    views = "one view" if model.fixed_view else f"views up to {limits(model)[1]:.4g}°"
    return (
        f"{model.source or 'model'}: {model.width} × {model.height} texels, "
        f"{model.latent_count} latents, {views}"
    )
