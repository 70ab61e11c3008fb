"""Estimates of the surface itself: normals and albedo by photometric stereo."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.codec.decoding.part import Part
from napari_btf.directions import group_directions, unit_vector
from napari_btf.errors import UsageError
from napari_btf.interpolation.spline import spread_subset
from napari_btf.progress import Progress
from napari_btf.relighting.lights import LinearValues
from napari_btf.relighting.reach import default_view
from napari_btf.texels.normals import surface_normals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec import CompressedBTF
    from napari_btf.directions import Angles
    from napari_btf.progress import Job

__all__ = ["SurfaceEstimate", "estimate_surface"]

_LIGHTS = 64
#: Bytes of decoded images at a time.
_MEMORY = 128 << 20
#: Shares of the lights of a texel that are left out: the darkest, which may be shadows, and the
#: brightest, which may be highlights.
_DARK, _BRIGHT = 0.2, 0.2
#: What is darker than this share of the brightest light that is left is a shadow in any case.
_SHADOW = 0.05
#: How far lights must be from lying in one plane, as a share of their number.
_FLAT = 1e-3


class SurfaceEstimate(NamedTuple):
    """What the surface may be like; see `estimate_surface`."""

    normals: NDArray[np.float32]
    """(H, W, 3), unit vectors: x right, y up, z out of the surface."""
    albedo: NDArray[np.float32]
    """(H, W, C), linear: what each texel would show if a light stood along its normal."""


def estimate_surface(model: CompressedBTF, view: Angles | None = None) -> Job[SurfaceEstimate]:
    """Estimate normals and albedo from decoded images: an estimate, not a measurement.

    Classical photometric stereo: each texel is taken for matte (Lambertian), so that its linear
    light is ``albedo * (normal . light)`` (Woodham, "Photometric method for determining surface
    orientation from multiple images", 1980), solved by least squares. Shadows and highlights are
    neither: of each texel the darkest and the brightest fifth of the lights are left out, and what
    is nearly black; of the rest, what fits badly counts less. Gloss, light from neighbours and
    coarse models shift the result; a smooth shift over the whole surface is the usual fault.

    Parameters
    ----------
    model : CompressedBTF
        At least four lights that do not lie in one plane with the surface. Up to 64 of the captured
        ones are used, spread evenly.
    view : (theta, phi), optional
        Degrees; the captured view nearest to normal if not given.

    Yields
    ------
    Progress

    Returns
    -------
    SurfaceEstimate

    Raises
    ------
    UsageError
        If the captured lights do not suffice.
    """
    towards = unit_vector("view", default_view(model) if view is None else view)
    lights = group_directions(model.light).vectors
    lights = lights[spread_subset(lights, _LIGHTS)]
    spread = np.linalg.svd(lights, compute_uv=False) if len(lights) > 3 else np.zeros(3)
    if len(lights) < 4 or spread[-1] ** 2 < _FLAT * len(lights):
        raise UsageError(
            model.path,
            f"{len(lights)} captured lights do not tell the shape of a surface",
            "at least four that do not lie in one plane do",
        )
    shape = model.height, model.width
    normals = np.empty((*shape, 3), dtype=np.float32)
    albedo = np.empty((*shape, model.channels), dtype=np.float32)
    linear = LinearValues(model)
    row_bytes = 4 * len(lights) * model.width * model.channels
    rows = max(1, _MEMORY // row_bytes)
    views = np.broadcast_to(towards, lights.shape)
    for start in range(0, model.height, rows):
        yield Progress("normals", start, model.height)
        part = Part.of(*shape, slice(start, start + rows))
        shaded = model.shaded_part(lights, views, part)
        images = np.stack([linear.of(image).reshape(-1, model.channels) for image in shaded])
        found = _solved(images, lights)
        for target, values in zip((normals, albedo), found, strict=True):
            part.cut(target)[...] = values.reshape(*part.shape, -1)
    yield Progress("normals", model.height, model.height)
    return SurfaceEstimate(normals, albedo)


def _solved(
    images: NDArray[np.float32], lights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Normals (T, 3) and albedos (T, C) of linear images (L, T, C) under lights (L, 3)."""
    grey = images.mean(axis=2)
    used = _usable(grey).T
    # Of dark texels as of bright ones.
    brightest = np.where(used, grey.T, 0.0).max(axis=1, keepdims=True)
    values = (grey.T / np.maximum(brightest, 1e-9)).astype(np.float32)
    normals = surface_normals(values, lights, used).astype(np.float64)
    # No surface that is seen faces away.
    normals[:, 2] = np.maximum(normals[:, 2], 1e-3)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    cosine = np.maximum(normals @ lights.T, 0.0) * used
    energy = np.maximum((cosine**2).sum(axis=1, keepdims=True), 1e-9)
    return normals, np.einsum("tl,ltc->tc", cosine, images) / energy


def _usable(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which lights of each texel are neither shadow nor highlight, (L, T) -> (L, T)."""
    count = len(grey)
    dark, bright = int(_DARK * count), int(_BRIGHT * count)
    # Four of them at least.
    dark = max(0, min(dark, count - bright - 4))
    rank = grey.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    used = (rank >= dark) & (rank < count - bright)
    brightest = np.where(used, grey, 0.0).max(axis=0)
    return np.asarray(used & (grey > _SHADOW * brightest))
