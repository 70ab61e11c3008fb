"""Bilinear lookup of latents between texels, and its gradients, as instructions of LLVM.

`napari_btf.codec.parallax.lookup` says what is looked up. The numbers of latents are multiples of
4. From plain loops, numba looks up one latent at a time, which takes twice as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from napari_btf.codec.parallax.machine.tiles import OPTIONS, beyond, start

__all__ = ["fetch", "spread"]

#: Places further away than this are taken for the first texel: they have no meaning as integers.
_FARTHEST = np.float32(1e6)
_PLACE, _SHARE = types.CPointer(types.float32), types.float32


class _Vectors:
    """Arithmetic with vectors of some length, in the code that an intrinsic emits."""

    def __init__(self, builder: Any, lanes: int) -> None:
        self._builder, self._lanes = builder, lanes
        self._kind = ir.VectorType(ir.FloatType(), lanes)

    def load(self, place: Any) -> Any:
        place = self._builder.bitcast(place, self._kind.as_pointer())
        # The data is aligned as floats, not as vectors.
        return self._builder.load(place, align=4)

    def store(self, value: Any, place: Any) -> None:
        self._builder.store(value, self._builder.bitcast(place, self._kind.as_pointer()), align=4)

    def repeated(self, value: Any) -> Any:
        """Return a vector that has the same float in all lanes."""
        lane, none = ir.IntType(32), ir.Constant(self._kind, ir.Undefined)
        one = self._builder.insert_element(none, value, lane(0))
        zeros = ir.Constant(ir.VectorType(lane, self._lanes), [0] * self._lanes)
        return self._builder.shuffle_vector(one, none, zeros)

    def mixed(self, first: Any, second: Any, share: Any) -> Any:
        """Return ``first + share * (second - first)``."""
        apart = self._builder.fsub(second, first)
        return self._builder.fadd(first, self._builder.fmul(share, apart))

    def total(self, value: Any) -> Any:
        """Return the sum over the lanes."""
        function = cgutils.get_or_insert_function(
            self._builder.module,
            ir.FunctionType(ir.FloatType(), [ir.FloatType(), self._kind]),
            f"llvm.vector.reduce.fadd.v{self._lanes}f32",
        )
        arguments = [ir.FloatType()(0.0), value]
        return self._builder.call(function, arguments, fastmath=("reassoc",))


def _between_of(lanes: int) -> Any:
    """Make the function `between` for a number of latents at once."""

    @intrinsic
    def between(typingctx: Any, a: Any, b: Any, c: Any, d: Any, y: Any, x: Any, out: Any) -> Any:
        """Interpolate between the latents of four texels, ``a b`` above ``c d``."""

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            of = _Vectors(builder, lanes)
            a, b, c, d = map(of.load, args[:4])
            y, x = map(of.repeated, args[4:6])
            of.store(of.mixed(of.mixed(a, b, x), of.mixed(c, d, x), y), args[6])
            return context.get_dummy_value()

        places = [_PLACE] * 4
        return types.void(*places, _SHARE, _SHARE, _PLACE), code

    return between


def _shared_of(lanes: int) -> Any:
    """Make the function `shared` for a number of latents at once."""

    @intrinsic
    def shared(
        typingctx: Any,
        g: Any,
        a: Any,
        b: Any,
        c: Any,
        d: Any,
        y: Any,
        x: Any,
        to_a: Any,
        to_b: Any,
        to_c: Any,
        to_d: Any,
    ) -> Any:
        """Add the gradient ``g`` of `between` to those of the texels; return those of y and x."""

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            of = _Vectors(builder, lanes)
            g, a, b, c, d = map(of.load, args[:5])
            y, x = map(of.repeated, args[5:7])
            low = builder.fmul(y, g)
            top = builder.fsub(g, low)
            top_right, low_right = builder.fmul(x, top), builder.fmul(x, low)
            parts = builder.fsub(top, top_right), top_right, builder.fsub(low, low_right), low_right
            # One texel after the other, because at the border some are the same.
            for place, part in zip(args[7:], parts, strict=True):
                of.store(builder.fadd(of.load(place), part), place)
            of_y = of.mixed(builder.fsub(c, a), builder.fsub(d, b), x)
            of_x = of.mixed(builder.fsub(b, a), builder.fsub(d, c), y)
            sums = [of.total(builder.fmul(g, along)) for along in (of_y, of_x)]
            return context.make_tuple(builder, signature.return_type, sums)

        places = [_PLACE] * 5
        pair = types.UniTuple(types.float32, 2)
        return pair(*places, _SHARE, _SHARE, *places[:4]), code

    return shared


_between_4, _between_16 = _between_of(4), _between_of(16)
_shared_4, _shared_16 = _shared_of(4), _shared_of(16)


@njit(**OPTIONS)
def _corners(y, x, height, width, periodic):  # type: ignore[no-untyped-def]
    """Return the indices of the four texels around a place, and the place between them."""
    low_y, low_x = np.floor(y), np.floor(x)
    if not (abs(low_y) < _FARTHEST and abs(low_x) < _FARTHEST):
        low_y, low_x = np.float32(0), np.float32(0)
    row, column = int(low_y), int(low_x)
    if periodic:
        above, left = row % height, column % width
        below = 0 if above + 1 == height else above + 1
        right = 0 if left + 1 == width else left + 1
    else:
        above, below = min(max(row, 0), height - 1), min(max(row + 1, 0), height - 1)
        left, right = min(max(column, 0), width - 1), min(max(column + 1, 0), width - 1)
    above, below = above * width, below * width
    return above + left, above + right, below + left, below + right, y - low_y, x - low_x


@njit(**OPTIONS)
def fetch(latents, y, x, grid, out, row, column):  # type: ignore[no-untyped-def]
    """Look up latents (T, K) at a place; write them to a row of ``out``, from a column on."""
    i, j, k, m, y, x = _corners(y, x, grid.height, grid.width, grid.periodic)
    count = latents.shape[1]
    a, b = beyond(start(latents), i * count), beyond(start(latents), j * count)
    c, d = beyond(start(latents), k * count), beyond(start(latents), m * count)
    to = beyond(start(out), row * out.shape[1] + column)
    n = 0
    while n + 16 <= count:
        _between_16(beyond(a, n), beyond(b, n), beyond(c, n), beyond(d, n), y, x, beyond(to, n))
        n += 16
    while n < count:
        _between_4(beyond(a, n), beyond(b, n), beyond(c, n), beyond(d, n), y, x, beyond(to, n))
        n += 4


@njit(**OPTIONS)
def spread(latents, gradient, y, x, grid, g, row, column):  # type: ignore[no-untyped-def]
    """Add the gradient of what `fetch` looked up to those of the latents.

    Returns
    -------
    float, float
        The gradients of y and x.
    """
    i, j, k, m, y, x = _corners(y, x, grid.height, grid.width, grid.periodic)
    count = latents.shape[1]
    i, j, k, m = i * count, j * count, k * count, m * count
    of, to = start(latents), start(gradient)
    g_at = beyond(start(g), row * g.shape[1] + column)
    of_y = of_x = np.float32(0)
    n = 0
    while n + 16 <= count:
        more_y, more_x = _shared_16(
            beyond(g_at, n), beyond(of, i + n), beyond(of, j + n), beyond(of, k + n),
            beyond(of, m + n), y, x, beyond(to, i + n), beyond(to, j + n), beyond(to, k + n),
            beyond(to, m + n),
        )  # fmt: skip
        of_y, of_x = of_y + more_y, of_x + more_x
        n += 16
    while n < count:
        more_y, more_x = _shared_4(
            beyond(g_at, n), beyond(of, i + n), beyond(of, j + n), beyond(of, k + n),
            beyond(of, m + n), y, x, beyond(to, i + n), beyond(to, j + n), beyond(to, k + n),
            beyond(to, m + n),
        )  # fmt: skip
        of_y, of_x = of_y + more_y, of_x + more_x
        n += 4
    return of_y, of_x
