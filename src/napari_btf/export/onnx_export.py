"""Writes decoders as ONNX files, which map latents, light and view to values.

``decoder_TAG.onnx`` has the inputs ``latent`` (N, K) and the unit vectors ``light`` and ``view``
(P, 3), where P is 1 or N. The output ``value`` (N, C) is 0..1 for integer captures and radiance
for floating-point ones. Directions outside the captured range are clamped to its edge, as in all
decoders. ``latent_map_TAG.npy`` contains the latents, (H, W, K).

The decoder of the codec parallax fetches latents where rays hit the surface. Its file therefore
contains the latent map, and has the input ``texel`` (N, 2), rows ``(y, x)``, instead of
``latent``.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.features import GRAZING
from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.codec.texel_network.model import TexelNetworkBTF
from napari_btf.errors import UsageError
from napari_btf.export.csv_export import check_tag
from napari_btf.export.onnx_graph import Graph
from napari_btf.files import write_files
from napari_btf.interpolation.basis import LARGEST_BASIS
from napari_btf.interpolation.spline import LENGTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec import CompressedBTF
    from napari_btf.codec.decoding.layers import Layers
    from napari_btf.codec.parallax.networks import Network
    from napari_btf.interpolation.spline import DirectionSpline

__all__ = ["decoder_onnx", "write_onnx"]

#: Factor of distances in the Matern kernel of the spline, whose length scale is ``LENGTH``.
_PER_LENGTH = np.array([np.sqrt(3.0) / LENGTH])
_ZERO, _ONE = np.zeros(1, dtype=np.float32), np.ones(1, dtype=np.float32)


def write_onnx(model: CompressedBTF, folder: str | Path, tag: str = "0") -> list[Path]:
    """Write the decoder of a model as an ONNX file, and its latents as a ``.npy`` file.

    Parameters
    ----------
    model : CompressedBTF
        For the codec parallax, the ONNX file contains the latents and there is no ``.npy`` file.
    folder : str or Path
        Created if it does not exist; older files of the same names are replaced.
    tag : str
        The last part of the file names.

    Returns
    -------
    list of Path
        The files that were written. On an error no file is written.

    Raises
    ------
    UsageError
        If the package onnx is missing, the model is too large, or the folder cannot be written to.
    """
    check_tag(tag)
    contents = {Path(folder) / f"decoder_{tag}.onnx": decoder_onnx(model)}
    if not isinstance(model, ParallaxBTF):
        buffer = io.BytesIO()
        np.save(buffer, model.latent_map)
        contents[Path(folder) / f"latent_map_{tag}.npy"] = buffer.getvalue()
    return write_files(contents)


def decoder_onnx(model: CompressedBTF) -> bytes:
    """Return the decoder of a model as the content of an ONNX file.

    The metadata of the file give the codec, the size of the surface and the captured type.

    Raises
    ------
    UsageError
        If the package onnx is missing, or if the model is too large.
    """
    graph = Graph()
    texels: dict[str, Any] = {"latent": (np.float32, ("texels", model.latent_count))}
    if isinstance(model, TexelNetworkBTF):
        value = _texel_network(graph, model)
    elif isinstance(model, NeuralBasisBTF):
        value = _neural_basis(graph, model)
    elif isinstance(model, ParallaxBTF):
        value = _parallax(graph, model)
        texels = {"texel": (np.int64, ("texels", 2))}
    else:
        raise UsageError(None, f"the codec {model.architecture} has no ONNX form", "export to json")
    bounds = (np.float32(0), np.float32(model.values.largest_fitted))
    value = graph("Clip", value, *(np.asarray(bound) for bound in bounds))
    if model.values.is_float:
        value = graph("Sub", graph("Exp", value), _ONE)
    pairs = dict.fromkeys(("light", "view"), (np.float32, ("pairs", 3)))
    return graph.to_bytes(
        texels | pairs,
        (value, ("texels", model.channels)),
        {
            "codec": model.architecture,
            "height": str(model.height),
            "width": str(model.width),
            "captured_type": model.dtype.name,
            "directions": "unit vectors, x right, y up, z out of the surface",
        },
    )


def _disk(graph: Graph, direction: str, radius: float) -> str:
    """Project directions (P, 3) on the stereographic disk, (P, 2), and clamp them to a radius.

    The result is in double precision.
    """
    direction = graph.double(direction)
    below = graph("Add", graph.columns(direction, 2, 3), np.array([1.0]))
    place = graph("Div", graph.columns(direction, 0, 2), below)
    length = graph("Max", graph.length(place), np.array([1e-12]))
    shrink = graph("Min", graph("Div", np.array([radius]), length), np.array([1.0]))
    return graph("Mul", place, shrink)


def _vectors(graph: Graph, disk: str) -> str:
    """Convert points on the stereographic disk, (P, 2), to unit vectors, (P, 3)."""
    square = graph("ReduceSum", graph("Mul", disk, disk), np.array([-1]), keepdims=1)
    twice = graph("Mul", disk, np.array([2.0]))
    up = graph("Sub", np.array([1.0]), square)
    return graph("Div", graph.beside(twice, up), graph("Add", square, np.array([1.0])))


def _texel_network(graph: Graph, model: TexelNetworkBTF) -> str:
    """Add the decoder of the codecs abrdf-conv and mlp: values (N, C)."""
    disks = [_disk(graph, "light", model.radii[0]), _disk(graph, "view", model.radii[1])]
    directions = graph.single(graph.beside(*disks) if model.coordinates == 4 else disks[0])
    first, *others = model.layers.weights
    bias, *biases = model.layers.biases
    k = model.latent_count
    of_directions = graph("MatMul", directions, np.ascontiguousarray(first[:, k:].T))
    h = graph("MatMul", "latent", np.ascontiguousarray(first[:, :k].T))
    h = graph("Add", h, graph("Add", of_directions, bias))
    for weight, bias in zip(others, biases, strict=True):
        h = _linear(graph, graph("Relu", h), weight, bias)
    return h


def _linear(graph: Graph, h: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
    """Add a linear layer with weights (out, in)."""
    return graph("Add", graph("MatMul", h, np.ascontiguousarray(weight.T)), bias)


def _neural_basis(graph: Graph, model: NeuralBasisBTF) -> str:
    """Add the decoder of the codec neural-basis: a basis of the directions, times the latents."""
    basis = model.basis
    space, spline, dome = basis.space, basis.spline, basis.continuation.dome
    asked = graph.beside(
        _disk(graph, "light", space.light_radius), _disk(graph, "view", space.view_radius)
    )
    off = graph("Sub", asked, space.centre)
    along = space.axes @ space.axes.T
    shown = graph("Add", graph("MatMul", off, along), space.centre)
    vectors = graph.beside(
        *(_vectors(graph, graph.columns(shown, start, start + 2)) for start in (0, 2))
    )
    trend = vectors
    if basis.continuation.trend == "disks":
        q = graph("MatMul", off, space.axes)
        i, j = np.triu_indices(space.axes.shape[1])
        products = graph("Mul", graph("Gather", q, i, axis=1), graph("Gather", q, j, axis=1))
        trend = graph.beside(q, products)
    points = graph("Mul", vectors, np.tile([1.0, 1.0, dome], 2))
    slopes = spline.slopes.astype(np.float64)
    table = graph("MatMul", _kernel(graph, points, spline), spline.coefficients.astype(np.float64))
    table = graph("Add", table, graph("MatMul", trend, slopes[1:]))
    table = graph("Add", table, slopes[0])
    if len(spline.bumps):
        bumps = spline.bumps.astype(np.float64)
        table = graph("Add", table, graph("MatMul", _bumps(graph, points, spline), bumps))
    limit = (np.asarray(-LARGEST_BASIS), np.asarray(LARGEST_BASIS))
    table = graph.single(graph("Clip", table, *limit))
    rows = graph("Reshape", table, np.array([-1, model.latent_count + 1, model.channels]))
    mean = graph("Squeeze", graph("Slice", rows, *_span(0, 1)), np.array([1]))
    others = graph("Slice", rows, *_span(1, model.latent_count + 1))
    latents = graph("Unsqueeze", "latent", np.array([1]))
    return graph("Add", graph("Squeeze", graph("MatMul", latents, others), np.array([1])), mean)


def _kernel(graph: Graph, points: str, spline: DirectionSpline) -> str:
    """Add the Matern kernel between points (P, D) and the spline's centres: (P, centres)."""
    scaled = graph("Mul", _distances(graph, points, spline.points[spline.centres]), _PER_LENGTH)
    rise = graph("Add", scaled, np.array([1.0]))
    return graph("Mul", rise, graph("Exp", graph("Neg", scaled)))


def _bumps(graph: Graph, points: str, spline: DirectionSpline) -> str:
    """Add Wendland's kernel (1 - r)^4 (4 r + 1) between points (P, D) and all bumps: (P, N)."""
    r = graph("Div", _distances(graph, points, spline.points), spline.reach)
    left = graph("Max", graph("Sub", np.array([1.0]), r), np.array([0.0]))
    fourth = graph("Mul", graph("Mul", left, left), graph("Mul", left, left))
    rise = graph("Add", graph("Mul", r, np.array([4.0])), np.array([1.0]))
    return graph("Mul", fourth, rise)


def _span(start: int, end: int) -> tuple[NDArray[Any], ...]:
    """Return start, end and axis of a slice along the second axis, as the operator takes them."""
    return np.array([start]), np.array([end]), np.array([1])


def _distances(graph: Graph, points: str, others: NDArray[np.float64]) -> str:
    """Add the distances (P, N) between points (P, D) and other points (N, D)."""
    apart = graph("Sub", graph("Unsqueeze", points, np.array([1])), others[np.newaxis])
    squares = graph("ReduceSum", graph("Mul", apart, apart), np.array([-1]), keepdims=0)
    return graph("Sqrt", squares)


def _parallax(graph: Graph, model: ParallaxBTF) -> str:
    """Add the decoder of the codec parallax, which contains the latent map: values (N, C)."""
    light = _vectors(graph, _disk(graph, "light", model.light_radius))
    if model.fixed_view:
        # Adding 0 * light repeats the fixed view once per light.
        view = graph("Add", graph("Mul", light, np.array([0.0])), model.view[:1])
    else:
        view = _vectors(graph, _disk(graph, "view", model.view_radius))
    half = graph("Add", light, view)
    half = graph("Div", half, graph("Max", graph.length(half), np.array([1e-9])))
    disks = [_disk(graph, vectors, 1.0) for vectors in (light, view)]
    up = [graph.columns(vectors, 2, 3) for vectors in (light, view)]
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


def _tangent(graph: Graph, vectors: str) -> str:
    """Add the displacement (down, right) of rays per unit of height, in texels: (P, 2)."""
    up = graph("Max", graph.columns(vectors, 2, 3), np.array([GRAZING]))
    down = graph("Neg", graph.columns(vectors, 1, 2))
    moved = graph.beside(down, graph.columns(vectors, 0, 1))
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
        h = _linear(graph, h, weight, bias)
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
        h = _linear(graph, h, weight, bias)
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
