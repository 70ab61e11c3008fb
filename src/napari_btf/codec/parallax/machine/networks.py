"""The networks of the parallax codec in machine code, forward and backward.

A network is a table of its layers, with one row each: see the names of its columns below. Arrays
are texels by units. The number of units is filled up with zeros to a multiple of `tiles.LANES`;
what is filled up has no weights, hence no gradients, and stays zero.

The modulation (FiLM) of a network is not folded into its weights but applied to the sums of each
layer, so that one product over all observations gives the gradient of the weights.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from napari_btf.codec.parallax.machine.tiles import (
    LANES,
    OPTIONS,
    add_outer,
    multiplied,
    up,
    with_bias,
)

__all__ = [
    "BIAS",
    "IN",
    "OUT",
    "TURNED",
    "WEIGHT",
    "WIDTH",
    "add_biases",
    "backward",
    "forward",
    "smooth_backward",
    "smooth_forward",
    "turn",
]

# Columns of a table of layers: the number of inputs (a multiple of 4), of outputs, and of outputs
# filled up; where the weights (inputs, outputs filled up) and the biases begin among the
# parameters, and where the turned weights (outputs, inputs filled up) begin among these.
IN, OUT, WIDTH, WEIGHT, BIAS, TURNED = range(6)


@njit(**OPTIONS)
def _weights(layers, i, parameters):  # type: ignore[no-untyped-def]
    """Return the weights of layer i (inputs, width), as they are stored or their gradient."""
    inputs, width, at = layers[i, IN], layers[i, WIDTH], layers[i, WEIGHT]
    return parameters[at : at + inputs * width].reshape((inputs, width))


@njit(**OPTIONS)
def _bias(layers, i, parameters):  # type: ignore[no-untyped-def]
    at = layers[i, BIAS]
    return parameters[at : at + layers[i, WIDTH]]


@njit(**OPTIONS)
def _turned(layers, i, turned):  # type: ignore[no-untyped-def]
    """Return the weights of layer i the other way round (outputs, inputs filled up)."""
    outputs, width, at = layers[i, OUT], up(layers[i, IN], LANES), layers[i, TURNED]
    return turned[at : at + outputs * width].reshape((outputs, width))


@njit(**OPTIONS)
def turn(layers, parameters, turned):  # type: ignore[no-untyped-def]
    """Copy the weights the other way round, for the gradients of the inputs."""
    for i in range(len(layers)):
        weights, there = _weights(layers, i, parameters), _turned(layers, i, turned)
        for o in range(len(there)):
            for k in range(len(weights)):
                there[o, k] = weights[k, o]


@njit(**OPTIONS)
def forward(layers, parameters, x, rows, film, kept):  # type: ignore[no-untyped-def]
    """Evaluate a network for some texels of one observation.

    Parameters
    ----------
    x : ndarray, shape (rows or more, inputs or more)
    film : ndarray
        Scales, then shifts, of each hidden layer.
    kept : ndarray
        Keeps, for `backward`, the sums and the hidden units of each layer.

    Returns
    -------
    ndarray, shape (rows, width)
        The outputs, a part of ``kept``.
    """
    at, film_at, last = 0, 0, len(layers) - 1
    for i in range(last):
        width = layers[i, WIDTH]
        z = kept[at : at + rows * width].reshape((rows, width))
        h = kept[at + rows * width : at + 2 * rows * width].reshape((rows, width))
        with_bias(x, _weights(layers, i, parameters), _bias(layers, i, parameters), rows, z)
        _modulate(z, film[film_at : film_at + width], film[film_at + width :], h)
        x, at, film_at = h, at + 2 * rows * width, film_at + 2 * width
    width = layers[last, WIDTH]
    out = kept[at : at + rows * width].reshape((rows, width))
    with_bias(x, _weights(layers, last, parameters), _bias(layers, last, parameters), rows, out)
    return out


@njit(**OPTIONS)
def _modulate(z, scale, shift, h):  # type: ignore[no-untyped-def]
    """Compute the hidden units from the sums: ``h = max(z * scale + shift, 0)``."""
    rows, width = z.shape
    for r in range(rows):
        for k in range(width):
            h[r, k] = max(z[r, k] * scale[k] + shift[k], np.float32(0))


@njit(**OPTIONS)
def backward(  # type: ignore[no-untyped-def]
    layers, parameters, turned, gradient, x, rows, film, d_film, kept, d, free, first, d_x, learns
):
    """Compute the gradients of a network from those of its outputs.

    Parameters
    ----------
    gradient, d_film : ndarray
        The gradients of weights and of the modulation are added here, if ``learns``.
    kept : ndarray
        As `forward` left it.
    d : ndarray, shape (rows or more, width)
        The gradient of the outputs.
    free : ndarray, shape (2, any)
        Working memory for two layers.
    first, d_x : ndarray
        The gradient of the inputs is written to ``d_x``, added to ``first``: one row of zeros, or
        ``d_x`` itself.
    learns : bool
        Whether weights are trained.
    """
    last = len(layers) - 1
    at, film_at = 0, 0
    for i in range(last):
        at += 2 * rows * layers[i, WIDTH]
        film_at += 2 * layers[i, WIDTH]
    if learns:
        bias = _bias(layers, last, gradient)
        for r in range(rows):
            for k in range(layers[last, OUT]):
                bias[k] += d[r, k]
    for i in range(last, 0, -1):
        width = layers[i - 1, WIDTH]
        at, film_at = at - 2 * rows * width, film_at - 2 * width
        z = kept[at : at + rows * width].reshape((rows, width))
        h = kept[at + rows * width : at + 2 * rows * width].reshape((rows, width))
        if learns:
            add_outer(h, d, rows, _weights(layers, i, gradient))
        d_h = free[i % 2, : rows * width].reshape((rows, width))
        multiplied(d, _turned(layers, i, turned), rows, _zeros(free), d_h)
        scale = film[film_at : film_at + width]
        d_scale = d_film[film_at : film_at + width]
        d_shift = d_film[film_at + width : film_at + 2 * width]
        _modulate_back(d_h, h, z, scale, d_scale, d_shift)
        d = d_h
    if learns:
        add_outer(x, d, rows, _weights(layers, 0, gradient))
    multiplied(d, _turned(layers, 0, turned), rows, first, d_x)


@njit(**OPTIONS)
def _zeros(free):  # type: ignore[no-untyped-def]
    """Return a row of zeros: the last row of the working memory."""
    return free[2:3]


@njit(**OPTIONS)
def _modulate_back(d, h, z, scale, d_scale, d_shift):  # type: ignore[no-untyped-def]
    """Turn gradients of hidden units into those of their sums, and add those of the modulation."""
    rows, width = d.shape
    for r in range(rows):
        for k in range(width):
            of = d[r, k] if h[r, k] > np.float32(0) else np.float32(0)
            d_scale[k] += of * z[r, k]
            d_shift[k] += of
            d[r, k] = of * scale[k]


@njit(**OPTIONS)
def smooth_forward(layers, hidden, parameters, x, kept, out):  # type: ignore[no-untyped-def]
    """Evaluate the modulation for some observations: layers with SiLU between them.

    Parameters
    ----------
    hidden : ndarray
        Table of the layers that are modulated: 1 is added to their scales.
    x : ndarray, shape (F, inputs)
    kept : ndarray
        Keeps, for `smooth_backward`, sums, their sigmoids and the hidden units of each layer.
    out : ndarray, shape (F, width)
    """
    rows, at, last = len(x), 0, len(layers) - 1
    for i in range(last):
        width = layers[i, WIDTH]
        size = rows * width
        s = kept[at : at + size].reshape((rows, width))
        g = kept[at + size : at + 2 * size].reshape((rows, width))
        h = kept[at + 2 * size : at + 3 * size].reshape((rows, width))
        with_bias(x, _weights(layers, i, parameters), _bias(layers, i, parameters), rows, s)
        for r in range(rows):
            for k in range(width):
                g[r, k] = np.float32(1) / (np.float32(1) + np.exp(-s[r, k]))
                h[r, k] = s[r, k] * g[r, k]
        x, at = h, at + 3 * size
    with_bias(x, _weights(layers, last, parameters), _bias(layers, last, parameters), rows, out)
    at = 0
    for i in range(len(hidden) - 1):
        width = hidden[i, WIDTH]
        for r in range(rows):
            for k in range(at, at + width):
                out[r, k] += np.float32(1)
        at += 2 * width


@njit(**OPTIONS)
def smooth_backward(layers, parameters, turned, gradient, x, kept, d, free):  # type: ignore[no-untyped-def]
    """Add the gradients of the modulation's weights, from those of its outputs ``d``."""
    rows, at, last = len(x), 0, len(layers) - 1
    for i in range(last):
        at += 3 * rows * layers[i, WIDTH]
    for i in range(last, -1, -1):
        bias = _bias(layers, i, gradient)
        for r in range(rows):
            for k in range(layers[i, WIDTH]):
                bias[k] += d[r, k]
        if i == 0:
            add_outer(x, d, rows, _weights(layers, i, gradient))
            break
        width = layers[i - 1, WIDTH]
        size = rows * width
        at -= 3 * size
        s = kept[at : at + size].reshape((rows, width))
        g = kept[at + size : at + 2 * size].reshape((rows, width))
        h = kept[at + 2 * size : at + 3 * size].reshape((rows, width))
        add_outer(h, d, rows, _weights(layers, i, gradient))
        d_h = free[i % 2, :size].reshape((rows, width))
        multiplied(d, _turned(layers, i, turned), rows, _zeros(free), d_h)
        for r in range(rows):
            for k in range(width):
                d_h[r, k] *= g[r, k] * (np.float32(1) + s[r, k] * (np.float32(1) - g[r, k]))
        d = d_h


@njit(**OPTIONS)
def add_biases(layers, gradient, film, d_film):  # type: ignore[no-untyped-def]
    """Add the gradients of the biases of modulated layers: those of the shifts times the scales."""
    for f in range(len(film)):
        at = 0
        for i in range(len(layers) - 1):
            bias, width = _bias(layers, i, gradient), layers[i, WIDTH]
            for k in range(width):
                bias[k] += film[f, at + k] * d_film[f, at + width + k]
            at += 2 * width
