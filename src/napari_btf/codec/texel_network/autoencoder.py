"""Encoder and decoder of the codecs that ask a network for every texel, in torch.

The sizes of abrdf-conv are those its authors published; its initial values, too (Glorot's uniform
ones without biases, as of Keras).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.decoding.layers import Layers
from napari_btf.codec.fitting.settings import one_core
from napari_btf.codec.projection import principal_components
from napari_btf.texels.sampling import random_texels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from numpy.typing import NDArray

__all__ = ["Autoencoder"]

_FILTERS = 128
#: Principal components that the linear encoder mixes its latents of.
_COMPONENTS = 64
#: ABRDF values that these are found from, at most.
_COMPONENT_VALUES = 2**25
#: A component whose deviation is less of the first one's is divided by this: it is all noise.
_LEAST_DEVIATION = 1e-3


class Autoencoder:
    """Encoder, decoder and what they learn from.

    Parameters
    ----------
    abrdfs : ndarray of float32, shape (T, N, C)
    directions : ndarray, shape (N, 2) or (N, 4)
        What the decoder knows of the observations' directions.
    convolution : bool
        Whether the encoder is a convolution along the observations; else it is a linear map that
        starts as principal components.
    latents : int
    hidden : sequence of int
        Units of the decoder's hidden layers.
    device : str
    seed : int
    """

    def __init__(
        self,
        abrdfs: NDArray[np.float32],
        directions: NDArray[np.float64],
        convolution: bool,
        latents: int,
        hidden: Sequence[int],
        device: str,
        seed: int,
    ) -> None:
        import torch

        self.texels, self.observations, channels = abrdfs.shape
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            if convolution:
                self._encoder = _conv_encoder(self.observations, channels, latents)
            else:
                self._encoder = _principal_encoder(abrdfs, latents, seed)
            self._decoder = _decoder(latents + directions.shape[1], hidden, channels)
        self._device = device
        self._both = torch.nn.ModuleList([self._encoder.module, self._decoder]).to(device)
        self._targets = torch.from_numpy(abrdfs).to(device)
        self._inputs = self._encoder.prepare(abrdfs).to(device)
        self._directions = torch.from_numpy(directions.astype(np.float32)).to(device)

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """What is learned."""
        return list(self._both.parameters())

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All that training changes: the parameters, and the means of the normalisation."""
        return list(self._both.state_dict().values())

    def loss(self, texels: NDArray[np.intp], observations: NDArray[np.intp]) -> torch.Tensor:
        """Mean squared error of some observations (T, M) of some texels (T,), to learn from."""
        self._both.train()
        return self._error(texels, observations)

    def validate(self, texels: NDArray[np.intp], observations: NDArray[np.intp]) -> float:
        """Mean squared error of some observations (T, M) of some texels (T,)."""
        import torch

        self._both.eval()
        with torch.no_grad():
            return float(self._error(texels, observations))

    def _error(self, texels: NDArray[np.intp], observations: NDArray[np.intp]) -> torch.Tensor:
        import torch

        rows = torch.from_numpy(texels).to(self._device)
        columns = torch.from_numpy(observations).to(self._device)
        latents = self._encoder.module(self._inputs[rows])
        latents = latents[:, None].expand(-1, observations.shape[1], -1)
        colours = self._decoder(torch.cat([latents, self._directions[columns]], dim=-1))
        residual: torch.Tensor = colours - self._targets[rows[:, None], columns]
        return (residual**2).mean()

    def encode(self, abrdfs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Latents (T, K) of ABRDFs (T, N, C)."""
        import torch

        self._both.eval()
        with torch.no_grad(), one_core():
            latents = self._encoder.module(self._encoder.prepare(abrdfs).to(self._device))
        return np.asarray(latents.cpu().numpy())

    def layers(self) -> Layers:
        """The decoder, in numpy."""
        arrays = {name: value.cpu().numpy() for name, value in self._decoder.state_dict().items()}
        return Layers(
            tuple(value for name, value in arrays.items() if name.endswith("weight")),
            tuple(value for name, value in arrays.items() if name.endswith("bias")),
        )


@dataclass(frozen=True)
class _Encoder:
    """What makes latents of ABRDFs.

    Parameters
    ----------
    prepare : callable
        What the module takes of ABRDFs (T, N, C): the first axis stays.
    module : torch.nn.Module
        What is trained; gives latents (T, K).
    """

    prepare: Callable[[NDArray[np.float32]], torch.Tensor]
    module: torch.nn.Module


def _conv_encoder(observations: int, channels: int, latents: int) -> _Encoder:
    """One convolution along the observations of a texel, and a linear layer.

    Conv1d (C -> 128, three observations, as many out as in), BatchNorm, ReLU, MaxPool of two,
    Linear (128 N / 2 -> K). To be made under a seed.
    """
    import torch
    from torch import nn

    module = nn.Sequential(
        nn.Conv1d(channels, _FILTERS, kernel_size=3, padding=1),
        nn.BatchNorm1d(_FILTERS),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Flatten(),
        nn.Linear(_FILTERS * (observations // 2), latents),
    )
    module.apply(_start_as_keras)
    # A view: torch takes what it needs of it when it needs it.
    return _Encoder(lambda abrdfs: torch.from_numpy(abrdfs).permute(0, 2, 1), module)


def _principal_encoder(abrdfs: NDArray[np.float32], latents: int, seed: int) -> _Encoder:
    """A linear map of the leading principal components, which starts as the first K of them.

    Each divided by its deviation.
    """
    import torch
    from torch import nn

    texels, observations, channels = abrdfs.shape
    size = observations * channels
    rows = np.arange(texels)[:, np.newaxis]
    some = random_texels(np.repeat(rows, 2, 1), max(1, _COMPONENT_VALUES // size), seed)[:, 0]
    count = min(max(latents, _COMPONENTS), len(some), size)
    mean, components, deviation = principal_components(
        abrdfs[some].reshape(len(some), size), count, seed
    )
    deviation = np.maximum(deviation, _LEAST_DEVIATION * deviation[0])
    mix = (components / deviation[:, np.newaxis]).T.astype(np.float32)
    module = nn.Linear(count, latents)
    with torch.no_grad():
        nn.init.eye_(module.weight)
        nn.init.zeros_(module.bias)

    def prepare(values: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy((values.reshape(len(values), size) - mean) @ mix)

    return _Encoder(prepare, module)


def _decoder(inputs: int, hidden: Sequence[int], channels: int) -> torch.nn.Sequential:
    """Linear layers with ReLU between them. To be made under a seed."""
    from torch import nn

    parts: list[nn.Module] = []
    for fed, units in pairwise((inputs, *hidden)):
        parts += [nn.Linear(fed, units), nn.ReLU()]
    net = nn.Sequential(*parts, nn.Linear(hidden[-1], channels))
    net.apply(_start_as_keras)
    return net


def _start_as_keras(part: torch.nn.Module) -> None:
    from torch import nn

    if isinstance(part, nn.Linear | nn.Conv1d):
        nn.init.xavier_uniform_(part.weight)
        assert part.bias is not None
        nn.init.zeros_(part.bias)
