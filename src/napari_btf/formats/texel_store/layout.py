"""How a texel store is cut: into chunks, shards and blocks.

Deep chunks make a tile of texels cheap, wide ones an image. Measured on 2 cores, 512 RGB images of
512 x 512 texels (a real 8-bit capture), milliseconds but for the last column:

    chunk          one image   16 x 16 texels, all images   every image   writing, s
    64 x 16 x 16        59                4                      986         4.0
    16 x 16 x 16        19                6                      916        10.0
    32 x 32 x 32        26               10                      549         3.4
    16 x 32 x 32         9                8                      583         3.9
     4 x 32 x 32         6               16                     1103        14.2
    16 x 64 x 64        11                8                      483         4.0
     4 x 64 x 64         6               11                      625         5.1

Small chunks cost by their number, above all in writing; all of them compress 1.15 to 1.2 : 1.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

__all__ = ["BLOCK_BYTES", "Layout", "choose_layout"]

#: Values written at a time at most, unless a single image is larger.
BLOCK_BYTES = 128 * 2**20

#: Values in one file at most, unless a single chunk is larger.
SHARD_BYTES = 32 * 2**20

# Milliseconds to read one chunk: for itself, and per byte of its values.
_PER_CHUNK = 0.03
_PER_BYTE = 1e-6

# An image is looked at more often than a tile of texels is gathered.
_WEIGHT_OF_IMAGES = 4

# The tile of texels that is thought of; it lies anywhere, over as many chunks as it meets.
_TILE = 16


@dataclass(frozen=True)
class Layout:
    """Sizes along (observation, y, x, channel).

    Parameters
    ----------
    chunk : tuple of int
        What is compressed together.
    shard : tuple of int
        What is in one file: whole chunks. As many observations as are written at a time.
    """

    chunk: tuple[int, int, int, int]
    shard: tuple[int, int, int, int]


def choose_layout(
    shape: tuple[int, int, int, int], itemsize: int, block_bytes: int = BLOCK_BYTES
) -> Layout:
    """Choose the layout of a store.

    An image needs all tiles of its layer of chunks, the texels of a tile all layers. Both are
    estimated, and their weighted sum is made small.

    Parameters
    ----------
    shape : tuple of int
        (N, H, W, C).
    itemsize : int
        Bytes of a value.
    block_bytes : int
        Values written at a time at most.
    """
    count, height, width, channels = shape
    texel = channels * itemsize
    image = height * width * texel

    def cost(deep: int, high: int, wide: int) -> float:
        chunk = _PER_CHUNK + _PER_BYTE * deep * high * wide * texel
        tiles = math.ceil(height / high) * math.ceil(width / wide)
        around = (1 + (_TILE - 1) / high) * (1 + (_TILE - 1) / wide)
        return chunk * (_WEIGHT_OF_IMAGES * tiles + math.ceil(count / deep) * around)

    candidates = {
        (min(deep, count), min(side, height), min(side, width))
        for deep, side in itertools.product((2**i for i in range(10)), (16, 32, 64, 128, 256))
        if deep == 1 or min(deep, count) * image <= block_bytes
    }
    deep, high, wide = min(sorted(candidates), key=lambda candidate: cost(*candidate))
    chunk = deep * high * wide * texel
    layers = min(math.ceil(count / deep), block_bytes // (deep * image), SHARD_BYTES // chunk)
    layers = max(1, layers)
    side = max(1, math.isqrt(SHARD_BYTES // (layers * chunk)))
    return Layout(
        chunk=(deep, high, wide, channels),
        shard=(
            layers * deep,
            high * min(side, math.ceil(height / high)),
            wide * min(side, math.ceil(width / wide)),
            channels,
        ),
    )
