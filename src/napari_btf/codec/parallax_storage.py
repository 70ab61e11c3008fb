"""What a model file holds of the parallax codec: plain values and arrays by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.parallax import ParallaxBTF
from napari_btf.codec.parallax_networks import PAIR_FEATURES, VIEW_FEATURES, Layers, Network
from napari_btf.codec.quantised import QuantisedLatents

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["expected", "pack", "unpack"]

_NETWORKS = ("depth", "shift", "shade")
_MOST_LAYERS = 8


def pack(model: ParallaxBTF) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a file holds: a description of plain values, and arrays by name.

    Captured directions are kept once each, with their pairs as indices; no pairs at all stand
    for every light from every view.
    """
    lights, light_of = np.unique(model.light.astype(np.float32), axis=0, return_inverse=True)
    views, view_of = np.unique(model.view.astype(np.float32), axis=0, return_inverse=True)
    pairs = np.unique(np.stack([light_of.reshape(-1), view_of.reshape(-1)], axis=-1), axis=0)
    if len(pairs) == len(lights) * len(views):
        pairs = pairs[:0]
    tensors: dict[str, NDArray[Any]] = {
        "latents": model.latents.codes,
        "latent_scale": model.latents.scale,
        "latent_offset": model.latents.offset,
        "lights": lights,
        "views": views,
        "pairs": pairs.astype(np.min_scalar_type(max(len(lights), len(views)) - 1)),
    }
    description: dict[str, Any] = {
        "height": model.height,
        "width": model.width,
        "channels": model.channels,
        "latents": model.latent_count,
        "depth_latents": model.depth_latents,
        "light_latents": model.light_latents,
        "periodic": model.periodic,
        "light_radius": model.light_radius,
        "view_radius": model.view_radius,
        "dtype": model.dtype.name,
        "source": model.source,
    }
    for name in _NETWORKS:
        network: Network = getattr(model, name)
        for part, layers in ((name, network.layers), (f"{name}_modulation", network.modulation)):
            description[f"{part}_layers"] = len(layers.weights)
            for i, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
                tensors[f"{part}_{i}_weight"] = weight.astype(np.float16)
                tensors[f"{part}_{i}_bias"] = bias.astype(np.float16)
    return description, {name: np.ascontiguousarray(values) for name, values in tensors.items()}


def unpack(description: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> ParallaxBTF:
    """The model of what `pack` gave.

    Raises
    ------
    ValueError
        If a pair names a direction that is not there.
    """
    lights, views = (tensors[name].astype(np.float64) for name in ("lights", "views"))
    pairs = tensors["pairs"].astype(np.intp)
    if not len(pairs):
        pairs = np.indices((len(lights), len(views))).reshape(2, -1).T
    if pairs[:, 0].max() >= len(lights) or pairs[:, 1].max() >= len(views) or pairs.min() < 0:
        raise ValueError("a pair of directions lies outside their lists")

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
        light=lights[pairs[:, 0]],
        view=views[pairs[:, 1]],
        dtype=np.dtype(description["dtype"]),
        source=description["source"],
    )


def expected(
    description: dict[str, Any], shapes: dict[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
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
    found: dict[str, tuple[int, ...]] = {
        "latents": (height, width, k),
        "latent_scale": (k,),
        "latent_offset": (k,),
        "lights": (max(1, shapes["lights"][0]), 3),
        "views": (max(1, shapes["views"][0]), 3),
        "pairs": (shapes["pairs"][0], 2),
    }
    moved = k - of_depth - of_light
    for name, features, inputs, outputs, used in (
        ("depth", VIEW_FEATURES, of_depth, 1, bool(of_depth)),
        ("shift", PAIR_FEATURES, moved, 1, bool(of_light)),
        ("shade", PAIR_FEATURES, moved + of_light, channels, True),
    ):
        layers = _layers(description, shapes, name, inputs, outputs, used)
        hidden = sum(shape[0] for part, shape in layers.items() if part.endswith("bias")) - outputs
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
) -> dict[str, tuple[int, ...]]:
    """Shapes of the layers of a part, whose hidden units are as many as the file has."""
    layers = description[f"{part}_layers"]
    if type(layers) is not int or not int(used) <= layers <= (_MOST_LAYERS if used else 0):
        raise ValueError(f"{part}_layers is {layers!r:.20}")
    found: dict[str, tuple[int, ...]] = {}
    for i in range(layers):
        units = outputs if i == layers - 1 else max(1, shapes[f"{part}_{i}_bias"][0])
        found[f"{part}_{i}_weight"], found[f"{part}_{i}_bias"] = (units, inputs), (units,)
        inputs = units
    return found
