"""Matrix products whose sums stay in the registers of the processor, as instructions of LLVM.

From plain loops, numba keeps the sums in memory and takes several times as long. A product is cut
into tiles: some rows times some vectors of columns, whose sums fill the registers.
"""

from __future__ import annotations

from itertools import product as pairs
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LANES", "OPTIONS", "add_outer", "beyond", "multiplied", "start", "up", "with_bias"]

if config.DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT is set")

_HAS_LONG_VECTORS = bool(llvm.get_host_cpu_features().get("avx512f", False))
#: Numbers that one instruction multiplies; units are filled up with zeros to a multiple of it.
LANES = 16 if _HAS_LONG_VECTORS else 8
#: The most vectors of a tile, and the rows of a tile of so many vectors: enough that no sum waits
#: for the one before it, and few enough for the registers (32 with long vectors, else 16).
_WIDEST = 4 if _HAS_LONG_VECTORS else 3
_ROWS = {1: 8, 2: 8, 3: 8, 4: 4} if _HAS_LONG_VECTORS else {1: 8, 2: 4, 3: 4}

#: Sums may be added up in any order, several numbers at a time.
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz", "reassoc"}}

_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_PLACE, _COUNT = types.CPointer(types.float32), types.intp


@intrinsic
def start(typingctx: Any, array: Any) -> Any:
    """The address of the first number of an array."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), code


@intrinsic
def beyond(typingctx: Any, place: Any, count: Any) -> Any:
    """The address some numbers after another address."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return place(place, types.intp), code


def _tile_of(rows: int, vectors: int) -> Any:
    """Make the function `tile` for a number of rows and of vectors."""

    @intrinsic
    def tile(
        typingctx: Any,
        a: Any,
        a_row: Any,
        a_inner: Any,
        count: Any,
        b: Any,
        b_row: Any,
        first: Any,
        first_row: Any,
        out: Any,
        out_row: Any,
    ) -> Any:
        """Compute ``out = first + a @ b`` for one tile.

        Matrices are addresses. A step is the number of floats from one row to the next, or for
        ``a_inner`` from one column to the next. ``count`` columns of a are summed, at least one.
        """
        signature = types.void(
            _PLACE, _COUNT, _COUNT, _COUNT, _PLACE, _COUNT, _PLACE, _COUNT, _PLACE, _COUNT
        )

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _emit(builder, rows, vectors, *args)
            return context.get_dummy_value()

        return signature, code

    return tile


def _emit(
    builder: Any,
    rows: int,
    vectors: int,
    a: Any,
    a_row: Any,
    a_inner: Any,
    count: Any,
    b: Any,
    b_row: Any,
    first: Any,
    first_row: Any,
    out: Any,
    out_row: Any,
) -> None:
    tile = list(pairs(range(rows), range(vectors)))

    def at(place: Any, step: Any, row: int, v: int) -> Any:
        offset = builder.add(builder.mul(step, _INT(row)), _INT(LANES * v))
        return builder.bitcast(builder.gep(place, [offset]), _VECTOR.as_pointer())

    # A fused operation, if the processor has one.
    multiply_add = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32"
    )
    # The data is aligned as floats, not as vectors.
    begin = {(r, v): builder.load(at(first, first_row, r, v), align=4) for r, v in tile}
    of_row = [builder.gep(a, [builder.mul(a_row, _INT(r))]) for r in range(rows)]
    before = builder.block
    loop, after = (builder.append_basic_block(name) for name in ("inner", "done"))
    builder.branch(loop)

    builder.position_at_end(loop)
    i = builder.phi(_INT)
    sums = {place: builder.phi(_VECTOR) for place in tile}
    b_at = builder.gep(b, [builder.mul(i, b_row)])
    right = [builder.load(at(b_at, _INT(0), 0, v), align=4) for v in range(vectors)]
    a_at = builder.mul(i, a_inner)
    left = [_repeated(builder, builder.load(builder.gep(p, [a_at]), align=4)) for p in of_row]
    added = {(r, v): builder.call(multiply_add, [left[r], right[v], sums[r, v]]) for r, v in tile}
    following = builder.add(i, _INT(1))
    i.add_incoming(_INT(0), before)
    i.add_incoming(following, loop)
    for place in tile:
        sums[place].add_incoming(begin[place], before)
        sums[place].add_incoming(added[place], loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)

    builder.position_at_end(after)
    for r, v in tile:
        builder.store(added[r, v], at(out, out_row, r, v), align=4)


def _repeated(builder: Any, value: Any) -> Any:
    """Return a vector that has the same float in all lanes."""
    lane, none = ir.IntType(32), ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(none, value, lane(0))
    return builder.shuffle_vector(one, none, ir.Constant(ir.VectorType(lane, LANES), [0] * LANES))


def _columns_of(vectors: int) -> Any:
    """Make the function `columns`: all rows of a product, for a number of vectors of columns."""
    at_once = _ROWS[vectors]
    tile, single = _tile_of(at_once, vectors), _tile_of(1, vectors)

    @njit(**OPTIONS)
    def columns(a, a_row, a_inner, count, b, b_row, first, first_row, out, out_row, rows):  # type: ignore[no-untyped-def]
        r = 0
        while r + at_once <= rows:
            tile(
                beyond(a, r * a_row), a_row, a_inner, count, b, b_row,
                beyond(first, r * first_row), first_row, beyond(out, r * out_row), out_row,
            )  # fmt: skip
            r += at_once
        while r < rows:
            single(
                beyond(a, r * a_row), a_row, a_inner, count, b, b_row,
                beyond(first, r * first_row), first_row, beyond(out, r * out_row), out_row,
            )  # fmt: skip
            r += 1

    return columns


_columns_1, _columns_2, _columns_3 = (_columns_of(vectors) for vectors in (1, 2, 3))
_columns_widest = _columns_3 if _WIDEST == 3 else _columns_of(_WIDEST)


@njit(**OPTIONS)
def _product(a, a_row, a_inner, count, b, b_row, first, first_row, out, out_row, rows, width):  # type: ignore[no-untyped-def]
    """Compute ``out = first + a @ b``; all are addresses, the width is a multiple of `LANES`."""
    column = 0
    while column < width:
        left = (width - column) // LANES
        b_c, first_c, out_c = beyond(b, column), beyond(first, column), beyond(out, column)
        if left >= _WIDEST:
            _columns_widest(
                a, a_row, a_inner, count, b_c, b_row, first_c, first_row, out_c, out_row, rows
            )
            column += _WIDEST * LANES
        elif left == 3:
            _columns_3(
                a, a_row, a_inner, count, b_c, b_row, first_c, first_row, out_c, out_row, rows
            )
            column += 3 * LANES
        elif left == 2:
            _columns_2(
                a, a_row, a_inner, count, b_c, b_row, first_c, first_row, out_c, out_row, rows
            )
            column += 2 * LANES
        else:
            _columns_1(
                a, a_row, a_inner, count, b_c, b_row, first_c, first_row, out_c, out_row, rows
            )
            column += LANES


@njit(**OPTIONS)
def with_bias(x, weights, bias, rows, out):  # type: ignore[no-untyped-def]
    """Compute ``out = x @ weights + bias`` for the first rows.

    The weights have the shape (inputs, width); x and out may have more columns.
    """
    count, width = weights.shape
    _product(
        start(x), x.shape[1], 1, count, start(weights), width, start(bias), 0,
        start(out), out.shape[1], rows, width,
    )  # fmt: skip


@njit(**OPTIONS)
def multiplied(d, weights, rows, first, out):  # type: ignore[no-untyped-def]
    """Compute ``out = d @ weights + first`` for the first rows.

    The weights have the shape (inputs, width). ``first`` has one row for all, or is ``out``.
    """
    count, width = weights.shape
    step = 0 if len(first) == 1 else first.shape[1]
    _product(
        start(d), d.shape[1], 1, count, start(weights), width, start(first), step,
        start(out), out.shape[1], rows, width,
    )  # fmt: skip


@njit(**OPTIONS)
def add_outer(x, d, rows, gradient):  # type: ignore[no-untyped-def]
    """Add ``x.T @ d`` over the first rows to a gradient (inputs, width)."""
    inputs, width = gradient.shape
    _product(
        start(x), 1, x.shape[1], rows, start(d), d.shape[1], start(gradient), width,
        start(gradient), width, inputs, width,
    )  # fmt: skip


@njit(**OPTIONS)
def up(count, step):  # type: ignore[no-untyped-def]
    """Return the least multiple of a step that is not less than a count."""
    return (count + step - 1) // step * step
