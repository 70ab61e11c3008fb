"""The latents and networks of a surface in torch, which the parallax codec trains."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.decoding.layers import Layers
from napari_btf.codec.features import (
    PAIR_FEATURES,
    VIEW_FEATURES,
    pair_features,
    tangent,
    view_features,
)
from napari_btf.codec.latents.quantised import quantise
from napari_btf.codec.parallax.in_torch import Directions, ParallaxForm
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.codec.parallax.networks import Network
from napari_btf.directions import vectors_to_disk

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.parallax.batches import FramePool

__all__ = ["Surface"]

#: Hidden units of the networks for height and shift; 24 with the one for the biases.
_OFFSET_UNITS = (23, 23)
#: Initial standard deviation of the latents, and initial factors of offsets and of modulation.
_SPREAD, _SMALL, _GENTLE = 0.1, 0.1, 0.3


class Surface:
    """Latents and networks while they are trained.

    Parameters
    ----------
    btf : BTF
        For its size and directions.
    latents, depth_latents, light_latents, hidden : int
        As in `ParallaxSettings`; depth and light latents may be 0.
    periodic : bool
    device : str
    seed : int
    """

    def __init__(
        self,
        btf: BTF,
        latents: int,
        depth_latents: int,
        light_latents: int,
        hidden: int,
        periodic: bool,
        device: str,
        seed: int,
    ) -> None:
        import torch

        self.btf, self.periodic, self.device = btf, periodic, device
        #: What 1 in the network's output stands for, in the fitted domain.
        self.peak = 1.0
        random = torch.Generator().manual_seed(seed)
        texels = btf.height * btf.width
        #: For the height, for the view, for the light: each (H * W, K_i).
        self.latents = [
            (_SPREAD * torch.randn(texels, k, generator=random)).to(device)
            for k in (depth_latents, latents, light_latents)
        ]
        #: Layers by name, and those of their modulation; empty if unused.
        self.networks: dict[str, list[torch.Tensor]] = {}
        offset = [*_OFFSET_UNITS, 1]
        shade = [hidden, hidden, hidden, btf.channels]
        for name, inputs, sizes, units, used in (
            ("depth", VIEW_FEATURES, [depth_latents, *offset], [16], depth_latents > 0),
            ("shift", PAIR_FEATURES, [latents, *offset], [16], light_latents > 0),
            ("shade", PAIR_FEATURES, [latents + light_latents, *shade], [32, 32], True),
        ):
            self.networks[name] = self.networks[f"{name}_modulation"] = []
            if used:
                layers = _network(sizes, random, device)
                modulation = _network([inputs, *units, 2 * sum(sizes[1:-1])], random, device)
                modulation[-2] *= _GENTLE
                if name != "shade":
                    layers[-2] *= _SMALL
                    layers[-1] *= 0.0
                self.networks[name] = layers
                self.networks[f"{name}_modulation"] = modulation
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        features = (view_features(btf.view), pair_features(btf.light, btf.view))
        tangents = (tangent(btf.view), tangent(btf.light))
        tables = (torch.from_numpy(table).to(device) for table in (*features, *tangents))
        #: Inputs of the networks for all observations.
        self.directions = Directions(*tables)

    @property
    def weights(self) -> list[torch.Tensor]:
        """Weights and biases of all networks."""
        return [tensor for network in self.networks.values() for tensor in network]

    @property
    def used_latents(self) -> list[torch.Tensor]:
        """The `latents` without the kinds of which there are none."""
        return [part for part in self.latents if part.shape[1]]

    @property
    def parameters(self) -> list[torch.Tensor]:
        """All tensors that are trained: latents, then `weights`."""
        return [*self.used_latents, *self.weights]

    def centre(self, pool: FramePool) -> None:
        """Start from the mean colour, and scale the largest usual value to 1."""
        places = np.arange(0, pool.size, max(1, pool.size // 64))
        some = pool.frames_at(places).reshape(-1, self.btf.channels)
        step = max(1, len(some) // 2**18)
        values = some[::step].astype(np.float32)
        if not self.btf.values.is_float:
            values = self.btf.values.encode(values)
        self.peak = max(float(np.quantile(values, 0.999)), 1e-3)
        import torch

        mean = torch.from_numpy(values.mean(axis=0) / self.peak)
        self.networks["shade"][-1].detach().copy_(mean)

    def fill(self, chosen: NDArray[np.intp]) -> None:
        """Set the latents of all texels except the flat ``chosen`` ones to the mean of these."""
        import torch

        rest = torch.ones(len(self.latents[0]), dtype=torch.bool, device=self.device)
        rest[torch.from_numpy(chosen).to(self.device)] = False
        for latents in self.latents:
            with torch.no_grad():
                latents[rest] = latents[~rest].mean(dim=0)

    def colours(self, observations: torch.Tensor, texels: torch.Tensor) -> torch.Tensor:
        """Return fitted values over `peak`, (F, T, C), at flat texels (F, T).

        Row f of the texels belongs to observation f of ``observations`` (F,).
        """
        size = self.btf.height, self.btf.width
        form = ParallaxForm(size, self.periodic, self.latents, self.networks)
        return form.colours(texels, self.directions.at(observations))

    def model(self, levels: int = 256) -> ParallaxBTF:
        """Return the model in its final precision: quantised latents, weights in 16 bits."""
        latents = np.concatenate([part.detach().cpu().numpy() for part in self.latents], axis=1)

        def network(name: str) -> Network:
            layers = [tensor.detach().cpu().numpy() for tensor in self.networks[name]]
            if name == "shade":
                layers[-2:] = [tensor * self.peak for tensor in layers[-2:]]
            modulation = [t.detach().cpu().numpy() for t in self.networks[f"{name}_modulation"]]
            return Network(_layers(layers), _layers(modulation))

        light, view = vectors_to_disk(self.btf.light), vectors_to_disk(self.btf.view)
        return ParallaxBTF(
            latents=quantise(latents.reshape(self.btf.height, self.btf.width, -1), levels),
            depth_latents=self.latents[0].shape[1],
            light_latents=self.latents[2].shape[1],
            depth=network("depth"),
            shift=network("shift"),
            shade=network("shade"),
            periodic=self.periodic,
            light_radius=float(np.linalg.norm(light, axis=1).max()),
            view_radius=float(np.linalg.norm(view, axis=1).max()),
            light=self.btf.light,
            view=self.btf.view,
            dtype=np.dtype(self.btf.frames.dtype),
            source=self.btf.name,
            mm_per_texel=self.btf.mm_per_texel,
        )


def _network(sizes: list[int], random: torch.Generator, device: str) -> list[torch.Tensor]:
    """Return weights and biases in turn, uniform within 1 / sqrt(inputs)."""
    import torch

    network = []
    for inputs, outputs in pairwise(sizes):
        for shape in ((outputs, inputs), (outputs,)):
            values = 2.0 * torch.rand(shape, generator=random) - 1.0
            network.append((values / np.sqrt(inputs)).to(device))
    return network


def _layers(network: list[NDArray[np.float32]]) -> Layers:
    # Rounded to half precision, so that a model is the same before and after its file.
    most = float(np.finfo(np.float16).max)
    kept = [np.clip(t, -most, most).astype(np.float16).astype(np.float32) for t in network]
    return Layers(tuple(kept[::2]), tuple(kept[1::2]))
