"""Integer images in lossless JPEG XL, the form in which latent maps lie in files.

Several planes share a stream, one below the other, because the header of each stream costs some
bytes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.progress import wait_while_wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["PLANES", "compress", "cut", "decompress", "groups"]

#: Largest number of planes in a stream.
PLANES = 16
#: Effort of the JPEG XL encoder, from 1 to 9.
_EFFORT = 7
_THREADS = 2


def groups(count: int) -> list[range]:
    """Return the planes of each stream."""
    return [range(i, min(i + PLANES, count)) for i in range(0, count, PLANES)]


def compress(parts: Sequence[NDArray[Any]]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Compress groups of planes to streams; each group is (P, H, W) of uint8 or uint16.

    Returns
    -------
    streams : ndarray of uint8
        One after the other.
    lengths : ndarray of int64
        Bytes of each.
    """

    def encode(part: NDArray[Any]) -> bytes:
        import imagecodecs

        image = part.reshape(-1, part.shape[-1])
        return bytes(imagecodecs.jpegxl_encode(image, lossless=True, effort=_EFFORT))

    def encode_all() -> list[bytes]:
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(encode, parts))

    # A stream of a large surface takes most of a minute.
    streams = wait_while_wanted(encode_all)
    lengths = np.array([len(stream) for stream in streams], dtype=np.int64)
    return np.frombuffer(b"".join(streams), dtype=np.uint8), lengths


def cut(
    streams: NDArray[np.uint8], lengths: NDArray[np.int64], count: int
) -> list[NDArray[np.uint8]]:
    """Return the stream of each group of ``count`` planes.

    Raises
    ------
    ValueError
        If they are not as many and as long as they should be.
    """
    # Each on its own, because the sum of large lengths overflows.
    if ((lengths < 0) | (lengths > len(streams))).any() or lengths.sum() != len(streams):
        raise ValueError("the streams have other lengths than they should")
    if len(groups(count)) != len(lengths):
        raise ValueError("there are more or fewer streams than there should be")
    starts = np.cumsum([0, *lengths])
    return [streams[a:b] for a, b in pairwise(starts)]


def decompress(
    stream: NDArray[np.uint8],
    planes: int,
    height: int,
    width: int,
    dtype: type[np.uint8] | type[np.uint16],
) -> NDArray[Any]:
    """Decompress a group of planes, (P, H, W).

    Raises
    ------
    ValueError
        If the stream is damaged, or of another size.
    """
    import imagecodecs

    # With the array given, the decoder refuses a stream of another size.
    room: NDArray[Any] = np.empty((planes * height, width), dtype=dtype)
    try:
        imagecodecs.jpegxl_decode(stream.tobytes(), out=room)
    except Exception as error:
        raise ValueError("a stream is damaged") from error
    return room.reshape(planes, height, width)
