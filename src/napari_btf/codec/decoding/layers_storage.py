"""Fully connected layers in a model file: a count in its description, two tensors each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.decoding.layers import Layers

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

__all__ = ["FLOATS", "Expected", "expected_layers", "pack_layers", "unpack_layers"]

#: Types of floating point tensors, as the format names them.
FLOATS = ("F16", "F32")
_MOST_LAYERS = 8

#: Shape and types that each tensor of a file may have.
Expected = dict[str, tuple[tuple[int, ...], tuple[str, ...]]]


def pack_layers(
    part: str, layers: Layers, dtype: DTypeLike = np.float16
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the description of the layers of a part, and their tensors."""
    tensors: dict[str, NDArray[Any]] = {}
    for i, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        tensors[f"{part}_{i}_weight"] = weight.astype(dtype)
        tensors[f"{part}_{i}_bias"] = bias.astype(dtype)
    return {f"{part}_layers": len(layers.weights)}, tensors


def unpack_layers(
    description: dict[str, Any], tensors: dict[str, NDArray[Any]], part: str
) -> Layers:
    """Return the layers of a part."""
    count = range(description[f"{part}_layers"])
    return Layers(
        tuple(tensors[f"{part}_{i}_weight"].astype(np.float32) for i in count),
        tuple(tensors[f"{part}_{i}_bias"].astype(np.float32) for i in count),
    )


def expected_layers(
    description: dict[str, Any],
    shapes: dict[str, tuple[int, ...]],
    part: str,
    inputs: int,
    outputs: int,
    used: bool = True,
) -> Expected:
    """Return the shapes of the layers of a part, with as many hidden units as the file has.

    Raises
    ------
    KeyError, ValueError, IndexError
        If the description or a tensor's shape is not what it must be.
    """
    layers = description[f"{part}_layers"]
    if type(layers) is not int or not int(used) <= layers <= (_MOST_LAYERS if used else 0):
        raise ValueError(f"{part}_layers is {layers!r:.20}")
    found: Expected = {}
    for i in range(layers):
        units = outputs if i == layers - 1 else max(1, shapes[f"{part}_{i}_bias"][0])
        found[f"{part}_{i}_weight"] = (units, inputs), FLOATS
        found[f"{part}_{i}_bias"] = (units,), FLOATS
        inputs = units
    return found
