"""Write ONNX graphs, one operator after the other, with the parts that several codecs need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Graph", "disk", "linear", "vectors"]

#: Version of the operators (ai.onnx) and of the file format: supported since early 2023, for
#: example by onnxruntime 1.14.
_OPSET, _IR_VERSION = 17, 8
#: Largest size of the constants in bytes: an ONNX file has at most 2 GiB.
_MOST_BYTES = 2**31 - 2**20


class Graph:
    """An ONNX graph under construction: each call adds an operator and returns its output's name.

    Raises
    ------
    UsageError
        If the package onnx is missing.
    """

    def __init__(self) -> None:
        try:
            from onnx import helper, numpy_helper
        except ImportError as error:
            raise UsageError(
                None, "this needs the package onnx", 'pip install "napari-btf[onnx]"'
            ) from error
        self._helper, self._numpy = helper, numpy_helper
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._bytes = 0

    def __call__(self, operator: str, *inputs: str | NDArray[Any], **attributes: Any) -> str:
        """Add an operator and return the name of its output; array inputs become constants."""
        names = [name if isinstance(name, str) else self.constant(name) for name in inputs]
        output = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, names, [output], **attributes))
        return output

    def constant(self, values: ArrayLike) -> str:
        """Add a constant array and return its name."""
        array = np.asarray(values)
        self._bytes += array.nbytes
        if self._bytes > _MOST_BYTES:
            raise UsageError(
                None, "the model is too large for one ONNX file", "use the safetensors file"
            )
        name = f"constant_{len(self._constants)}"
        self._constants.append(self._numpy.from_array(np.ascontiguousarray(array), name))
        return name

    def double(self, name: str) -> str:
        """Convert a tensor to double precision."""
        from onnx import TensorProto

        return self("Cast", name, to=TensorProto.DOUBLE)

    def single(self, name: str) -> str:
        """Convert a tensor to single precision."""
        from onnx import TensorProto

        return self("Cast", name, to=TensorProto.FLOAT)

    def integer(self, name: str) -> str:
        """Convert a tensor to 64-bit integers."""
        from onnx import TensorProto

        return self("Cast", name, to=TensorProto.INT64)

    def columns(self, name: str, start: int, end: int) -> str:
        """Take the columns ``start`` to ``end`` - 1 of a tensor (P, F)."""
        bounds = (np.array([start]), np.array([end]), np.array([1]))
        return self("Slice", name, *bounds)

    def beside(self, *names: str) -> str:
        """Concatenate tensors (P, F1), (P, F2), ... along their columns."""
        return self("Concat", *names, axis=1)

    def length(self, name: str) -> str:
        """Compute the Euclidean norm of each row of a tensor (P, F): (P, 1)."""
        square = self("Mul", name, name)
        return self("Sqrt", self("ReduceSum", square, np.array([-1]), keepdims=1))

    def to_bytes(
        self,
        inputs: Mapping[str, tuple[type, Sequence[str | int]]],
        output: tuple[str, Sequence[str | int]],
        description: Mapping[str, str],
    ) -> bytes:
        """Check the graph, and return it as the content of an ONNX file.

        Parameters
        ----------
        inputs : mapping
            Name of each input, with its data type and shape.
        output : (str, shape)
            Name and shape of the tensor, in single precision, that becomes the output ``value``.
        description : mapping
            Metadata of the file.
        """
        import onnx

        helper = self._helper
        name, shape = output
        self._nodes.append(helper.make_node("Identity", [name], ["value"]))
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "decoder",
            [
                info(key, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), size)
                for key, (kind, size) in inputs.items()
            ],
            [info("value", onnx.TensorProto.FLOAT, shape)],
            self._constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="napari-btf",
        )
        helper.set_model_props(model, dict(description))
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def disk(graph: Graph, direction: str, radius: float) -> str:
    """Project directions (P, 3) on the stereographic disk, (P, 2), and clamp them to a radius.

    The result is in double precision.
    """
    direction = graph.double(direction)
    below = graph("Add", graph.columns(direction, 2, 3), np.array([1.0]))
    place = graph("Div", graph.columns(direction, 0, 2), below)
    length = graph("Max", graph.length(place), np.array([1e-12]))
    shrink = graph("Min", graph("Div", np.array([radius]), length), np.array([1.0]))
    return graph("Mul", place, shrink)


def vectors(graph: Graph, disk: str) -> str:
    """Convert points on the stereographic disk, (P, 2), to unit vectors, (P, 3)."""
    square = graph("ReduceSum", graph("Mul", disk, disk), np.array([-1]), keepdims=1)
    twice = graph("Mul", disk, np.array([2.0]))
    up = graph("Sub", np.array([1.0]), square)
    return graph("Div", graph.beside(twice, up), graph("Add", square, np.array([1.0])))


def linear(graph: Graph, h: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
    """Add a linear layer with weights (out, in)."""
    return graph("Add", graph("MatMul", h, np.ascontiguousarray(weight.T)), bias)
