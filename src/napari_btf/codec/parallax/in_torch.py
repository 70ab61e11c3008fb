"""The parallax codec in torch: the sums of `napari_btf.codec.parallax.model`, with gradients.

There is one form of them, which serves both the training and decoding on a device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["Directions", "ParallaxForm"]


@dataclass(frozen=True, eq=False)
class Directions:
    """What the networks know of F pairs of light and view; see `napari_btf.codec.features`.

    Parameters
    ----------
    view : torch.Tensor, shape (F, 5)
        Features of the views.
    pair : torch.Tensor, shape (F, 8)
        Features of the pairs.
    along_view, along_light : torch.Tensor, shape (F, 2)
        Texels (down, right) that a ray moves for each texel of height.
    """

    view: torch.Tensor
    pair: torch.Tensor
    along_view: torch.Tensor
    along_light: torch.Tensor

    def at(self, rows: torch.Tensor) -> Directions:
        """Some of the pairs."""
        return Directions(*(table[rows] for table in vars(self).values()))


@dataclass(frozen=True, eq=False)
class ParallaxForm:
    """Latents and networks as tensors.

    Parameters
    ----------
    size : (height, width)
        Of the texel grid.
    periodic : bool
        Whether the surface continues beyond its borders as at the opposite ones.
    latents : list of torch.Tensor
        Those for the height, the view and the light: each (H * W, K_i), of any type.
    networks : dict
        Weights and biases in turn, by the name of the network, and of its modulation. They are
        empty for a network that is not used.
    ranges : list of (scale, offset), optional
        For each of the latents, tensors (K_i,) that make latents of stored codes.
    """

    size: tuple[int, int]
    periodic: bool
    latents: list[torch.Tensor]
    networks: dict[str, list[torch.Tensor]]
    ranges: list[tuple[torch.Tensor, torch.Tensor]] | None = None

    def colours(self, texels: torch.Tensor, directions: Directions) -> torch.Tensor:
        """Return the outputs (F, T, C) of the shading network at flat texels (F, T).

        Under F pairs of directions; a single pair serves any number of rows of texels.
        """
        import torch

        rows = torch.div(texels, self.size[1], rounding_mode="floor")
        places = torch.stack([rows, texels - rows * self.size[1]], dim=-1).float()
        if self.networks["depth"]:
            depth = self._apply("depth", self._own(0, texels), directions.view)
            places = places + depth * directions.along_view[:, None]
            latents = self._fetched(1, places)
        else:
            latents = self._own(1, texels)
        if self.networks["shift"]:
            shift = self._apply("shift", latents, directions.pair)
            there = places + shift * directions.along_light[:, None]
            latents = torch.cat([self._fetched(2, there), latents], dim=-1)
        return self._apply("shade", latents, directions.pair)

    def _apply(self, name: str, latents: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Outputs (F, T, O) of a network for latents (F, T, K) and features (F, D)."""
        modulation = _smooth(self.networks[f"{name}_modulation"], features)
        return _modulated(self.networks[name], latents, modulation)

    def _own(self, kind: int, texels: torch.Tensor) -> torch.Tensor:
        """Latents of the texels themselves, (F, T, K)."""
        from torch.nn import functional

        return self._ranged(kind, functional.embedding(texels, self.latents[kind]))

    def _fetched(self, kind: int, places: torch.Tensor) -> torch.Tensor:
        """Latents at places (F, T, 2) between the texels, interpolated bilinearly."""
        import torch
        from torch.nn import functional

        latents, (height, width) = self.latents[kind], self.size
        flat = places.reshape(-1, 2)
        low = flat.floor()
        y, x = (flat - low).unbind(dim=1)
        above, below = self._inside(low[:, 0], height)
        left, right = self._inside(low[:, 1], width)
        above, below = above * width, below * width
        corners = [above + left, above + right, below + left, below + right]
        shares = [(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x]
        if latents.requires_grad:
            # One operation, because its gradient is many times faster than that of four look-ups.
            fetched: torch.Tensor = functional.embedding_bag(
                torch.stack(corners, dim=1),
                latents,
                per_sample_weights=torch.stack(shares, dim=1),
                mode="sum",
            )
        else:
            # This one takes half precision and 8 bits, too.
            looked_up = (
                latents[corner].float() * share[:, None]
                for corner, share in zip(corners, shares, strict=True)
            )
            fetched = torch.stack(list(looked_up)).sum(dim=0)
        return self._ranged(kind, fetched.view(*places.shape[:-1], -1))

    def _inside(self, low: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Indices of a row and of the next one, within the surface."""
        first = low.long()
        if self.periodic:
            return first % size, (first + 1) % size
        return first.clamp(0, size - 1), (first + 1).clamp(0, size - 1)

    def _ranged(self, kind: int, stored: torch.Tensor) -> torch.Tensor:
        if self.ranges is None:
            return stored
        scale, offset = self.ranges[kind]
        return stored.float() * scale + offset


def _modulated(
    network: list[torch.Tensor], latents: torch.Tensor, modulation: torch.Tensor
) -> torch.Tensor:
    """Outputs (F, T, O), with hidden units scaled and shifted as `Network.for_frame` does."""
    import torch
    from torch.nn import functional

    h, start = latents, 0
    for weight, bias in zip(network[:-2:2], network[1:-2:2], strict=True):
        scale = 1.0 + modulation[:, None, start : start + len(bias)]
        start += len(bias)
        shift = modulation[:, None, start : start + len(bias)]
        start += len(bias)
        h = functional.relu(torch.addcmul(shift, functional.linear(h, weight, bias), scale))
    return functional.linear(h, network[-2], network[-1])


def _smooth(network: list[torch.Tensor], features: torch.Tensor) -> torch.Tensor:
    """Outputs (F, O) of a network of the directions, with SiLU between the layers."""
    from torch.nn import functional

    h = functional.linear(features, network[0], network[1])
    for weight, bias in zip(network[2::2], network[3::2], strict=True):
        h = functional.linear(functional.silu(h), weight, bias)
    return h
