"""Gradients of a batch of the parallax codec, and steps of Adam, in machine code.

This does what `napari_btf.codec.parallax.in_torch` does, with the same sums in another order. Some
texels of one observation go through all networks forward and backward together, so that their
activations stay in the innermost cache.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit, typeof, types

from napari_btf.codec.parallax.machine.arguments import (
    BLOCK,
    Grid,
    Networks,
    Pairs,
    Room,
    networks_of,
    pairs_of,
    room_for,
)
from napari_btf.codec.parallax.machine.lookup import fetch, spread
from napari_btf.codec.parallax.machine.networks import (
    WIDTH,
    add_biases,
    backward,
    forward,
    smooth_backward,
    smooth_forward,
    turn,
)
from napari_btf.codec.parallax.machine.tiles import LANES, OPTIONS, up

__all__ = [
    "LANES",
    "Grid",
    "add_gradients",
    "move",
    "networks_of",
    "pairs_of",
    "room_for",
    "turn_all",
]

#: The modules whose functions are compiled.
_COMPILED = ("tiles.py", "lookup.py", "networks.py", "arguments.py", "batch.py")


@njit(**OPTIONS)
def _turn_all(networks, parameters, turned):  # type: ignore[no-untyped-def]
    """Copy the weights of all networks the other way round, after they have changed."""
    turn(networks.depth, parameters, turned)
    turn(networks.shift, parameters, turned)
    turn(networks.shade, parameters, turned)
    turn(networks.depth_modulation, parameters, turned)
    turn(networks.shift_modulation, parameters, turned)
    turn(networks.shade_modulation, parameters, turned)


@njit(**OPTIONS)
def _latents(array, grid, kind):  # type: ignore[no-untyped-def]
    """Return one kind of latents (T, K) among parameters or gradients."""
    count = grid.height * grid.width
    size, at = grid.sizes[kind], grid.starts[kind]
    return array[at : at + count * size].reshape((count, size))


@njit(**OPTIONS)
def _cut(room, at, rows, width):  # type: ignore[no-untyped-def]
    """Return a piece (rows, width) of working memory, and where the next begins."""
    return room[at : at + rows * width].reshape((rows, width)), at + rows * width


@njit(**OPTIONS)
def _add_gradients(  # type: ignore[no-untyped-def]
    places, observations, texels, frames, table, share, grid, pairs, networks, parameters, turned,
    gradient, room, learns,
):  # fmt: skip
    """Add the gradients of a part of a batch to an array.

    Parameters
    ----------
    places, observations : ndarray of int, shape (F,)
        Frames of the pool, and the observations that they are.
    texels : ndarray of int32, shape (F, T)
        Flat texels of each.
    frames, table : ndarray
        Stored values (P, H * W, C), and what each stands for.
    share : float
        The weight of one squared error: 1 / number of values of the whole batch.
    parameters, turned : ndarray
        All parameters, and weights as `turn_all` leaves them.
    gradient : ndarray
        As long as the parameters.
    learns : bool
        Whether weights are trained; latents are.

    Returns
    -------
    float
        The weighted sum of the squared errors.
    """
    count, per_frame = texels.shape
    channels = frames.shape[2]
    of_depth, of_view, of_light = grid.sizes[0], grid.sizes[1], grid.sizes[2]
    has_depth, has_light = of_depth > 0, of_light > 0
    of_view_ray, of_pair = room.features[0, :count], room.features[1, :count]
    for f in range(count):
        for k in range(of_pair.shape[1]):
            of_view_ray[f, k] = pairs.view_features[observations[f], k]
            of_pair[f, k] = pairs.pair_features[observations[f], k]
    wide_depth = networks.depth_modulation[-1, WIDTH] if has_depth else 0
    wide_shift = networks.shift_modulation[-1, WIDTH] if has_light else 0
    wide_shade = networks.shade_modulation[-1, WIDTH]
    film_depth, at = _cut(room.film, 0, count, wide_depth)
    film_shift, at = _cut(room.film, at, count, wide_shift)
    film_shade, at = _cut(room.film, at, count, wide_shade)
    begin = at
    d_depth, at = _cut(room.film, at, count, wide_depth)
    d_shift, at = _cut(room.film, at, count, wide_shift)
    d_shade, at = _cut(room.film, at, count, wide_shade)
    for i in range(begin, at):
        room.film[i] = 0
    if has_depth:
        smooth_forward(
            networks.depth_modulation, networks.depth, parameters, of_view_ray, room.smooth[0],
            film_depth,
        )  # fmt: skip
    if has_light:
        smooth_forward(
            networks.shift_modulation, networks.shift, parameters, of_pair, room.smooth[1],
            film_shift,
        )  # fmt: skip
    smooth_forward(
        networks.shade_modulation, networks.shade, parameters, of_pair, room.smooth[2], film_shade
    )

    depth_latents, view_latents = _latents(parameters, grid, 0), _latents(parameters, grid, 1)
    light_latents = _latents(parameters, grid, 2)
    to_depth, to_view = _latents(gradient, grid, 0), _latents(gradient, grid, 1)
    to_light = _latents(gradient, grid, 2)
    x_depth, at = _cut(room.block, 0, BLOCK, up(of_depth, LANES))
    d_x_depth, at = _cut(room.block, at, BLOCK, up(of_depth, LANES))
    x, at = _cut(room.block, at, BLOCK, up(of_view + of_light, LANES))
    d_x, at = _cut(room.block, at, BLOCK, up(of_view + of_light, LANES))
    d_out, at = _cut(room.block, at, BLOCK, networks.shade[-1, WIDTH])
    d_shift_out, at = _cut(room.block, at, BLOCK, LANES)
    d_depth_out, at = _cut(room.block, at, BLOCK, LANES)
    zeros = room.free[2:3]
    y, there_y, d_y = room.places[0], room.places[2], room.places[4]
    z, there_z, d_z = room.places[1], room.places[3], room.places[5]

    error, twice = 0.0, np.float32(2.0 * share)
    for f in range(count):
        n = observations[f]
        frame = frames[places[f]]
        view_y, view_z = pairs.along_view[n, 0], pairs.along_view[n, 1]
        light_y, light_z = pairs.along_light[n, 0], pairs.along_light[n, 1]
        for first in range(0, per_frame, BLOCK):
            rows = min(BLOCK, per_frame - first)
            some = texels[f, first : first + rows]
            for r in range(rows):
                y[r], z[r] = some[r] // grid.width, some[r] % grid.width
            if has_depth:
                for r in range(rows):
                    for k in range(of_depth):
                        x_depth[r, k] = depth_latents[some[r], k]
                depth = forward(
                    networks.depth, parameters, x_depth, rows, film_depth[f], room.kept[0]
                )
                for r in range(rows):
                    y[r] += depth[r, 0] * view_y
                    z[r] += depth[r, 0] * view_z
            for r in range(rows):
                fetch(view_latents, y[r], z[r], grid, x, r, 0)
            if has_light:
                shift = forward(networks.shift, parameters, x, rows, film_shift[f], room.kept[1])
                for r in range(rows):
                    there_y[r] = y[r] + shift[r, 0] * light_y
                    there_z[r] = z[r] + shift[r, 0] * light_z
                    fetch(light_latents, there_y[r], there_z[r], grid, x, r, of_view)
            out = forward(networks.shade, parameters, x, rows, film_shade[f], room.kept[2])
            for r in range(rows):
                for c in range(channels):
                    over = out[r, c] - table[frame[some[r], c]]
                    error += over * over
                    d_out[r, c] = over * twice

            backward(
                networks.shade, parameters, turned, gradient, x, rows, film_shade[f], d_shade[f],
                room.kept[2], d_out, room.free, zeros, d_x, learns,
            )  # fmt: skip
            for r in range(rows):
                d_y[r] = d_z[r] = 0
            if has_light:
                for r in range(rows):
                    d_y[r], d_z[r] = spread(
                        light_latents, to_light, there_y[r], there_z[r], grid, d_x, r, of_view
                    )
                    d_shift_out[r, 0] = d_y[r] * light_y + d_z[r] * light_z
                backward(
                    networks.shift, parameters, turned, gradient, x, rows, film_shift[f],
                    d_shift[f], room.kept[1], d_shift_out, room.free, d_x, d_x, learns,
                )  # fmt: skip
            for r in range(rows):
                more_y, more_z = spread(view_latents, to_view, y[r], z[r], grid, d_x, r, 0)
                d_depth_out[r, 0] = (d_y[r] + more_y) * view_y + (d_z[r] + more_z) * view_z
            if has_depth:
                backward(
                    networks.depth, parameters, turned, gradient, x_depth, rows, film_depth[f],
                    d_depth[f], room.kept[0], d_depth_out, room.free, zeros, d_x_depth, learns,
                )  # fmt: skip
                for r in range(rows):
                    for k in range(of_depth):
                        to_depth[some[r], k] += d_x_depth[r, k]
    if learns:
        add_biases(networks.shade, gradient, film_shade, d_shade)
        smooth_backward(
            networks.shade_modulation, parameters, turned, gradient, of_pair, room.smooth[2],
            d_shade, room.free,
        )  # fmt: skip
    if learns and has_light:
        add_biases(networks.shift, gradient, film_shift, d_shift)
        smooth_backward(
            networks.shift_modulation, parameters, turned, gradient, of_pair, room.smooth[1],
            d_shift, room.free,
        )  # fmt: skip
    if learns and has_depth:
        add_biases(networks.depth, gradient, film_depth, d_depth)
        smooth_backward(
            networks.depth_modulation, parameters, turned, gradient, of_view_ray, room.smooth[0],
            d_depth, room.free,
        )  # fmt: skip
    return error * share


@njit(**OPTIONS)
def _move(  # type: ignore[no-untyped-def]
    parameters, mean, square, gradients, first, last, rate, beta1, beta2, step
):
    """Make a step of Adam for some of the parameters, and set their gradients to zero.

    Parameters
    ----------
    gradients : ndarray, shape (parts, all parameters)
        Added up in this order.
    step : int
        Which step it is, from 1.
    """
    size = np.float32(rate / (1.0 - beta1**step))
    over = np.float32(1.0 / np.sqrt(1.0 - beta2**step))
    one, b1, b2, least = np.float32(1), np.float32(beta1), np.float32(beta2), np.float32(1e-8)
    # Pieces that stay in the innermost cache.
    for begin in range(first, last, 1024):
        end = min(begin + 1024, last)
        total = gradients[0, begin:end]
        for part in range(1, len(gradients)):
            more = gradients[part, begin:end]
            for i in range(end - begin):
                total[i] += more[i]
                more[i] = 0
        m, s, p = mean[begin:end], square[begin:end], parameters[begin:end]
        for i in range(end - begin):
            g = total[i]
            m[i] = b1 * m[i] + (one - b1) * g
            s[i] = b2 * s[i] + (one - b2) * g * g
            p[i] -= size * m[i] / (np.sqrt(s[i]) * over + least)
            total[i] = 0


def _functions(version: str, keeps: bool = True) -> tuple[Any, Any, Any]:
    """Make the functions that numba keeps on disk, for a version of this folder.

    With ``keeps`` false, and where no folder can be written to, they are compiled in every process.
    numba notices a change of the file that a function stands in, and of the values that it refers
    to from the function around it, such as ``version``, but not of the functions that it calls.
    """

    def kept(function: Any) -> Any:
        if keeps:
            # No place for the files is found, or none that can be written to.
            with suppress(RuntimeError, OSError):
                return njit(cache=True, **OPTIONS)(function)
        return njit(**OPTIONS)(function)

    @kept
    def kept_gradients(*arguments):  # type: ignore[no-untyped-def]
        assert version
        return _add_gradients(*arguments)

    @kept
    def kept_move(*arguments):  # type: ignore[no-untyped-def]
        assert version
        return _move(*arguments)

    @kept
    def kept_turn(*arguments):  # type: ignore[no-untyped-def]
        assert version
        return _turn_all(*arguments)

    return kept_gradients, kept_move, kept_turn


def _version() -> str:
    """Return a digest of the modules whose functions are compiled."""
    folder = Path(__file__).parent
    texts = [(folder / name).read_bytes() for name in _COMPILED]
    return hashlib.sha256(b"".join(texts)).hexdigest()


add_gradients, move, turn_all = _functions(_version())


def compile_for(dtype: np.dtype[Any]) -> None:
    """Compile all functions, or load what was compiled before, for captures of a type."""
    global add_gradients, move, turn_all
    try:
        _compile(dtype)
    # A file that was kept is damaged, or the disk is full.
    except Exception:
        add_gradients, move, turn_all = _functions(_version(), keeps=False)
        _compile(dtype)


def _compile(dtype: np.dtype[Any]) -> None:
    floats, tables = np.zeros(1, dtype=np.float32), np.zeros((1, 6), dtype=np.int64)
    sizes, grid = np.zeros(3, dtype=np.int64), np.zeros((1, 1), dtype=np.float32)
    networks = Networks(*[tables] * 6)
    room = Room(np.zeros((1, 1, 1), np.float32), floats, grid, floats, grid, grid, grid)
    places = np.zeros(1, dtype=np.intp)
    texels, frames = np.zeros((1, 1), dtype=np.int32), np.zeros((1, 1, 1), dtype=dtype)
    batch = (places, places, texels, frames, floats, 1.0)
    surface = (Grid(1, 1, False, sizes, sizes), Pairs(*[grid] * 4), networks)
    moved = (floats, floats, floats, grid, 0, 1, 1.0, 1.0, 1.0, 1)
    for function, arguments in (
        (turn_all, (networks, floats, floats)),
        (add_gradients, (*batch, *surface, floats, floats, floats, room, True)),
        (move, moved),
    ):
        function.compile((types.BaseTuple.from_types(tuple(map(typeof, arguments))),))
