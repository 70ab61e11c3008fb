"""The networks of the parallax codec, and what they know of directions. In numpy."""

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

    def parts(self) -> dict[str, list[dict[str, NDArray[np.float32]]]]:
        """The arrays of the layers and of their modulation, see `Layers.parts`."""
        return {"layers": self.layers.parts(), "modulation": self.modulation.parts()}

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
