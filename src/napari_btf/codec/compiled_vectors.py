"""The innermost steps of `napari_btf.codec.compiled_kernels`, written in instructions of LLVM.

numba would compile the same from loops, but leaves sums in memory instead of the registers of the
processor, and takes one number at a time: half as fast for layers, a quarter as fast for lookups.
LLVM has vectors of any length: where a processor has shorter ones, it takes several.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from napari_btf.codec.compiled import LANES

__all__ = [
    "ROWS",
    "between",
    "beyond",
    "products_1",
    "products_2",
    "products_3",
    "start",
    "vector_between",
]

#: Texels whose products with so many vectors of outputs are summed up at once: enough that no
#: product waits for the one before it, few enough for the registers of common processors.
ROWS = {1: 8, 2: 4, 3: 4}

_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_FLOATS = types.CPointer(types.float32)


@intrinsic
def start(typingctx: Any, array: Any) -> Any:
    """Where the first element of an array lies in memory."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), code


@intrinsic
def beyond(typingctx: Any, place: Any, count: Any) -> Any:
    """The place some elements on."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return place(place, types.intp), code


def _products_of(vectors: int, rows: int) -> Any:
    """The function `products` for so many vectors of outputs and rows of texels."""

    @intrinsic
    def products(
        typingctx: Any,
        inputs: Any,
        input_step: Any,
        count: Any,
        weights: Any,
        weight_step: Any,
        biases: Any,
        least: Any,
        outputs: Any,
        output_step: Any,
    ) -> Any:
        """``max(inputs @ weights + biases, least)`` of a few texels and outputs.

        All are places of float32 in memory, and floats from a texel, or a row of weights, to
        the next; ``count`` is how many inputs there are, at least one.
        """
        step = types.intp
        signature = types.void(
            _FLOATS, step, step, _FLOATS, step, _FLOATS, types.float32, _FLOATS, step
        )

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _emit_products(builder, vectors, rows, *args)
            return context.get_dummy_value()

        return signature, code

    return products


def _emit_products(
    builder: Any,
    vectors: int,
    rows: int,
    inputs: Any,
    input_step: Any,
    count: Any,
    weights: Any,
    weight_step: Any,
    biases: Any,
    least: Any,
    outputs: Any,
    output_step: Any,
) -> None:
    tile = list(product(range(rows), range(vectors)))

    def vector_at(place: Any, offset: Any, v: int) -> Any:
        place = builder.gep(place, [builder.add(offset, _INT(LANES * v))])
        return builder.bitcast(place, _VECTOR.as_pointer())

    def load(place: Any, offset: Any) -> list[Any]:
        # Aligned as floats are, not as vectors.
        return [builder.load(vector_at(place, offset, v), align=4) for v in range(vectors)]

    # Fused where the processor can.
    multiply_add = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32"
    )
    first = load(biases, _INT(0))
    texels = [builder.gep(inputs, [builder.mul(input_step, _INT(row))]) for row in range(rows)]
    before = builder.block
    loop, after = (builder.append_basic_block(name) for name in ("inputs", "done"))
    builder.branch(loop)

    builder.position_at_end(loop)
    i = builder.phi(_INT)
    sums = {place: builder.phi(_VECTOR) for place in tile}
    weight = load(weights, builder.mul(i, weight_step))
    values = [_repeated(builder, builder.load(builder.gep(t, [i]), align=4)) for t in texels]
    added = {
        (row, v): builder.call(multiply_add, [values[row], weight[v], sums[row, v]])
        for row, v in tile
    }
    following = builder.add(i, _INT(1))
    i.add_incoming(_INT(0), before)
    i.add_incoming(following, loop)
    for row, v in tile:
        sums[row, v].add_incoming(first[v], before)
        sums[row, v].add_incoming(added[row, v], loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)

    builder.position_at_end(after)
    lowest = _repeated(builder, least)
    for row, v in tile:
        # NaN stays what it is.
        is_less = builder.fcmp_ordered("<", added[row, v], lowest)
        value = builder.select(is_less, lowest, added[row, v])
        builder.store(value, vector_at(outputs, builder.mul(output_step, _INT(row)), v), align=4)


def _repeated(builder: Any, value: Any, lanes: int = LANES) -> Any:
    """A vector of the same float in all lanes."""
    lane, none = ir.IntType(32), ir.Constant(ir.VectorType(_FLOAT, lanes), ir.Undefined)
    one = builder.insert_element(none, value, lane(0))
    zeros = ir.Constant(ir.VectorType(lane, lanes), [0] * lanes)
    return builder.shuffle_vector(one, none, zeros)


def _between_of(lanes: int) -> Any:
    """The function `between` for so many latents at once."""
    vector = ir.VectorType(_FLOAT, lanes)

    @intrinsic
    def between(typingctx: Any, a: Any, b: Any, c: Any, d: Any, y: Any, x: Any, out: Any) -> Any:
        """Latents between four texels, ``a b`` above ``c d``; all but y and x are places."""

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def load(place: Any) -> Any:
                kind = place.type.pointee
                place = builder.bitcast(place, ir.VectorType(kind, lanes).as_pointer())
                values = builder.load(place, align=kind.get_abi_alignment(context.target_data))
                return values if kind == _FLOAT else builder.uitofp(values, vector)

            def mixed(first: Any, second: Any, share: Any) -> Any:
                return builder.fadd(first, builder.fmul(share, builder.fsub(second, first)))

            a, b, c, d = map(load, args[:4])
            y, x = (_repeated(builder, share, lanes) for share in args[4:6])
            result = mixed(mixed(a, b, x), mixed(c, d, x), y)
            builder.store(result, builder.bitcast(args[6], vector.as_pointer()), align=4)
            return context.get_dummy_value()

        return types.void(a, b, c, d, types.float32, types.float32, _FLOATS), code

    return between


#: With two vectors of outputs the processor waits for its products alone; layers may have less.
products_1, products_2, products_3 = (_products_of(v, ROWS[v]) for v in (1, 2, 3))
vector_between, between = _between_of(LANES), _between_of(1)
