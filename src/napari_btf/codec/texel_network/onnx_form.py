"""The codecs abrdf-conv and mlp as an ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.onnx_graph import Graph, disk, linear

if TYPE_CHECKING:
    from napari_btf.codec.texel_network.model import TexelNetworkBTF

__all__ = ["onnx_form"]


def onnx_form(graph: Graph, model: TexelNetworkBTF) -> str:
    """Add the decoder to a graph (see `napari_btf.codec.record.Codec`)."""
    disks = [disk(graph, "light", model.radii[0]), disk(graph, "view", model.radii[1])]
    directions = graph.single(graph.beside(*disks) if model.coordinates == 4 else disks[0])
    first, *others = model.layers.weights
    bias, *biases = model.layers.biases
    k = model.latent_count
    of_directions = graph("MatMul", directions, np.ascontiguousarray(first[:, k:].T))
    h = graph("MatMul", "latent", np.ascontiguousarray(first[:, :k].T))
    h = graph("Add", h, graph("Add", of_directions, bias))
    for weight, bias in zip(others, biases, strict=True):
        h = linear(graph, graph("Relu", h), weight, bias)
    return h
