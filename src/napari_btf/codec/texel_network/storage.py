"""What a model file holds of the codecs abrdf-conv and mlp: plain values and arrays by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.decoding.layers_storage import (
    FLOATS,
    Expected,
    expected_layers,
    pack_layers,
    unpack_layers,
)
from napari_btf.codec.latents.quantised import QuantisedLatents, read_codes
from napari_btf.codec.texel_network.model import AbrdfConvBTF, MlpBTF, TexelNetworkBTF

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ARCHITECTURES", "expected", "pack", "unpack"]

ARCHITECTURES = (AbrdfConvBTF.architecture, MlpBTF.architecture)

_PART = "decoder"


def pack(model: TexelNetworkBTF) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a file says of a model, and its tensors.

    Those of abrdf-conv in single precision throughout, as they were trained.
    """
    if isinstance(model, MlpBTF):
        said, tensors = pack_layers(_PART, model.layers)
        latents = model.latents.quantised
        streams, lengths = latents.streams
        tensors |= {
            "latent_streams": streams,
            "latent_lengths": lengths,
            "latent_scale": latents.scale,
            "latent_offset": latents.offset,
        }
    else:
        said, tensors = pack_layers(_PART, model.layers, np.float32)
        tensors["latents"] = model.latent_map
    return said | {"coordinates": model.coordinates}, tensors


def unpack(
    description: dict[str, Any], tensors: dict[str, NDArray[Any]], common: dict[str, Any]
) -> TexelNetworkBTF:
    """The model of a file.

    Parameters
    ----------
    description : dict
    tensors : dict
    common : dict
        ``light view dtype source path``.

    Raises
    ------
    ValueError
        If the latents are damaged, or values are larger than any training gives.
    """
    layers = unpack_layers(description, tensors, _PART)
    if description["architecture"] == AbrdfConvBTF.architecture:
        return AbrdfConvBTF(layers=layers, latents=tensors["latents"], **common)
    shape = description["height"], description["width"], description["latents"]
    latents = QuantisedLatents(
        read_codes(tensors["latent_streams"], tensors["latent_lengths"], shape),
        tensors["latent_scale"].astype(np.float32),
        tensors["latent_offset"].astype(np.float32),
    )
    return MlpBTF(layers=layers, latents=latents, **common)


def expected(description: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> Expected:
    """The shape every tensor of a file must have (see `napari_btf.codec.parallax.storage`).

    Raises
    ------
    KeyError, TypeError, ValueError, IndexError
        If the description or a tensor's shape is not what it must be.
    """
    height, width, channels, k, coordinates = (
        description[key] for key in ("height", "width", "channels", "latents", "coordinates")
    )
    if type(coordinates) is not int or coordinates not in (2, 4):
        raise ValueError("coordinates is neither 2 nor 4")
    found = expected_layers(description, shapes, _PART, k + coordinates, channels)
    if description["architecture"] == AbrdfConvBTF.architecture:
        return found | {"latents": ((height, width, k), ("F32",))}
    return found | {
        "latent_streams": (shapes["latent_streams"][:1], ("U8",)),
        "latent_lengths": (shapes["latent_lengths"][:1], ("I64",)),
        "latent_scale": ((k,), FLOATS),
        "latent_offset": ((k,), FLOATS),
    }
