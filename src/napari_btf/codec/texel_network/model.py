"""Codecs that ask a network for every texel: its latents and the directions in, colours out.

Two of them, kept to compare with. What depends on the directions alone is computed once
per frame. `napari_btf.codec.texel_network.fit` says where they come from.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from napari_btf.codec.decoding.compiled import decoding
from napari_btf.codec.decoding.layers import FrameLayers, Layers
from napari_btf.codec.decoding.layers_storage import pack_layers
from napari_btf.codec.decoding.on_device import OnDevice
from napari_btf.codec.decoding.part import KeptParts
from napari_btf.codec.latents.quantised import FreeLatents, quantise
from napari_btf.codec.model import CompressedBTF
from napari_btf.directions import disk_to_vectors, vectors_to_disk, within_radius

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec.decoding.layers import Shade
    from napari_btf.codec.decoding.part import Part
    from napari_btf.codec.latents.quantised import QuantisedLatents

__all__ = ["AbrdfConvBTF", "MlpBTF", "TexelNetworkBTF", "direction_inputs"]

#: Name of the layers in a file.
PART = "decoder"
#: No colour is larger, so that what is decoded stays finite in single precision.
_LARGEST = 1e30


def direction_inputs(light: ArrayLike, view: ArrayLike, count: int) -> NDArray[np.float64]:
    """What a network knows of (light, view) pairs, (P, 3), (P, 3) -> (P, count).

    The light's place on the stereographic disk, and the view's if ``count`` is 4.
    """
    disks = np.concatenate([vectors_to_disk(light), vectors_to_disk(view)], axis=-1)
    return disks[..., :count]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TexelNetworkBTF(CompressedBTF):
    """Latent map + one network for all texels: the surface under any light and view.

    Parameters
    ----------
    layers : Layers
        With ReLU between them. Inputs are the K latents, then 2 or 4 coordinates of the directions
        (see `direction_inputs`); outputs are the colours.

    Raises
    ------
    ValueError
        If the layers do not fit the latents, or give colours of any size.
    """

    layers: Layers

    def __post_init__(self) -> None:
        if self.coordinates not in (2, 4):
            raise ValueError("the network has neither 2 nor 4 inputs for directions")
        largest = np.abs(self.latent_map).max(axis=(0, 1)).astype(np.float64)
        reach = np.append(largest, np.full(self.coordinates, 1.2))
        for weight, bias in zip(self.layers.weights, self.layers.biases, strict=True):
            reach = np.abs(weight).astype(np.float64) @ reach + np.abs(bias)
            if not reach.max() < _LARGEST:
                raise ValueError("the network gives colours of any size")

    @classmethod
    @abstractmethod
    def trained(cls, layers: Layers, latents: NDArray[np.float32], **common: Any) -> Self:
        """Return the model of trained layers and latents (H, W, K), as a file can hold them.

        Parameters
        ----------
        layers : Layers
        latents : ndarray of float32, shape (H, W, K)
        **common
            Directions, type and source, see `CompressedBTF`.
        """

    @property
    @abstractmethod
    def latent_map(self) -> NDArray[np.float32]:
        """The latents as float32, shape (H, W, K)."""

    @property
    def texel_network(self) -> Layers:
        """The layers of the network that decodes every texel."""
        return self.layers

    def _decoder_on(self, device: str) -> _OnDevice:
        return _OnDevice(self, device)

    def decoder_parts(self) -> dict[str, Any]:
        """The decoder as plain values and arrays, see `CompressedBTF.decoder_parts`."""
        light_radius, view_radius = self.radii
        return {
            "inputs": self.coordinates,
            "light_radius": light_radius,
            "view_radius": view_radius,
            "layers": self.layers.parts(),
        }

    @property
    def height(self) -> int:
        """Rows of the texel grid."""
        return int(self.latent_map.shape[0])

    @property
    def width(self) -> int:
        """Columns of the texel grid."""
        return int(self.latent_map.shape[1])

    @property
    def latent_count(self) -> int:
        """Latents per texel, K."""
        return int(self.latent_map.shape[2])

    @property
    def channels(self) -> int:
        """Values per texel of a decoded image."""
        return len(self.layers.biases[-1])

    @property
    def coordinates(self) -> int:
        """Inputs for directions: 2 for the light alone, 4 for light and view."""
        return int(self.layers.weights[0].shape[1]) - self.latent_count

    def shown(
        self, light: ArrayLike, view: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The pairs that are decoded when these are asked for, unit vectors of shape (..., 3)."""
        light_radius, view_radius = self.radii
        light = disk_to_vectors(within_radius(vectors_to_disk(light), light_radius))
        if self.coordinates == 2:
            return light, np.broadcast_to(self.view[0], np.shape(view)).copy()
        return light, disk_to_vectors(within_radius(vectors_to_disk(view), view_radius))

    @contextmanager
    def _shading(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> Iterator[Shade]:
        network = self.for_frame(light, view)
        flat = self._flat(part, lambda: self._latents_of(part))
        decoding(part.texels * self.layers.products)
        yield lambda chunk, scratch, out: network(flat[chunk], scratch, out)

    def for_frame(self, light: NDArray[np.float64], view: NDArray[np.float64]) -> FrameLayers:
        """The network under one pair of unit vectors, (3,)."""
        directions = direction_inputs(*self.shown(light, view), self.coordinates)
        first, *others = self.layers.weights
        bias, *biases = self.layers.biases
        k = self.latent_count
        # The directions are the same for all texels: their part of the first layer is a bias.
        bias = (first[:, k:] @ directions + bias).astype(np.float32)
        return FrameLayers([first[:, :k], *others], [bias, *biases])

    def _latents_of(self, part: Part) -> NDArray[np.float32]:
        """Latents, (T, K)."""
        return np.ascontiguousarray(part.cut(self.latent_map)).reshape(-1, self.latent_count)

    @cached_property
    def _flat(self) -> KeptParts[NDArray[np.float32]]:
        return KeptParts()

    @cached_property
    def radii(self) -> tuple[float, float]:
        """The largest disk radii of captured lights and views."""
        disks = (vectors_to_disk(vectors) for vectors in (self.light, self.view))
        light, view = (float(np.hypot(*disk.T).max()) for disk in disks)
        return light, view


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AbrdfConvBTF(TexelNetworkBTF):
    """A model of the codec abrdf-conv, whose latents are kept as they are.

    Parameters
    ----------
    latents : ndarray of float32, shape (H, W, K)
    """

    latents: NDArray[np.float32]

    architecture: ClassVar[str] = "abrdf-conv"

    @classmethod
    def trained(cls, layers: Layers, latents: NDArray[np.float32], **common: Any) -> Self:
        """Return the model with layers and latents in single precision, as they were trained."""
        return cls(layers=layers, latents=latents, **common)

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The description and the tensors of a file, in single precision."""
        said, tensors = pack_layers(PART, self.layers, np.float32)
        return said | {"coordinates": self.coordinates}, tensors | {"latents": self.latents}

    @property
    def latent_map(self) -> NDArray[np.float32]:
        """The latents, shape (H, W, K)."""
        return self.latents

    def with_latents(self, latent_map: ArrayLike) -> AbrdfConvBTF:
        """The same network with other latents, shape (H, W, K)."""
        return replace(self, latents=self.checked_latents(latent_map))

    @property
    def latent_bytes(self) -> int:
        """Bytes of the latents in a file."""
        return self.latents.nbytes


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MlpBTF(TexelNetworkBTF):
    """A model of the codec mlp, whose latents take at most 8 bits.

    Parameters
    ----------
    latents : QuantisedLatents or FreeLatents
        Of (H, W, K).
    """

    latents: QuantisedLatents | FreeLatents

    architecture: ClassVar[str] = "mlp"

    @classmethod
    def trained(cls, layers: Layers, latents: NDArray[np.float32], **common: Any) -> Self:
        """Return the model with layers in half precision and latents in 8 bits."""
        return cls(layers=layers.rounded(), latents=quantise(latents), **common)

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The description and the tensors of a file."""
        said, tensors = pack_layers(PART, self.layers)
        tensors |= self.latents.quantised.tensors()
        return said | {"coordinates": self.coordinates}, tensors

    @cached_property
    def latent_map(self) -> NDArray[np.float32]:
        """The latents as float32, shape (H, W, K)."""
        return self.latents.values()

    def with_latents(self, latent_map: ArrayLike) -> MlpBTF:
        """The same network with other latents, shape (H, W, K)."""
        return replace(self, latents=FreeLatents(self.checked_latents(latent_map)))

    @property
    def latent_bytes(self) -> int:
        """Bytes of the latents in a file."""
        return self.latents.nbytes


class _OnDevice(OnDevice["TexelNetworkBTF"]):
    """Decodes a model of the codec on a device."""

    @cached_property
    def _latents(self) -> torch.Tensor:
        return self.to(self._model.latent_map)

    def _shade(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> torch.Tensor:
        flat = self._latents[part.slices].reshape(-1, self._model.latent_count)
        return self.apply(self._model.for_frame(light, view), flat)
