"""The colours of the points of a map, and their legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.embedding.colours import (
    Colours,
    Labels,
    centre_distance,
    label_colours,
    latent_values,
    mean_colours,
    positions,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.embedding.latent_map import LatentMap

__all__ = ["coloured", "coloured_by_labels"]


def coloured(model: CompressedBTF, found: LatentMap, by: str, latent: int = 0) -> Colours:
    """Return colours that depend on the model alone: "mean", "center", "position", or "latent"."""
    if by == "mean":
        return mean_colours(model, found.coords)
    if by == "center":
        return centre_distance(found.coords, found.height, found.width)
    if by == "position":
        return positions(found.coords, found.height, found.width)
    return latent_values(model, latent, found.coords)


def coloured_by_labels(
    found: LatentMap, labels: NDArray[Any], layer: Any, name: Callable[[int], str]
) -> Colours:
    """Return the colours of a label image (H, W), those of its Labels layer if there is one.

    Parameters
    ----------
    found : LatentMap
    labels : ndarray of int, shape (H, W)
        0 for none.
    layer : napari.layers.Labels or None
    name : callable
        The name of a label.
    """
    at_points = found.at_points(labels)
    if layer is None:
        return label_colours(at_points)
    numbers, which = np.unique(at_points, return_inverse=True)
    table = np.rint(255 * np.asarray(layer.colormap.map(numbers))[:, :3]).astype(np.uint8)
    table[numbers == 0] = 128
    named = [(name(int(i)), rgb) for i, rgb in zip(numbers, table, strict=True) if i]
    legend = Labels(
        tuple(text for text, _ in named),
        np.array([rgb for _, rgb in named], dtype=np.uint8).reshape(-1, 3),
    )
    return Colours(table[which], legend)
