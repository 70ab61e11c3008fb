"""The neural-basis codec as an ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.onnx_graph import Graph, disk, vectors
from napari_btf.interpolation.basis import LARGEST_BASIS
from napari_btf.interpolation.spline import LENGTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.neural_basis.model import NeuralBasisBTF
    from napari_btf.interpolation.spline import DirectionSpline

__all__ = ["onnx_form"]

#: Of the length over which the spline's kernel falls.
_PER_LENGTH = np.array([np.sqrt(3.0) / LENGTH])


def onnx_form(graph: Graph, model: NeuralBasisBTF) -> str:
    """Add the decoder to a graph (see `napari_btf.codec.record.Codec`)."""
    basis = model.basis
    space, spline, dome = basis.space, basis.spline, basis.continuation.dome
    asked = graph.beside(
        disk(graph, "light", space.light_radius), disk(graph, "view", space.view_radius)
    )
    off = graph("Sub", asked, space.centre)
    along = space.axes @ space.axes.T
    shown = graph("Add", graph("MatMul", off, along), space.centre)
    shown_vectors = graph.beside(
        *(vectors(graph, graph.columns(shown, start, start + 2)) for start in (0, 2))
    )
    trend = shown_vectors
    if basis.continuation.trend == "disks":
        q = graph("MatMul", off, space.axes)
        i, j = np.triu_indices(space.axes.shape[1])
        products = graph("Mul", graph("Gather", q, i, axis=1), graph("Gather", q, j, axis=1))
        trend = graph.beside(q, products)
    points = graph("Mul", shown_vectors, np.tile([1.0, 1.0, dome], 2))
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
