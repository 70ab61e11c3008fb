"""The networks of the parallax codec, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.decoding.layers import FrameLayers, Layers

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Network",
]

#: Bound of the features of directions (`napari_btf.codec.features`).
_LARGEST_FEATURE = 1.2


@dataclass(frozen=True, eq=False)
class Network:
    """A network of a texel's latents that also depends on directions.

    A smooth network of the directions scales and shifts its hidden units before their ReLU ("FiLM":
    Perez, Strub, de Vries, Dumoulin and Courville, 2018). The directions are the same for all
    texels of a frame, so this costs nothing per texel.

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

    def parts(self) -> dict[str, list[dict[str, NDArray[np.float32]]]]:
        """The arrays of the layers and of their modulation, see `Layers.parts`."""
        return {"layers": self.layers.parts(), "modulation": self.modulation.parts()}

    def reach(self, inputs: NDArray[np.float64]) -> float:
        """Return a bound of all values in the network.

        Parameters
        ----------
        inputs : ndarray, shape (K,)
            Bounds of the latents.
        """
        if not self.layers.weights:
            return 0.0
        # No value counts less than 1, so that products of weights are bounded, too.
        moved = np.full(self.modulation.weights[0].shape[1], _LARGEST_FEATURE)
        for weight, bias in zip(self.modulation.weights, self.modulation.biases, strict=True):
            moved = np.maximum(np.abs(weight).astype(np.float64) @ moved + np.abs(bias), 1.0)
        most, h, start = float(moved.max(initial=1.0)), np.maximum(inputs, 1.0), 0
        last = len(self.layers.weights) - 1
        for i, (weight, bias) in enumerate(
            zip(self.layers.weights, self.layers.biases, strict=True)
        ):
            h = np.maximum(np.abs(weight).astype(np.float64) @ h + np.abs(bias), 1.0)
            if i < last:
                louder, shift = moved[start : start + 2 * len(bias)].reshape(2, -1)
                h, start = h * (1.0 + louder) + shift, start + 2 * len(bias)
            most = max(most, float(h.max()))
        return most

    def for_frame(
        self,
        features: NDArray[np.float32],
        scale: NDArray[np.float32],
        offset: NDArray[np.float32],
    ) -> FrameLayers:
        """Return the layers of one frame, whose directions have features of shape (F,).

        The layers take latents as they are stored: a latent is ``offset + scale * value``, both
        (K,).
        """
        modulation = self.modulation.smooth(features)
        weights, biases, start = list(self.layers.weights), list(self.layers.biases), 0
        for i, bias in enumerate(biases[:-1]):
            louder = 1.0 + modulation[start : start + len(bias)]
            start += len(bias)
            weights[i] = weights[i] * louder[:, np.newaxis]
            biases[i] = bias * louder + modulation[start : start + len(bias)]
            start += len(bias)
        # Of short arrays, BLAS may compute with what lies beyond them, and numpy warns of that.
        with np.errstate(invalid="ignore"):
            biases[0] = biases[0] + weights[0] @ offset
        weights[0] = weights[0] * scale
        return FrameLayers(weights, biases)
