"""What the machine code takes: the texels, the directions, the networks, and working memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.codec.parallax.machine.layout import aligned, filled
from napari_btf.codec.parallax.machine.networks import WIDTH
from napari_btf.codec.parallax.machine.tiles import LANES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.parallax.in_torch import Directions

__all__ = ["BLOCK", "Grid", "Networks", "Pairs", "Room", "networks_of", "pairs_of", "room_for"]

#: Texels that go through all layers together.
BLOCK = 64


class Grid(NamedTuple):
    """The texels and their latents.

    ``sizes`` are the numbers of latents for the height, the view and the light, multiples of 4;
    ``starts`` are where each begin among the parameters, texel by texel.
    """

    height: int
    width: int
    periodic: bool
    sizes: NDArray[np.int64]
    starts: NDArray[np.int64]


class Pairs(NamedTuple):
    """Features of the views and of the pairs, (N, 8) each, and how far rays move, (N, 2) each."""

    view_features: NDArray[np.float32]
    pair_features: NDArray[np.float32]
    along_view: NDArray[np.float32]
    along_light: NDArray[np.float32]


class Networks(NamedTuple):
    """Tables of the layers; empty for a network that is not used."""

    depth: NDArray[np.int64]
    shift: NDArray[np.int64]
    shade: NDArray[np.int64]
    depth_modulation: NDArray[np.int64]
    shift_modulation: NDArray[np.int64]
    shade_modulation: NDArray[np.int64]


class Room(NamedTuple):
    """Working memory of one thread: arrays for the modulation, for a block, and to choose from."""

    features: NDArray[np.float32]
    film: NDArray[np.float32]
    smooth: NDArray[np.float32]
    block: NDArray[np.float32]
    places: NDArray[np.float32]
    kept: NDArray[np.float32]
    free: NDArray[np.float32]


def networks_of(tables: dict[str, NDArray[np.int64]]) -> Networks:
    """Return the tables of a `napari_btf.codec.parallax.machine.layout.Layout`."""
    return Networks(**tables)


def pairs_of(directions: Directions) -> Pairs:
    """Return the features of a surface's directions, those of the views filled up to 8."""
    view, *others = (table.numpy() for table in vars(directions).values())
    wide = np.zeros((len(view), 8), dtype=np.float32)
    wide[:, : view.shape[1]] = view
    return Pairs(wide, *map(np.ascontiguousarray, others))


def room_for(networks: Networks, grid: Grid, frames: int) -> Room:
    """Return working memory for parts of at most so many observations."""
    shading = int(networks.shade[:, WIDTH].max())
    film = sum(int(table[-1, WIDTH]) for table in networks[3:] if len(table))
    smooth = max(3 * int(table[:-1, WIDTH].sum()) for table in networks[3:] if len(table))
    kept = max(2 * int(table[:, WIDTH].sum()) for table in networks[:3] if len(table))
    widest = max(int(table[:, WIDTH].max()) for table in networks if len(table))
    inputs = filled(int(grid.sizes[0]), LANES) + filled(int(grid.sizes[1:].sum()), LANES)
    return Room(
        features=aligned(2, frames, 8),
        film=aligned(2 * frames * film),
        smooth=aligned(3, frames * smooth),
        block=aligned(BLOCK * (2 * inputs + int(networks.shade[-1, WIDTH]) + 2 * LANES)),
        places=aligned(6, BLOCK),
        kept=aligned(3, BLOCK * kept),
        free=aligned(3, max(BLOCK * shading, frames * widest)),
    )
