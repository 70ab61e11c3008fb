"""What is done for every texel, as machine code that numba makes for this processor.

Importing this takes some seconds the first time; then numba keeps the code on disk. Only
`napari_btf.codec.compiled` imports it. Each function does what its namesake in NumPy does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import carray, njit

from napari_btf.codec.compiled import LANES
from napari_btf.codec.compiled_vectors import (
    ROWS,
    between,
    beyond,
    products_1,
    products_2,
    products_3,
    start,
    vector_between,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["fetch", "layers", "store"]

#: Texels that go through all layers together: what is in between fits the innermost cache.
_BLOCK = 48
_ROWS_1, _ROWS_2, _ROWS_3 = (ROWS[vectors] for vectors in (1, 2, 3))


def _machine_code(*signatures: str) -> Callable[[Any], Any]:
    """Compile a function now, for some types of arguments; other threads run while it does."""

    def decorate(function: Any) -> Any:
        options = {"nogil": True, "error_model": "numpy"}
        try:
            return njit(list(signatures), cache=True, **options)(function)
        # numba knows no folder to write to, or could not.
        except (RuntimeError, OSError):
            return njit(list(signatures), **options)(function)

    return decorate


@njit(inline="always")
def _layer(  # type: ignore[no-untyped-def]
    inputs, input_step, count, weights, biases, width, least, outputs
):
    """One layer with ``width`` outputs for a block of texels; all arrays are places in memory."""
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


@_machine_code("void(float32[:, :], float32[::1], float32[::1], intp[::1], float32[:, :])")
def layers(
    latents: NDArray[np.float32],
    weights: NDArray[np.float32],
    biases: NDArray[np.float32],
    widths: NDArray[np.intp],
    out: NDArray[np.float32],
) -> None:
    """Fully connected layers with ReLU between them.

    Parameters
    ----------
    latents : ndarray of float32, shape (T, K)
        The values of each row follow one another in memory.
    weights, biases, widths : ndarray
        See `napari_btf.codec.compiled.Packed`.
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
            # What follows in memory is not ours to read.
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
    "void(float32[:, ::1], float32[:, :], intp, intp, boolean, float32[:, :])",
    "void(uint8[:, ::1], float32[:, :], intp, intp, boolean, float32[:, :])",
)
def fetch(
    latents: NDArray[Any],
    places: NDArray[np.float32],
    height: int,
    width: int,
    periodic: bool,
    out: NDArray[np.float32],
) -> None:
    """Latents between texels, interpolated bilinearly.

    Parameters
    ----------
    latents : ndarray of float32 or uint8, shape ((height + 2) * (width + 2), K)
        With a border, as `napari_btf.codec.parallax_lookup.Lookup.bordered` has them.
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
        row, column = np.floor(y), np.floor(x)
        y, x = y - row, x - column
        # A place that is no number must not lead out of the array.
        row, column = min(max(int(row), 0), height), min(max(int(column), 0), width)
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


@_machine_code(
    "void(float32[:, ::1], float32, uint8[:, ::1])",
    "void(float32[:, ::1], float32, uint16[:, ::1])",
)
def store(fitted: NDArray[np.float32], largest: np.float32, out: NDArray[Any]) -> None:
    """What `napari_btf.values.ValueScale.store_fitted` does for integers.

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
