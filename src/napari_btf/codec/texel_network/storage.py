"""Read the codecs abrdf-conv and mlp from the plain values and tensors of a model file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.codec.decoding.layers_storage import Expected, expected_layers, unpack_layers
from napari_btf.codec.latents.quantised import expected_codes, unpack_codes
from napari_btf.codec.texel_network.model import PART, AbrdfConvBTF, MlpBTF

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["expected_abrdf_conv", "expected_mlp", "unpack_abrdf_conv", "unpack_mlp"]


def unpack_abrdf_conv(
    description: dict[str, Any], tensors: dict[str, NDArray[Any]], common: dict[str, Any]
) -> AbrdfConvBTF:
    """Return the model of a file of abrdf-conv (see `napari_btf.codec.record.Codec`).

    Raises
    ------
    ValueError
        If values are larger than any training gives.
    """
    layers = unpack_layers(description, tensors, PART)
    return AbrdfConvBTF(layers=layers, latents=tensors["latents"], **common)


def unpack_mlp(
    description: dict[str, Any], tensors: dict[str, NDArray[Any]], common: dict[str, Any]
) -> MlpBTF:
    """Return the model of a file of mlp (see `napari_btf.codec.record.Codec`).

    Raises
    ------
    ValueError
        If the latents are damaged, or values are larger than any training gives.
    """
    layers = unpack_layers(description, tensors, PART)
    return MlpBTF(layers=layers, latents=unpack_codes(description, tensors), **common)


def expected_abrdf_conv(
    description: dict[str, Any], shapes: dict[str, tuple[int, ...]]
) -> Expected:
    """Return the shapes and types of the tensors of abrdf-conv.

    Raises
    ------
    KeyError, TypeError, ValueError, IndexError
        If the description or a tensor's shape is not what it must be.
    """
    height, width, k = (description[key] for key in ("height", "width", "latents"))
    return _expected_network(description, shapes) | {"latents": ((height, width, k), ("F32",))}


def expected_mlp(description: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> Expected:
    """Return the shapes and types of the tensors of mlp; it raises like `expected_abrdf_conv`."""
    found = _expected_network(description, shapes)
    return found | expected_codes(shapes, description["latents"])


def _expected_network(description: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> Expected:
    coordinates = description["coordinates"]
    if type(coordinates) is not int or coordinates not in (2, 4):
        raise ValueError("coordinates is neither 2 nor 4")
    inputs, outputs = description["latents"] + coordinates, description["channels"]
    return expected_layers(description, shapes, PART, inputs, outputs)
