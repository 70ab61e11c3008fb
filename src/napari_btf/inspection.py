"""Tools to explore the latent space: decode any latents, interpolate them, or move some of them.

No function here changes a model: an edited model is a new one that shares the decoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.decoding.part import Part
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec import CompressedBTF

__all__ = ["decode_texels", "edited", "texel_abrdfs", "walk"]


def decode_texels(
    model: CompressedBTF, latents: ArrayLike, light: ArrayLike, view: ArrayLike
) -> NDArray[np.float32]:
    """Decode any latents, which need not belong to a texel.

    Parameters
    ----------
    model : CompressedBTF
        For the codec parallax, each row is decoded as if all texels around had the same latents.
    latents : array_like, shape (T, K)
        For example, points between the latents of two texels.
    light, view : array_like, shape (P, 3)
        Pairs of unit vectors.

    Returns
    -------
    ndarray, shape (T, P, C)
        Values on the scale of `CompressedBTF.decode`.
    """
    row = model.of_texels(np.asarray(latents, dtype=np.float32))
    return _decoded(row, row.shaded(np.asarray(light), np.asarray(view)))


def texel_abrdfs(
    model: CompressedBTF, coords: ArrayLike, light: ArrayLike, view: ArrayLike
) -> NDArray[np.float32]:
    """Decode the ABRDFs of texels, with the same values as in decoded images.

    Parameters
    ----------
    model : CompressedBTF
    coords : array_like of int, shape (T, 2)
        Rows ``(y, x)`` of the texels.
    light, view : array_like, shape (P, 3)
        Pairs of unit vectors.

    Returns
    -------
    ndarray, shape (T, P, C)
        Values on the scale of `CompressedBTF.decode`.
    """
    yx = np.asarray(coords, dtype=np.intp).reshape(-1, 2)
    (top, left), (bottom, right) = yx.min(axis=0), yx.max(axis=0) + 1
    part = Part(range(int(top), int(bottom)), range(int(left), int(right)))
    rows, columns = (yx - (top, left)).T
    images = model.shaded_part(np.asarray(light), np.asarray(view), part)
    return _decoded(model, (image[rows, columns][np.newaxis] for image in images))


def _decoded(model: CompressedBTF, images: Iterator[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Convert P images of one row of texels, (1, T, C) each, to captured values (T, P, C)."""
    fitted = np.stack([image[0] for image in images], axis=1)
    return model.values.decode(fitted)


def walk(start: ArrayLike, end: ArrayLike, steps: int) -> NDArray[np.float32]:
    """Interpolate linearly between two points of the latent space.

    Parameters
    ----------
    start, end : array_like, shape (K,)
    steps : int
        Number of rows of the result, 2 or more.

    Returns
    -------
    ndarray, shape (steps, K)
        The first row is ``start``, the last is ``end``.

    Raises
    ------
    UsageError
        If there are fewer than two steps.
    """
    if steps < 2:
        raise UsageError(None, f"a walk of {steps} steps", "use 2 or more")
    walked = np.linspace(np.asarray(start, np.float64), np.asarray(end, np.float64), steps)
    return walked.astype(np.float32)


def edited(model: CompressedBTF, mask: ArrayLike, offsets: ArrayLike) -> CompressedBTF:
    """Return a model with an offset added to the latents of some texels, fast enough for a slider.

    Parameters
    ----------
    model : CompressedBTF
        The original, which does not change.
    mask : array_like of bool, shape (H, W)
        The texels to edit.
    offsets : array_like, shape (K,)
        The offset that is added to their latents.

    Returns
    -------
    CompressedBTF
        A model of the same class. Other texels decode to the same values as before; for the codec
        parallax only if no ray from them hits an edited texel.

    Raises
    ------
    UsageError
        If the mask does not have the size of the model.
    """
    latents = model.latent_map.copy()
    latents[_checked(model, mask)] += np.asarray(offsets, dtype=np.float32)
    return model.with_latents(latents)


def _checked(model: CompressedBTF, mask: ArrayLike) -> NDArray[np.bool_]:
    """Return a mask as an array; raise a UsageError if it does not have the size of the model."""
    chosen = np.asarray(mask, dtype=bool)
    if chosen.shape != (model.height, model.width):
        raise UsageError(
            None,
            f"the selection has the shape {chosen.shape}, the model {model.height} x {model.width}",
            "select texels of this model",
        )
    return chosen
