"""A network that shades texels under any light: what is learned of one texel serves another.

It only teaches (see `napari_btf.codec.neural_basis.imagination.imagine`): no model holds it, and
no frame is decoded with it. Its inputs are a texel's latents and how its normal lies to the light
and the half vector; the directions scale and shift its hidden units (FiLM, Perez et al., 2018).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.features import PAIR_FEATURES, pair_features
from napari_btf.codec.fitting.settings import one_core, pick_device

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from napari_btf.codec.fitting.settings import NetworkSettings

__all__ = ["ShadingNetwork", "Texels"]

_HIDDEN, _LAYERS, _MODULATION = 64, 3, 64
#: Of `_surroundings`, beside the latents.
_GEOMETRY = 9
#: Powers of the cosine to the half vector: lobes of highlights, narrow and wide.
_LOBES = (16, 64, 256)
#: So many points at once stay in a core's cache: ten times faster than a million.
_BLOCK_POINTS = 1 << 12


class Texels:
    """What the network knows of texels: their latents, scaled, and their normals.

    Parameters
    ----------
    latents : ndarray, shape (T, K)
    normals : ndarray, shape (T, 3)
    """

    def __init__(self, latents: NDArray[np.float32], normals: NDArray[np.float32]) -> None:
        self.latents, self.normals = latents, normals

    def __len__(self) -> int:
        return len(self.latents)

    def at(self, rows: NDArray[np.intp] | slice) -> Texels:
        """Some of the texels."""
        return Texels(self.latents[rows], self.normals[rows])


class ShadingNetwork:
    """(texel, light, view) -> C values, to be trained.

    Parameters
    ----------
    latents, channels : int
    settings : NetworkSettings
        Of which the device and the seed.
    """

    def __init__(self, latents: int, channels: int, settings: NetworkSettings) -> None:
        import torch
        from torch import nn

        self.device = pick_device(settings.device)
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            sizes = [latents + _GEOMETRY, *[_HIDDEN] * _LAYERS]
            hidden = [nn.Linear(a, b) for a, b in pairwise(sizes)]
            last = nn.Linear(_HIDDEN, channels)
            outer = nn.Linear(_MODULATION, 2 * _HIDDEN * _LAYERS)
            modulation = nn.Sequential(
                nn.Linear(PAIR_FEATURES, _MODULATION),
                nn.SiLU(),
                nn.Linear(_MODULATION, _MODULATION),
                nn.SiLU(),
                outer,
            )
        with torch.no_grad():
            last.weight *= 0.1
            last.bias.zero_()
            outer.weight *= 0.3
        self._hidden = [layer.to(self.device) for layer in hidden]
        self._last, self._modulation = last.to(self.device), modulation.to(self.device)

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """What is learned."""
        modules = (*self._hidden, self._last, self._modulation)
        return [parameter for module in modules for parameter in module.parameters()]

    def loss(
        self, texels: Texels, values: NDArray[np.float32], directions: tuple[torch.Tensor, ...]
    ) -> torch.Tensor:
        """Mean squared error of values (T, P, C) of texels under P pairs, to learn from."""
        import torch

        wanted = torch.from_numpy(values).to(self.device)
        return ((self._shade(texels, *directions) - wanted) ** 2).mean()

    def __call__(
        self, texels: Texels, light: NDArray[np.float64], view: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Values (T, P, C) of texels under P pairs."""
        import torch

        directions = self.directions(light, view)
        block = max(1, _BLOCK_POINTS // len(light))
        with torch.no_grad(), one_core():
            parts = [
                self._shade(texels.at(slice(i, i + block)), *directions).cpu().numpy()
                for i in range(0, len(texels), block)
            ]
        return np.concatenate(parts)

    def directions(
        self, light: NDArray[np.float64], view: NDArray[np.float64]
    ) -> tuple[torch.Tensor, ...]:
        """Features, light and half vector of pairs."""
        import torch

        half = light + view
        half = half / np.maximum(np.linalg.norm(half, axis=-1, keepdims=True), 1e-9)
        tables = (pair_features(light, view), light, half)
        return tuple(torch.from_numpy(t.astype(np.float32)).to(self.device) for t in tables)

    def _shade(
        self, texels: Texels, features: torch.Tensor, light: torch.Tensor, half: torch.Tensor
    ) -> torch.Tensor:
        import torch
        from torch.nn import functional

        latents = torch.from_numpy(texels.latents).to(self.device)
        normals = torch.from_numpy(texels.normals).to(self.device)
        to_light, to_half = normals @ light.T, normals @ half.T
        lobes = [functional.relu(to_half) ** power for power in _LOBES]
        columns = torch.stack([to_light, functional.relu(to_light), to_half, *lobes], dim=-1)
        apart = 3.0 * (half - normals[:, None])
        modulation = self._modulation(features).view(len(features), _LAYERS, 2, _HIDDEN)
        # The first layer in parts: the latents' part is the same under all pairs.
        first = self._hidden[0]
        width = latents.shape[1]
        h = functional.linear(torch.cat([columns, apart], dim=-1), first.weight[:, width:])
        h = h + functional.linear(latents, first.weight[:, :width], first.bias)[:, None]
        for i in range(_LAYERS):
            h = h if i == 0 else self._hidden[i](h)
            h = functional.relu(h * (1.0 + modulation[:, i, 0]) + modulation[:, i, 1])
        out: torch.Tensor = self._last(h)
        return out
