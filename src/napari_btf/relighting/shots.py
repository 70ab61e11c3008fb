"""A shot: one image of a model to make, the image that was made, and both in words."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.baselines import QuickBTF
from napari_btf.directions import (
    angles_to_vectors,
    directions_text,
    format_angles,
    vectors_to_angles,
)
from napari_btf.progress import finish
from napari_btf.relighting import Environment, Light, Relighter, limits, outside
from napari_btf.relighting.looks import LOOKS
from napari_btf.values import to_display

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.progress import Job
    from napari_btf.relighting import Lighting
    from napari_btf.relighting.looks import Look

__all__ = [
    "Angles",
    "Frame",
    "Shot",
    "described",
    "described_model",
    "finished",
    "make",
    "preview_name",
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
        What lights the surface; one light like those of the capture if not given.
    rows, columns : slice, optional
        The texels to decode, from one to before another; all if not given.
    step : int
        Decode every ``step``-th texel in both directions.
    look : Look, optional
        What becomes of the image under one light; as captured if not given.
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
    look: Look | None = None

    @property
    def lit_by(self) -> Lighting:
        """What lights the surface, as a `Relighter` takes it."""
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
        """The share of the texels that is decoded, 0 to 1."""
        height, width = (len(range(n)[part]) for n, part in self.extents)
        return height * width / (self.model.height * self.model.width * self.step**2)

    @property
    def extents(self) -> tuple[tuple[int, slice], tuple[int, slice]]:
        """The height and the width of the surface, each with the slice that is decoded."""
        everything = slice(None)
        return (
            (self.model.height, self.rows or everything),
            (self.model.width, self.columns or everything),
        )

    def developed(self, stored: NDArray[Any]) -> NDArray[Any]:
        """A captured image with the exposure and gamma of this one, for a screen.

        Images of integers stay as they are.
        """
        if stored.dtype.kind != "f":
            return stored
        with np.errstate(over="ignore"):
            exposed = stored * stored.dtype.type(2.0**self.exposure) if self.exposure else stored
        return to_display(exposed, self.gamma)

    def sampled(self) -> tuple[slice, slice]:
        """Rows and columns, which start in the middle of the first square of step x step texels."""
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
        The time that it took.
    decoded : int
        The number of images under single lights that had to be decoded.
    """

    shot: Shot
    stored: NDArray[Any]
    pixels: NDArray[Any]
    seconds: float
    decoded: int = 1


def make(shot: Shot, relighter: Relighter | None = None) -> Job[Frame]:
    """Make an image; the job may be stopped after each of its lights."""
    relighter = relighter or Relighter(shot.model)
    start = time.perf_counter()
    rows, columns = shot.sampled()
    stored = yield from relighter.image_job(
        shot.lit_by, shot.view, rows=rows, columns=columns, step=shot.step, exposure=shot.exposure
    )
    pixels = to_display(stored, shot.gamma)
    if shot.look is not None:
        # What is saved is what is seen: a look has no radiance.
        stored = pixels = _looked(shot, shot.look, pixels)
    if shot.step > 1:
        pixels = _enlarged(pixels, shot)
    return Frame(shot, stored, pixels, time.perf_counter() - start, relighter.decoded)


def _looked(shot: Shot, look: Look, pixels: NDArray[Any]) -> NDArray[Any]:
    rows, columns = (slice(x.start, x.stop, shot.step) for x in shot.sampled())
    pair = angles_to_vectors(*shot.light), angles_to_vectors(*shot.view)
    return look.of(pixels, *pair, (rows, columns), shot.developed)


def finished(frame: Frame) -> Frame:
    """The same image with all its texels."""
    return frame if frame.shot.is_whole else finish(make(frame.shot.whole))


def _enlarged(pixels: NDArray[Any], shot: Shot) -> NDArray[Any]:
    """Repeat each pixel step x step times, so that the size of the layer does not change."""
    height, width = (len(range(n)[part]) for n, part in shot.extents)
    rows = np.minimum(np.arange(height) // shot.step, len(pixels) - 1)
    columns = np.minimum(np.arange(width) // shot.step, pixels.shape[1] - 1)
    return pixels[rows][:, columns]


def described(shot: Shot) -> str:
    """The text on the canvas that describes a relit image."""
    lighting = shot.lighting
    view = angles_to_vectors(*shot.view)
    if lighting is None:
        look = LOOKS[shot.look.kind] if shot.look else ""
        text = directions_text(angles_to_vectors(*shot.light), view)
        # On a line of their own: a canvas between docks is narrow.
        notes = ", ".join(filter(None, (preview_name(shot.model), look)))
        return f"{text}\n{notes}" if notes else text
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
    """A sentence that says which captured direction is shown instead; None if none is."""
    problem = _problem_of(shot)
    return problem and f"{problem[0].upper()}{problem[1:]}."


def _problem_of(shot: Shot) -> str | None:
    lighting = shot.lighting
    if lighting is None:
        return outside(shot.model, shot.light, shot.view)
    if isinstance(lighting, Environment):
        # The lights of an environment are captured directions.
        theta, phi = vectors_to_angles(shot.model.light[0])
        return outside(shot.model, (float(theta), float(phi)), shot.view)
    problems = (outside(shot.model, (light.theta, light.phi), shot.view) for light in lighting)
    return next((problem for problem in problems if problem), None)


def described_model(model: CompressedBTF) -> str:
    """The text of the dock that describes a model."""
    preview, name = preview_name(model), model.source or "model"
    views = "one view" if model.fixed_view else f"views up to {limits(model)[1]:.4g}°"
    return (
        f"{', '.join(filter(None, (name, preview)))}: {model.width} × {model.height} texels, "
        f"{model.latent_count} latents, {views}"
        + (". Train a model (dock Train) for quality." if preview else "")
    )


def preview_name(model: CompressedBTF) -> str:
    """The name of the method of a quick preview, such as "quick PTM"; "" for a trained model."""
    return model.architecture if isinstance(model, QuickBTF) else ""
