"""The parallax codec as an ONNX graph.

These sums are written by hand, because exporting `napari_btf.codec.parallax.in_torch` needs torch,
takes seconds, and fixes the number of pairs (docs/lab/decoding.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.features import GRAZING
from napari_btf.codec.onnx_graph import Graph, disk, linear, vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.decoding.layers import Layers
    from napari_btf.codec.parallax.model import ParallaxBTF
    from napari_btf.codec.parallax.networks import Network

__all__ = ["onnx_form"]

_ZERO, _ONE = np.zeros(1, dtype=np.float32), np.ones(1, dtype=np.float32)


def onnx_form(graph: Graph, model: ParallaxBTF) -> str:
    """Add the decoder to a graph (see `napari_btf.codec.record.Codec`)."""
    light = vectors(graph, disk(graph, "light", model.light_radius))
    if model.fixed_view:
        # As many as there are lights.
        view = graph("Add", graph("Mul", light, np.array([0.0])), model.view[:1])
    else:
        view = vectors(graph, disk(graph, "view", model.view_radius))
    half = graph("Add", light, view)
    half = graph("Div", half, graph("Max", graph.length(half), np.array([1e-9])))
    disks = [disk(graph, direction, 1.0) for direction in (light, view)]
    up = [graph.columns(direction, 2, 3) for direction in (light, view)]
    pair = graph.single(graph.beside(*disks, *up, graph.columns(half, 0, 2)))
    of_depth, of_view, of_light = model.latents_by_use
    places = graph.single("texel")
    if model.depth_latents:
        features = graph.single(graph.beside(disks[1], view))
        own = _texel_latents(graph, of_depth, model.width)
        depth = _modulated(graph, model.depth, own, features)
        places = graph("Add", places, graph("Mul", depth, _tangent(graph, view)))
        latents = _fetch(graph, model, of_view, places)
    else:
        latents = _texel_latents(graph, of_view, model.width)
    if model.light_latents:
        shift = _modulated(graph, model.shift, latents, pair)
        there = graph("Add", places, graph("Mul", shift, _tangent(graph, light)))
        latents = graph.beside(_fetch(graph, model, of_light, there), latents)
    return _modulated(graph, model.shade, latents, pair)


def _texel_latents(graph: Graph, latents: NDArray[np.float32], width: int) -> str:
    """Add a lookup of latents (H, W, K) at the input ``texel``, without interpolation: (N, K)."""
    row = graph("Mul", graph.columns("texel", 0, 1), np.array([width]))
    flat = graph("Squeeze", graph("Add", row, graph.columns("texel", 1, 2)), np.array([1]))
    return graph("Gather", latents.reshape(-1, latents.shape[2]), flat)


def _tangent(graph: Graph, direction: str) -> str:
    """Add the displacement (down, right) of rays per unit of height, in texels: (P, 2)."""
    up = graph("Max", graph.columns(direction, 2, 3), np.array([GRAZING]))
    down = graph("Neg", graph.columns(direction, 1, 2))
    moved = graph.beside(down, graph.columns(direction, 0, 1))
    return graph.single(graph("Div", moved, up))


def _modulated(graph: Graph, network: Network, latents: str, features: str) -> str:
    """Add a network whose hidden units are scaled and shifted by features of the directions."""
    modulation = _smooth(graph, network.modulation, features)
    h, start, last = latents, 0, len(network.layers.biases) - 1
    for i, (weight, bias) in enumerate(
        zip(network.layers.weights, network.layers.biases, strict=True)
    ):
        if i:
            h = graph("Relu", h)
        h = linear(graph, h, weight, bias)
        if i < last:
            middle, end = start + len(bias), start + 2 * len(bias)
            scale = graph("Add", graph.columns(modulation, start, middle), _ONE)
            h = graph("Add", graph("Mul", h, scale), graph.columns(modulation, middle, end))
            start = end
    return h


def _smooth(graph: Graph, layers: Layers, features: str) -> str:
    """Add a network with SiLU between its layers."""
    h = features
    for i, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        if i:
            h = graph("Mul", h, graph("Sigmoid", h))
        h = linear(graph, h, weight, bias)
    return h


def _fetch(graph: Graph, model: ParallaxBTF, latents: NDArray[np.float32], places: str) -> str:
    """Add a bilinear lookup of latents (H, W, K) at places (N, 2), rows (y, x): (N, K)."""
    sizes = np.array([model.height, model.width], dtype=np.float32)
    if model.periodic:
        rounds = graph("Floor", graph("Div", places, sizes))
        inside = graph("Sub", places, graph("Mul", rounds, sizes))
    else:
        inside = graph("Min", graph("Max", places, _ZERO), sizes - 1)
    low = graph("Floor", inside)
    share = graph("Sub", inside, low)
    mode: Any = "wrap" if model.periodic else "edge"
    bordered = np.pad(latents, ((0, 2), (0, 2), (0, 0)), mode=mode)
    table = graph.constant(bordered.reshape(-1, latents.shape[2]))
    wide = model.width + 2
    corner = graph.integer(low)
    row = graph("Mul", graph.columns(corner, 0, 1), np.array([wide]))
    flat = graph("Squeeze", graph("Add", row, graph.columns(corner, 1, 2)), np.array([1]))
    values = [
        graph("Gather", table, graph("Add", flat, np.array([step])))
        for step in (0, 1, wide, wide + 1)
    ]
    y, x = graph.columns(share, 0, 1), graph.columns(share, 1, 2)

    def between(a: str, b: str, part: str) -> str:
        return graph("Add", a, graph("Mul", graph("Sub", b, a), part))

    above, below = between(values[0], values[1], x), between(values[2], values[3], x)
    return between(above, below, y)
