"""The networks of the parallax codec, and what they know of directions. In numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.decoding.layers import FrameLayers, Layers
from napari_btf.directions import vectors_to_disk

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "GRAZING",
    "PAIR_FEATURES",
    "VIEW_FEATURES",
    "Network",
    "pair_features",
    "tangent",
    "view_features",
]

#: Columns of `view_features` and of `pair_features`.
VIEW_FEATURES, PAIR_FEATURES = 5, 8
#: The least cosine that a tangent is divided by: rays move some texels at most.
GRAZING = 0.2


def view_features(view: ArrayLike) -> NDArray[np.float32]:
    """What a network knows of views, (P, 3) -> (P, 5): point on the disk and unit vector."""
    view = np.asarray(view, dtype=np.float64)
    return np.concatenate([vectors_to_disk(view), view], axis=-1).astype(np.float32)


def pair_features(light: ArrayLike, view: ArrayLike) -> NDArray[np.float32]:
    """What a network knows of (light, view) pairs, (P, 3), (P, 3) -> (P, 8).

    Both points on the disks, both cosines with the normal, x and y of the half vector.
    """
    light, view = np.asarray(light, dtype=np.float64), np.asarray(view, dtype=np.float64)
    half = light + view
    half /= np.maximum(np.linalg.norm(half, axis=-1, keepdims=True), 1e-9)
    disks = vectors_to_disk(light), vectors_to_disk(view)
    columns = (*disks, light[..., 2:], view[..., 2:], half[..., :2])
    return np.concatenate(columns, axis=-1).astype(np.float32)


def tangent(direction: ArrayLike) -> NDArray[np.float32]:
    """Texels (down, right) that a ray moves in one texel of height, (..., 3) -> (..., 2).

    Rows count downwards, y of directions upwards.
    """
    d = np.asarray(direction, dtype=np.float64)
    moved = d[..., 1::-1] * (-1.0, 1.0) / np.maximum(d[..., 2:], GRAZING)
    return np.asarray(moved, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Network:
    """A network of a texel's latents that depends on directions, too.

    Its hidden units are scaled and shifted, before their ReLU, by a smooth network of the
    directions ("FiLM": Perez, Strub, de Vries, Dumoulin and Courville, 2018). Directions are the
    same for all texels of a frame, so that they cost nothing per texel.

    Parameters
    ----------
    layers : Layers
        With ReLU between them. None at all for a network that is not used.
    modulation : Layers
        With SiLU between them. Their outputs are, for each hidden layer, scales less one, then
        shifts.
    """

    layers: Layers
    modulation: Layers

    def for_frame(
        self,
        features: NDArray[np.float32],
        scale: NDArray[np.float32],
        offset: NDArray[np.float32],
    ) -> FrameLayers:
        """The network of one frame, with features of directions of shape (F,).

        It takes latents as they are in memory, from which ``offset + scale * value`` makes
        latents; both (K,).
        """
        modulation = self.modulation.smooth(features)
        weights, biases, start = list(self.layers.weights), list(self.layers.biases), 0
        for i, bias in enumerate(biases[:-1]):
            louder = 1.0 + modulation[start : start + len(bias)]
            start += len(bias)
            weights[i] = weights[i] * louder[:, np.newaxis]
            biases[i] = bias * louder + modulation[start : start + len(bias)]
            start += len(bias)
        biases[0] = biases[0] + weights[0] @ offset
        weights[0] = weights[0] * scale
        return FrameLayers(weights, biases)
