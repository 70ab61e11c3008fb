"""The networks of the parallax codec, and what they know of directions. In numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.directions import vectors_to_disk

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "PAIR_FEATURES",
    "VIEW_FEATURES",
    "FrameLayers",
    "Layers",
    "pair_features",
    "tangent",
    "view_features",
]

#: Columns of `view_features` and of `pair_features`.
VIEW_FEATURES, PAIR_FEATURES = 5, 8
#: The least cosine that a tangent is divided by: rays move some texels at most.
_GRAZING = 0.2


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
    moved = d[..., 1::-1] * (-1.0, 1.0) / np.maximum(d[..., 2:], _GRAZING)
    return np.asarray(moved, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Layers:
    """A fully connected network with ReLU between its layers.

    If it takes directions, too, their features come after what belongs to a texel: they are the
    same for all texels of a frame.

    Parameters
    ----------
    weights, biases : tuple of ndarray of float32
        Of each layer, weights of shape (out, in).
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def for_frame(self, features: NDArray[np.float32]) -> FrameLayers:
        """The network of one frame with features of shape (F,), which become a bias."""
        first = self.weights[0]
        split = first.shape[1] - len(features)
        return FrameLayers(
            [first[:, :split], *self.weights[1:]],
            [self.biases[0] + first[:, split:] @ features, *self.biases[1:]],
        )

    def modulated(self, modulation: NDArray[np.float32]) -> FrameLayers:
        """The network with its hidden units scaled and shifted before their ReLU.

        Parameters
        ----------
        modulation : ndarray, shape (2 * units,)
            Of each hidden layer, scales less one, then shifts.
        """
        weights, biases, start = list(self.weights), list(self.biases), 0
        for i, bias in enumerate(self.biases[:-1]):
            scale = 1.0 + modulation[start : start + len(bias)]
            start += len(bias)
            weights[i] = weights[i] * scale[:, np.newaxis]
            biases[i] = bias * scale + modulation[start : start + len(bias)]
            start += len(bias)
        return FrameLayers(weights, biases)

    def smooth(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs of the network with SiLU instead of ReLU, for one set of inputs (F,)."""
        h = features
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if i:
                h = np.asarray(h / (1.0 + np.exp(-np.clip(h, -60.0, 60.0))), dtype=np.float32)
            h = weight @ h + bias
        return h


class FrameLayers:
    """A network whose directions are settled: texels' latents in, outputs out.

    Parameters
    ----------
    weights, biases : list of ndarray of float32
        Of each layer, weights of shape (out, in).
    """

    def __init__(
        self, weights: list[NDArray[np.float32]], biases: list[NDArray[np.float32]]
    ) -> None:
        # All in one order, so that products are summed in the same way for every frame.
        self.weights = [np.ascontiguousarray(weight.T) for weight in weights]
        self.biases = biases

    def __call__(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs, shape (T, O), of latents of shape (T, K)."""
        h = latents
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if i:
                np.maximum(h, 0.0, out=h)
            h = h @ weight
            h += bias
        return h
