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
    "Network",
    "Scratch",
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
    """Fully connected layers.

    Parameters
    ----------
    weights, biases : tuple of ndarray of float32
        Of each layer, weights of shape (out, in).
    """

    weights: tuple[NDArray[np.float32], ...] = ()
    biases: tuple[NDArray[np.float32], ...] = ()

    def smooth(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs for one set of inputs (F,), with SiLU between the layers."""
        h = features
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if i:
                h = np.asarray(h / (1.0 + np.exp(-np.clip(h, -60.0, 60.0))), dtype=np.float32)
            h = weight @ h + bias
        return h


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

    def for_frame(self, features: NDArray[np.float32]) -> FrameLayers:
        """The network of one frame, with features of directions of shape (F,)."""
        modulation = self.modulation.smooth(features)
        weights, biases, start = list(self.layers.weights), list(self.layers.biases), 0
        for i, bias in enumerate(biases[:-1]):
            scale = 1.0 + modulation[start : start + len(bias)]
            start += len(bias)
            weights[i] = weights[i] * scale[:, np.newaxis]
            biases[i] = bias * scale + modulation[start : start + len(bias)]
            start += len(bias)
        return FrameLayers(weights, biases)


class FrameLayers:
    """A network whose directions are settled: texels' latents in, outputs out.

    The biases are a row of the weights, of an input that is always 1, and every layer but the last
    hands this 1 on: one pass over the activations less a layer.

    Parameters
    ----------
    weights, biases : list of ndarray of float32
        Of each layer, weights of shape (out, in).
    """

    def __init__(
        self, weights: list[NDArray[np.float32]], biases: list[NDArray[np.float32]]
    ) -> None:
        self.weights = []
        for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            outputs, inputs = weight.shape
            table = np.zeros((inputs + 1, outputs + (i < len(weights) - 1)), dtype=np.float32)
            table[:inputs, :outputs] = weight.T
            table[inputs, :outputs] = bias
            table[inputs, outputs:] = 1.0
            self.weights.append(table)

    def __call__(
        self, latents: NDArray[np.float32], scratch: Scratch, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Outputs of latents and a last column of ones, shape (T, K + 1).

        Shape (T, O), in ``out`` if given, or in scratch.
        """
        h, last = latents, len(self.weights) - 1
        for i, weight in enumerate(self.weights):
            if i:
                np.maximum(h, scratch.zeros(*h.shape), out=h)
            target = out
            if i < last or target is None:
                # Two arrays in turn.
                target = scratch(f"layer {i % 2}", len(h), weight.shape[1])
            h = np.matmul(h, weight, out=target)
        return h


class Scratch:
    """Arrays of one thread that are used again and again.

    New ones for every product would cost as much as the product: their memory comes from the
    operating system page by page.
    """

    def __init__(self) -> None:
        self._arrays: dict[tuple[str, int], NDArray[np.float32]] = {}

    def __call__(self, name: str, rows: int, columns: int) -> NDArray[np.float32]:
        """An array of shape (rows, columns) with anything in it."""
        array = self._arrays.get((name, columns))
        if array is None or len(array) < rows:
            array = self._arrays[name, columns] = np.empty((rows, columns), dtype=np.float32)
        return array[:rows]

    def zeros(self, rows: int, columns: int) -> NDArray[np.float32]:
        """Zeros of shape (rows, columns): maxima with a number, or a row, take twice as long."""
        array = self._arrays.get(("zeros", columns))
        if array is None or len(array) < rows:
            array = self._arrays["zeros", columns] = np.zeros((rows, columns), dtype=np.float32)
        return array[:rows]
