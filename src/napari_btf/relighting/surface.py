"""Estimates of the surface's normals and albedo by photometric stereo."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.codec.decoding.part import Part
from napari_btf.directions import group_directions, unit_vector
from napari_btf.errors import UsageError
from napari_btf.interpolation.points import spread_subset
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
#: Largest number of bytes of images that are decoded at once.
_MEMORY = 128 << 20
#: Share of the lights of each texel that are ignored: the darkest, because they may be shadows,
#: and the brightest, because they may be highlights.
_DARK, _BRIGHT = 0.2, 0.2
#: A value below this share of the brightest remaining one is always taken for a shadow.
_SHADOW = 0.05
#: Smallest squared singular value of the light directions, divided by their number: below this,
#: the lights lie in one plane.
_FLAT = 1e-3


class SurfaceEstimate(NamedTuple):
    """Estimated normals and albedo; see `estimate_surface`."""

    normals: NDArray[np.float32]
    """Unit vectors, (H, W, 3): x right, y up, z out of the surface."""
    albedo: NDArray[np.float32]
    """Linear values, (H, W, C): the image of each texel under a light along its normal."""


def estimate_surface(model: CompressedBTF, view: Angles | None = None) -> Job[SurfaceEstimate]:
    """Estimate normals and albedo from decoded images.

    This is classical photometric stereo: each texel is assumed to be matte (Lambertian), so that
    its linear light is ``albedo * (normal . light)``, and the equations of all lights are solved by
    least squares (Woodham, "Photometric method for determining surface orientation from multiple
    images", 1980). Shadows and highlights break the assumption. Therefore the darkest and the
    brightest fifth of the lights of each texel are ignored, as are values near black, and lights
    that fit badly get a smaller weight. Gloss, interreflection and errors of the model still bias
    the estimate, typically by a smooth error over the whole surface.

    Parameters
    ----------
    model : CompressedBTF
        Its capture must have at least four light directions that do not lie in one plane. At most
        64 of them are used, spread evenly.
    view : (theta, phi), optional
        Direction of the viewer in degrees; by default the captured view nearest to the normal.

    Yields
    ------
    Progress

    Returns
    -------
    SurfaceEstimate

    Raises
    ------
    UsageError
        If the capture has too few lights, or if they lie in one plane.
    """
    towards = unit_vector("view", default_view(model) if view is None else view)
    lights = group_directions(model.light).vectors
    lights = lights[spread_subset(lights, _LIGHTS)]
    spread = np.linalg.svd(lights, compute_uv=False) if len(lights) > 3 else np.zeros(3)
    if len(lights) < 4 or spread[-1] ** 2 < _FLAT * len(lights):
        raise UsageError(
            model.path,
            f"its {len(lights)} captured lights do not determine normals",
            "use a model of at least four lights that do not lie in one plane",
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
    """Solve for normals (T, 3) and albedo (T, C), given linear images (L, T, C), lights (L, 3)."""
    grey = images.mean(axis=2)
    used = _usable(grey).T
    # Each texel is scaled to a largest value of 1, because `surface_normals` expects about that.
    brightest = np.where(used, grey.T, 0.0).max(axis=1, keepdims=True)
    values = (grey.T / np.maximum(brightest, 1e-9)).astype(np.float32)
    normals = surface_normals(values, lights, used).astype(np.float64)
    # A texel that faces below the horizon would not be visible.
    normals[:, 2] = np.maximum(normals[:, 2], 1e-3)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    cosine = np.maximum(normals @ lights.T, 0.0) * used
    energy = np.maximum((cosine**2).sum(axis=1, keepdims=True), 1e-9)
    return normals, np.einsum("tl,ltc->tc", cosine, images) / energy


def _usable(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark the values, (L, T), that are neither shadow nor highlight, texel by texel: (L, T)."""
    count = len(grey)
    dark, bright = int(_DARK * count), int(_BRIGHT * count)
    # At least four lights remain.
    dark = max(0, min(dark, count - bright - 4))
    rank = grey.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    used = (rank >= dark) & (rank < count - bright)
    brightest = np.where(used, grey, 0.0).max(axis=0)
    return np.asarray(used & (grey > _SHADOW * brightest))
