"""Looking into the latent space: what latents look like, and what it means to move them.

Nothing here changes a model: what is edited is another one that shares its decoder.
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
    """What a decoder makes of any latents.

    Parameters
    ----------
    model : CompressedBTF
    latents : array_like, shape (T, K)
        Such as those between two texels. Where rays move along the surface (parallax), all around
        is taken to be as the texel itself.
    light, view : array_like, shape (P, 3)
        Unit vectors.

    Returns
    -------
    ndarray, shape (T, P, C)
        As `CompressedBTF.decode` gives them.
    """
    row = model.of_texels(np.asarray(latents, dtype=np.float32))
    return _decoded(row, row.shaded(np.asarray(light), np.asarray(view)))


def texel_abrdfs(
    model: CompressedBTF, coords: ArrayLike, light: ArrayLike, view: ArrayLike
) -> NDArray[np.float32]:
    """The decoded ABRDFs of texels where they are, as they are seen in decoded images.

    Parameters
    ----------
    model : CompressedBTF
    coords : array_like of int, shape (T, 2)
        Rows ``(y, x)``.
    light, view : array_like, shape (P, 3)
        Unit vectors.

    Returns
    -------
    ndarray, shape (T, P, C)
    """
    yx = np.asarray(coords, dtype=np.intp).reshape(-1, 2)
    (top, left), (bottom, right) = yx.min(axis=0), yx.max(axis=0) + 1
    part = Part(range(int(top), int(bottom)), range(int(left), int(right)))
    rows, columns = (yx - (top, left)).T
    images = model.shaded_part(np.asarray(light), np.asarray(view), part)
    return _decoded(model, (image[rows, columns][np.newaxis] for image in images))


def _decoded(model: CompressedBTF, images: Iterator[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Images of one row, (1, T, C) each, as captured values (T, P, C)."""
    fitted = np.stack([image[0] for image in images], axis=1)
    return model.values.decode(fitted)


def walk(start: ArrayLike, end: ArrayLike, steps: int) -> NDArray[np.float32]:
    """Latents on the straight line from one place of the latent space to another.

    Parameters
    ----------
    start, end : array_like, shape (K,)
    steps : int
        2 or more; the first is ``start``, the last ``end``.

    Returns
    -------
    ndarray, shape (steps, K)
    """
    if steps < 2:
        raise UsageError(None, f"a walk of {steps} steps", "use 2 or more")
    walked = np.linspace(np.asarray(start, np.float64), np.asarray(end, np.float64), steps)
    return walked.astype(np.float32)


def edited(model: CompressedBTF, mask: ArrayLike, offsets: ArrayLike) -> CompressedBTF:
    """A model whose latents are moved at some texels, cheap enough for a slider.

    Parameters
    ----------
    model : CompressedBTF
        It stays as it is.
    mask : array_like of bool, shape (H, W)
        The texels.
    offsets : array_like, shape (K,)
        What is added to their latents.

    Returns
    -------
    CompressedBTF
        Of the same class. Where nothing was moved it decodes to the same values (with parallax,
        where no ray lands on what was moved).
    """
    latents = model.latent_map.copy()
    latents[_checked(model, mask)] += np.asarray(offsets, dtype=np.float32)
    return model.with_latents(latents)


def _checked(model: CompressedBTF, mask: ArrayLike) -> NDArray[np.bool_]:
    chosen = np.asarray(mask, dtype=bool)
    if chosen.shape != (model.height, model.width):
        raise UsageError(
            None,
            f"the selection has the shape {chosen.shape}, the model {model.height} x {model.width}",
            "select texels of this model",
        )
    return chosen
