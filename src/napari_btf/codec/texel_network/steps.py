"""The training data of abrdf-conv and mlp: random batches and their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting.adam import Adam, put

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from napari_btf.codec.texel_network.autoencoder import Autoencoder

__all__ = ["AutoencoderTask", "together"]

_RATE, _EPSILON = 5e-3, 1e-7
#: Share of the texels that is held out, and the largest numbers of these texels and their pairs.
_HELD_SHARE, _MOST_HELD, _MOST_HELD_PAIRS = 0.2, 512, 2**15
#: Largest number of values of the encoder's hidden layer in a batch: 64 MiB.
_BATCH_VALUES = 2**24
#: Smallest number of batches in a pass, because few texels need small batches.
_LEAST_BATCHES = 8


def together(observations: int) -> int:
    """Return the number of texels that the convolution takes at once."""
    return max(4, _BATCH_VALUES // (128 * observations))


class AutoencoderTask:
    """Trains an autoencoder on random texels, and validates it on others.

    Parameters
    ----------
    autoencoder : Autoencoder
    texels, each : int
        Of a batch: texels at most, and observations of each.
    seed : int
    """

    def __init__(self, autoencoder: Autoencoder, texels: int, each: int, seed: int) -> None:
        self._autoencoder = autoencoder
        self.random = np.random.default_rng(seed)
        observations = autoencoder.observations
        held, self._used = _hold_out(autoencoder.texels, self.random)
        size = max(16, len(self._used) // _LEAST_BATCHES)
        self._size = min(texels, size, together(observations))
        self._each = min(observations, each)
        probe = self.random.integers(observations, size=(len(held), _MOST_HELD_PAIRS // _MOST_HELD))
        self._probe = held, probe

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All tensors that training changes."""
        return self._autoencoder.tensors

    def restore(self, state: Sequence[torch.Tensor]) -> None:
        """Set all tensors to earlier values."""
        put(self.tensors, state)

    def optimizer(self) -> Adam:
        """Return Adam with one group of all parameters."""
        return Adam([{"params": self._autoencoder.parameters, "lr": _RATE, "eps": _EPSILON}])

    def steps_of(self, epochs: int) -> int:
        """Return the number of batches in a number of passes over the texels' pairs."""
        pairs = len(self._used) * self._autoencoder.observations
        return int(epochs * pairs // (self._size * self._each))

    def gradients(self) -> float:
        """Compute the gradients of a random batch; return its mean squared error."""
        texels = self.random.choice(self._used, self._size)
        shape = self._size, self._each
        observations = self.random.integers(self._autoencoder.observations, size=shape)
        loss = self._autoencoder.loss(texels, observations)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.item())

    def validate(self) -> float:
        """Return the mean squared error of the held-out texels."""
        texels, observations = self._probe
        few, error = together(self._autoencoder.observations), 0.0
        for start in range(0, len(texels), few):
            part = slice(start, start + few)
            found = self._autoencoder.validate(texels[part], observations[part])
            error += found * len(texels[part]) / len(texels)
        return error


def _hold_out(texels: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide texels into those to validate on and those to learn from; few texels serve both."""
    order = rng.permutation(texels)
    count = min(int(_HELD_SHARE * texels), _MOST_HELD)
    return (order[:count], order[count:]) if count else (order, order)
