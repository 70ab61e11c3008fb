"""What a model file holds of the parallax codec: plain values and arrays by name."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.parallax import ARCHITECTURE, ParallaxBTF
from napari_btf.codec.parallax_networks import PAIR_FEATURES, VIEW_FEATURES, Layers, Network
from napari_btf.codec.quantised import QuantisedLatents

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ARCHITECTURE", "expected", "pack", "unpack"]

_NETWORKS = ("depth", "shift", "shade")
_MOST_LAYERS = 8
_FLOATS = ("F16", "F32")
#: Of the stereographic disk; the horizon is at 1.
_LARGEST_RADIUS = 1.0102


def pack(model: ParallaxBTF) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a file says of a model, and its tensors."""
    tensors: dict[str, NDArray[Any]] = {
        "latents": model.latents.codes,
        "latent_scale": model.latents.scale,
        "latent_offset": model.latents.offset,
    }
    description: dict[str, Any] = {
        "depth_latents": model.depth_latents,
        "light_latents": model.light_latents,
        "periodic": model.periodic,
        "light_radius": model.light_radius,
        "view_radius": model.view_radius,
    }
    for name in _NETWORKS:
        network: Network = getattr(model, name)
        for part, layers in ((name, network.layers), (f"{name}_modulation", network.modulation)):
            description[f"{part}_layers"] = len(layers.weights)
            for i, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
                tensors[f"{part}_{i}_weight"] = weight.astype(np.float16)
                tensors[f"{part}_{i}_bias"] = bias.astype(np.float16)
    return description, tensors


def unpack(
    description: dict[str, Any], tensors: dict[str, NDArray[Any]], common: dict[str, Any]
) -> ParallaxBTF:
    """The model of a file.

    Parameters
    ----------
    description : dict
    tensors : dict
    common : dict
        ``light view dtype source path``.
    """

    def layers(part: str) -> Layers:
        count = range(description[f"{part}_layers"])
        return Layers(
            tuple(tensors[f"{part}_{i}_weight"].astype(np.float32) for i in count),
            tuple(tensors[f"{part}_{i}_bias"].astype(np.float32) for i in count),
        )

    def network(name: str) -> Network:
        return Network(layers(name), layers(f"{name}_modulation"))

    return ParallaxBTF(
        latents=QuantisedLatents(
            tensors["latents"],
            tensors["latent_scale"].astype(np.float32),
            tensors["latent_offset"].astype(np.float32),
        ),
        depth_latents=description["depth_latents"],
        light_latents=description["light_latents"],
        depth=network("depth"),
        shift=network("shift"),
        shade=network("shade"),
        periodic=description["periodic"],
        light_radius=float(description["light_radius"]),
        view_radius=float(description["view_radius"]),
        **common,
    )


def expected(
    description: dict[str, Any], shapes: dict[str, tuple[int, ...]]
) -> dict[str, tuple[tuple[int, ...], tuple[str, ...]]]:
    """The shape every tensor of a file must have, by its description and how many there are.

    Counts that only the file knows (directions, pairs, hidden units) are taken from ``shapes``.

    Raises
    ------
    KeyError, TypeError, ValueError, IndexError
        If the description or a tensor's shape is not what it must be.
    """
    height, width, channels, k, of_depth, of_light = (
        description[key]
        for key in ("height", "width", "channels", "latents", "depth_latents", "light_latents")
    )
    if type(description["periodic"]) is not bool:
        raise ValueError("periodic is neither true nor false")
    if min(of_depth, of_light) < 0 or k - of_depth - of_light < 1:
        raise ValueError("more latents of one kind than there are")
    for key in ("light_radius", "view_radius"):
        value = description[key]
        if type(value) not in (int, float) or not 0 <= value <= _LARGEST_RADIUS:
            raise ValueError(f"{key} is {reprlib.repr(value)}")
    found: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
        "latents": ((height, width, k), ("U8",)),
        "latent_scale": ((k,), _FLOATS),
        "latent_offset": ((k,), _FLOATS),
    }
    moved = k - of_depth - of_light
    for name, features, inputs, outputs, used in (
        ("depth", VIEW_FEATURES, of_depth, 1, bool(of_depth)),
        ("shift", PAIR_FEATURES, moved, 1, bool(of_light)),
        ("shade", PAIR_FEATURES, moved + of_light, channels, True),
    ):
        layers = _layers(description, shapes, name, inputs, outputs, used)
        hidden = sum(shape[0] for part, (shape, _) in layers.items() if part.endswith("bias"))
        hidden -= outputs if layers else 0
        found |= layers
        found |= _layers(description, shapes, f"{name}_modulation", features, 2 * hidden, used)
    return found


def _layers(
    description: dict[str, Any],
    shapes: dict[str, tuple[int, ...]],
    part: str,
    inputs: int,
    outputs: int,
    used: bool,
) -> dict[str, tuple[tuple[int, ...], tuple[str, ...]]]:
    """Shapes of the layers of a part, whose hidden units are as many as the file has."""
    layers = description[f"{part}_layers"]
    if type(layers) is not int or not int(used) <= layers <= (_MOST_LAYERS if used else 0):
        raise ValueError(f"{part}_layers is {layers!r:.20}")
    found: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {}
    for i in range(layers):
        units = outputs if i == layers - 1 else max(1, shapes[f"{part}_{i}_bias"][0])
        found[f"{part}_{i}_weight"] = (units, inputs), _FLOATS
        found[f"{part}_{i}_bias"] = (units,), _FLOATS
        inputs = units
    return found
