"""The training data of the shading network: random batches and their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting.adam import Adam, put

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from napari_btf.codec.neural_basis.imagination.network import ShadingNetwork, Texels

__all__ = ["BATCH", "RATE", "ShadingTask"]

RATE = 4e-3
#: Texels in a batch, and pairs under which each is seen.
_TEXELS, _PAIRS = 80, 48
#: Values of one channel in a batch.
BATCH = _TEXELS * _PAIRS


class ShadingTask:
    """Trains a shading network on random texels under random pairs.

    It has no validation, because the few pairs that are held out decide whether imagining helps at
    all.

    Parameters
    ----------
    network : ShadingNetwork
    texels : Texels
    values : ndarray, shape (T, N, C)
        Of the texels under N pairs.
    light, view : ndarray, shape (N, 3)
    rate : float
        The full learning rate.
    seed : int
    """

    validate = None

    def __init__(
        self,
        network: ShadingNetwork,
        texels: Texels,
        values: NDArray[np.float32],
        light: NDArray[np.float64],
        view: NDArray[np.float64],
        rate: float,
        seed: int,
    ) -> None:
        self._network, self._texels, self._values, self._rate = network, texels, values, rate
        self._directions = network.directions(light, view)
        self.random = np.random.default_rng(seed)

    @property
    def tensors(self) -> list[torch.nn.Parameter]:
        """The network's parameters."""
        return self._network.parameters

    def restore(self, state: Sequence[torch.Tensor]) -> None:
        """Set the parameters to earlier values."""
        put(self.tensors, state)

    def optimizer(self) -> Adam:
        """Return Adam with one group of all parameters."""
        return Adam([{"params": self._network.parameters, "lr": self._rate}])

    def gradients(self) -> float:
        """Compute the gradients of a random batch; return its mean squared error."""
        count = self._values.shape[1]
        rows = self.random.integers(0, len(self._texels), _TEXELS)
        pairs = self.random.choice(count, min(count, _PAIRS), replace=False)
        directions = tuple(table[pairs] for table in self._directions)
        values = self._values[rows][:, pairs]
        loss = self._network.loss(self._texels.at(rows), values, directions)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.item())
