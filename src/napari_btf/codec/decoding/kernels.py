"""The work that is done for every texel, as machine code that numba compiles.

Importing this module takes some seconds the first time; then numba keeps the code on disk until
this file changes. Only `napari_btf.codec.decoding.compiled` imports it. Each function does what the
function of the same name in NumPy does.

The innermost steps are written as instructions of LLVM. From plain loops, numba compiles the same
arithmetic, but it keeps sums in memory instead of registers and handles one number at a time: half
as fast for lookups, and much slower for layers (docs/lab/replacements.md). LLVM has vectors of any
length, and uses several of the processor's if these are shorter.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir
from numba import carray, config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["LANES", "fetch", "layers", "mix", "store", "widen"]

if config.DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT is set")

#: Numbers that one instruction multiplies; the outputs of a layer are padded to a multiple of it.
LANES = 8
#: Number of texels whose products with 1, 2 or 3 vectors of outputs are summed at once: enough that
#: no product waits for the previous one, few enough for the registers of common processors.
ROWS = {1: 8, 2: 4, 3: 4}

_FLOAT, _HALF, _INT = ir.FloatType(), ir.IntType(16), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_FLOATS = types.CPointer(types.float32)


@intrinsic
def start(typingctx: Any, array: Any) -> Any:
    """The address of the first element of an array."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), code


@intrinsic
def beyond(typingctx: Any, place: Any, count: Any) -> Any:
    """The address a number of elements after another address."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return place(place, types.intp), code


def _products_of(vectors: int, rows: int) -> Any:
    """Make the function `products` for a number of vectors of outputs and of rows of texels."""

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
        """Compute ``max(inputs @ weights + biases, least)`` for a few texels and outputs.

        Arrays are addresses of float32. A step is the number of floats from one texel, or one row
        of weights, to the next. ``count`` is the number of inputs, at least one.
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
        # The data is aligned as floats, not as vectors.
        return [builder.load(vector_at(place, offset, v), align=4) for v in range(vectors)]

    # A fused operation, if the processor has one.
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
        # NaN stays NaN.
        is_less = builder.fcmp_ordered("<", added[row, v], lowest)
        value = builder.select(is_less, lowest, added[row, v])
        builder.store(value, vector_at(outputs, builder.mul(output_step, _INT(row)), v), align=4)


def _repeated(builder: Any, value: Any, lanes: int = LANES) -> Any:
    """Return a vector that has the same float in all lanes."""
    lane, none = ir.IntType(32), ir.Constant(ir.VectorType(_FLOAT, lanes), ir.Undefined)
    one = builder.insert_element(none, value, lane(0))
    zeros = ir.Constant(ir.VectorType(lane, lanes), [0] * lanes)
    return builder.shuffle_vector(one, none, zeros)


def _floats_at(context: Any, builder: Any, place: Any, lanes: int) -> Any:
    """Load latents from an address as a vector of floats.

    A latent of 16 bits is in half precision, which neither numba nor all processors know. Its bits,
    shifted to their places in a float, give the number up to the bias of the exponent.
    """
    kind, vector = place.type.pointee, ir.VectorType(_FLOAT, lanes)
    place = builder.bitcast(place, ir.VectorType(kind, lanes).as_pointer())
    values = builder.load(place, align=kind.get_abi_alignment(context.target_data))
    if kind == _FLOAT:
        return values
    if kind != _HALF:
        return builder.uitofp(values, vector)
    bits = ir.VectorType(ir.IntType(32), lanes)

    def every(number: int) -> Any:
        return ir.Constant(bits, [number] * lanes)

    wide = builder.zext(values, bits)
    size = builder.bitcast(builder.shl(builder.and_(wide, every(0x7FFF)), every(13)), vector)
    size = builder.fmul(size, ir.Constant(vector, [2.0**112] * lanes))
    sign = builder.shl(builder.and_(wide, every(0x8000)), every(16))
    return builder.bitcast(builder.or_(builder.bitcast(size, bits), sign), vector)


def _between_of(lanes: int) -> Any:
    """Make the function `between` for a number of latents at once."""
    vector = ir.VectorType(_FLOAT, lanes)

    @intrinsic
    def between(typingctx: Any, a: Any, b: Any, c: Any, d: Any, y: Any, x: Any, out: Any) -> Any:
        """Interpolate between the latents of four texels, ``a b`` above ``c d``."""

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def mixed(first: Any, second: Any, share: Any) -> Any:
                return builder.fadd(first, builder.fmul(share, builder.fsub(second, first)))

            a, b, c, d = (_floats_at(context, builder, place, lanes) for place in args[:4])
            y, x = (_repeated(builder, share, lanes) for share in args[4:6])
            result = mixed(mixed(a, b, x), mixed(c, d, x), y)
            builder.store(result, builder.bitcast(args[6], vector.as_pointer()), align=4)
            return context.get_dummy_value()

        return types.void(a, b, c, d, types.float32, types.float32, _FLOATS), code

    return between


def _copied_of(lanes: int) -> Any:
    """Make the function `copied` for a number of latents at once."""
    vector = ir.VectorType(_FLOAT, lanes)

    @intrinsic
    def copied(typingctx: Any, place: Any, out: Any) -> Any:
        """Copy latents from one address to another, as floats."""

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            values = _floats_at(context, builder, args[0], lanes)
            builder.store(values, builder.bitcast(args[1], vector.as_pointer()), align=4)
            return context.get_dummy_value()

        return types.void(place, _FLOATS), code

    return copied


#: Two vectors of outputs keep the processor's multipliers busy; small layers have only one.
products_1, products_2, products_3 = (_products_of(v, ROWS[v]) for v in (1, 2, 3))
vector_between, between = _between_of(LANES), _between_of(1)
vector_copied, copied = _copied_of(LANES), _copied_of(1)

#: Texels that go through all layers together: their activations fit the innermost cache.
_BLOCK = 48
_ROWS_1, _ROWS_2, _ROWS_3 = (ROWS[vectors] for vectors in (1, 2, 3))


def _machine_code(*signatures: Any, any_order: bool = False) -> Callable[[Any], Any]:
    """Compile a function at once for given argument types, without blocking other threads.

    With ``any_order``, sums may be added up in any order, several numbers at a time.
    """

    def decorate(function: Any) -> Any:
        flags = {"contract", "nsz", "reassoc"} if any_order else set()
        options = {"nogil": True, "error_model": "numpy", "fastmath": flags}
        try:
            return njit(list(signatures), cache=True, **options)(function)
        # The cache cannot be written, the disk is full, or a cached file is damaged.
        except Exception:
            return njit(list(signatures), **options)(function)

    return decorate


def _given(dtype: Any, dimensions: int, layout: str) -> Any:
    """The type of an array that is only read, and that may be read-only."""
    return types.Array(dtype, dimensions, layout, readonly=True)


@njit(inline="always")
def _layer(  # type: ignore[no-untyped-def]
    inputs, input_step, count, weights, biases, width, least, outputs
):
    """Evaluate one layer with ``width`` outputs for a block of texels; all arrays are addresses."""
    column = 0
    while column < width:
        table, bias = beyond(weights, column), beyond(biases, column)
        target = beyond(outputs, column)
        vectors = (width - column) // LANES
        if vectors == 1:
            for row in range(0, _BLOCK, _ROWS_1):
                texels, to = beyond(inputs, row * input_step), beyond(target, row * width)
                products_1(texels, input_step, count, table, width, bias, least, to, width)
        elif vectors == 3:
            for row in range(0, _BLOCK, _ROWS_3):
                texels, to = beyond(inputs, row * input_step), beyond(target, row * width)
                products_3(texels, input_step, count, table, width, bias, least, to, width)
        else:
            vectors = 2
            for row in range(0, _BLOCK, _ROWS_2):
                texels, to = beyond(inputs, row * input_step), beyond(target, row * width)
                products_2(texels, input_step, count, table, width, bias, least, to, width)
        column += vectors * LANES


@_machine_code(
    types.void(
        _given(types.float32, 2, "A"),
        types.float32[::1],
        types.float32[::1],
        types.intp[::1],
        types.float32[:, :],
    )
)
def layers(
    latents: NDArray[np.float32],
    weights: NDArray[np.float32],
    biases: NDArray[np.float32],
    widths: NDArray[np.intp],
    out: NDArray[np.float32],
) -> None:
    """Evaluate fully connected layers with ReLU between them.

    Parameters
    ----------
    latents : ndarray of float32, shape (T, K)
        The values of each row follow one another in memory.
    weights, biases, widths : ndarray
        See `napari_btf.codec.decoding.compiled.Packed`, with `LANES`.
    out : ndarray of float32, shape (T, C)
        For the first outputs of the last layer.
    """
    texels, values = latents.shape
    last = len(widths) - 2
    rooms = np.zeros((2, _BLOCK * widths.max()), np.float32)
    for first in range(0, texels, _BLOCK):
        rows = min(_BLOCK, texels - first)
        inputs, step = start(latents[first:]), latents.strides[0] // 4
        if rows < _BLOCK:
            # The memory after the last texel does not belong to the array.
            for row in range(rows):
                for k in range(values):
                    rooms[1, row * values + k] = latents[first + row, k]
            inputs, step = start(rooms[1]), values
        at_weight, at_bias = 0, 0
        for i in range(last + 1):
            width, outputs = widths[i + 1], start(rooms[i % 2])
            table, bias = start(weights[at_weight:]), start(biases[at_bias:])
            least = np.float32(-np.inf if i == last else 0.0)
            _layer(inputs, step, widths[i], table, bias, width, least, outputs)
            at_weight, at_bias = at_weight + widths[i] * width, at_bias + width
            inputs, step = outputs, width
        result = carray(inputs, (_BLOCK, step))
        for row in range(rows):
            for channel in range(out.shape[1]):
                out[first + row, channel] = result[row, channel]


@_machine_code(
    types.void(
        _given(types.float32, 2, "A"),
        _given(types.float32, 2, "C"),
        _given(types.float32, 1, "C"),
        types.float32[:, :],
    ),
    any_order=True,
)
def mix(
    latents: NDArray[np.float32],
    weights: NDArray[np.float32],
    biases: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Evaluate one layer with fewer outputs than `LANES`: ``latents @ weights.T + biases``.

    Parameters
    ----------
    latents : ndarray of float32, shape (T, K)
        The values of each row follow one another in memory.
    weights : ndarray of float32, shape (C, K)
    biases : ndarray of float32, shape (C,)
    out : ndarray of float32, shape (T, C)
    """
    texels, values = latents.shape
    step = latents.strides[0] // 4
    for first in range(0, texels, 4):
        # The last texel replaces those beyond the end.
        a = carray(beyond(start(latents), first * step), (values,))
        b = carray(beyond(start(latents), min(first + 1, texels - 1) * step), (values,))
        c = carray(beyond(start(latents), min(first + 2, texels - 1) * step), (values,))
        d = carray(beyond(start(latents), min(first + 3, texels - 1) * step), (values,))
        for channel in range(len(weights)):
            row = weights[channel]
            sum_a = sum_b = sum_c = sum_d = np.float32(0)
            # Each weight that is loaded serves four texels.
            for k in range(values):
                sum_a += a[k] * row[k]
                sum_b += b[k] * row[k]
                sum_c += c[k] * row[k]
                sum_d += d[k] * row[k]
            sums = sum_a, sum_b, sum_c, sum_d
            for i in range(min(4, texels - first)):
                out[first + i, channel] = sums[i] + biases[channel]


@njit(inline="always")
def within_radius(value, most):  # type: ignore[no-untyped-def]
    """Clamp a number to the range from 0 to ``most``; NaN becomes 0."""
    return min(value, most) if value >= 0 else np.float32(0)


@_machine_code(
    *(
        types.void(
            _given(kind, 2, "C"),
            types.float32[:, :],
            types.intp,
            types.intp,
            types.boolean,
            types.float32[:, :],
        )
        for kind in (types.float32, types.uint8, types.int16)
    )
)
def fetch(
    latents: NDArray[Any],
    places: NDArray[np.float32],
    height: int,
    width: int,
    periodic: bool,
    out: NDArray[np.float32],
) -> None:
    """Look up latents between texels by bilinear interpolation.

    Parameters
    ----------
    latents : ndarray of float32 or uint8, shape ((height + 2) * (width + 2), K)
        With a border, as `napari_btf.codec.parallax.lookup.Lookup.bordered` has them. int16 are
        the bits of float16.
    places : ndarray of float32, shape (2, T)
        Rows and columns.
    height, width : int
        Of the surface.
    periodic : bool
        Whether it goes on beyond its borders as at the opposite ones.
    out : ndarray of float32, shape (T, K)
        The values of each row follow one another in memory.
    """
    count, step = latents.shape[1], out.strides[0] // 4
    whole = count - count % LANES
    tall, wide = np.float32(height), np.float32(width)
    for texel in range(places.shape[1]):
        y, x = places[0, texel], places[1, texel]
        if periodic:
            y -= tall * np.floor(y / tall)
            x -= wide * np.floor(x / wide)
        else:
            y = min(max(y, np.float32(0)), tall - np.float32(1))
            x = min(max(x, np.float32(0)), wide - np.float32(1))
        # NaN and infinite places must not lead out of the array.
        y, x = within_radius(y, tall), within_radius(x, wide)
        row, column = int(y), int(x)
        y, x = y - np.float32(row), x - np.float32(column)
        a = beyond(start(latents), (row * (width + 2) + column) * count)
        c = beyond(a, (width + 2) * count)
        b, d = beyond(a, count), beyond(c, count)
        target = beyond(start(out), texel * step)
        for k in range(0, whole, LANES):
            vector_between(
                beyond(a, k), beyond(b, k), beyond(c, k), beyond(d, k), y, x, beyond(target, k)
            )
        for k in range(whole, count):
            between(beyond(a, k), beyond(b, k), beyond(c, k), beyond(d, k), y, x, beyond(target, k))


@_machine_code(types.void(_given(types.int16, 1, "C"), types.float32[::1]))
def widen(latents: NDArray[np.int16], out: NDArray[np.float32]) -> None:
    """Convert latents of half precision, given as their bits, to float32; both of shape (N,)."""
    whole = len(latents) - len(latents) % LANES
    for i in range(0, whole, LANES):
        vector_copied(beyond(start(latents), i), beyond(start(out), i))
    for i in range(whole, len(latents)):
        copied(beyond(start(latents), i), beyond(start(out), i))


@_machine_code(
    *(
        types.void(types.float32[:, ::1], types.float32, kind[:, ::1])
        for kind in (types.uint8, types.uint16)
    )
)
def store(fitted: NDArray[np.float32], largest: np.float32, out: NDArray[Any]) -> None:
    """Do what `napari_btf.values.ValueScale.store_fitted` does for integers.

    Parameters
    ----------
    fitted : ndarray of float32, shape (T, C)
    largest : float
        The stored value that stands for 1.
    out : ndarray of uint8 or uint16, shape (T, C)
    """
    values, stored = carray(start(fitted), (fitted.size,)), carray(start(out), (out.size,))
    for i in range(len(values)):
        value = min(max(values[i], np.float32(0)), np.float32(1))
        stored[i] = np.rint(value * largest)
