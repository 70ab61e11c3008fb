"""Reading of a texel store's direction vectors from the files of their chunks.

The files are read here rather than by zarr, because zarr takes the size that a compressed chunk
claims for itself, and gives zeros for a file that is missing.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
from numcodecs import zstd

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.formats.texel_store.forms import ArrayForm

__all__ = ["read_vectors"]

_MAGIC = b"\x28\xb5\x2f\xfd"


def read_vectors(folder: Path, form: ArrayForm) -> NDArray[np.float64]:
    """Read an array of unit vectors, shape (N, 3).

    Parameters
    ----------
    folder : Path
        Folder of the array.
    form : ArrayForm
        Its checked form.

    Raises
    ------
    ValueError, OSError
        If a file is missing or damaged, or the vectors have other lengths.
    """
    out = np.empty(form.shape, dtype=np.float64)
    counts = [math.ceil(n / size) for n, size in zip(form.shape, form.chunk, strict=True)]
    for place in itertools.product(*map(range, counts)):
        values = _chunk(folder.joinpath("c", *map(str, place)), form, folder.name)
        low = [i * size for i, size in zip(place, form.chunk, strict=True)]
        part = out[low[0] : low[0] + form.chunk[0], low[1] : low[1] + form.chunk[1]]
        part[...] = values[: part.shape[0], : part.shape[1]]
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(out, axis=1)
    if not np.allclose(lengths, 1.0, atol=1e-6):
        raise ValueError(f"{folder.name} has vectors that are not of length 1")
    return out


def _chunk(path: Path, form: ArrayForm, name: str) -> NDArray[np.floating]:
    size = math.prod(form.chunk) * form.dtype.itemsize
    if not path.is_file():
        raise ValueError(f"{name} has vectors that are missing")
    # What cannot be compressed takes a little more than its size.
    if path.stat().st_size > size + size // 64 + 256:
        raise ValueError(f"{name} has a file that is too long")
    content = path.read_bytes()
    if _claimed_size(content) != size:
        raise ValueError(f"{name} has a damaged file")
    room = np.empty(form.chunk, dtype=form.dtype.newbyteorder("<"))
    try:
        zstd.decompress(content, room.reshape(-1).view(np.uint8))
    # Any exception is caught, because the decoder may raise any kind for damaged bytes.
    except Exception as error:
        raise ValueError(f"{name} has a damaged file") from error
    return room


def _claimed_size(content: bytes) -> int:
    """Return how many bytes a frame of Zstandard says it holds; -1 if it does not say so.

    RFC 8878, section 3.1.1.1.
    """
    if len(content) < 6 or content[:4] != _MAGIC:
        return -1
    flags = content[4]
    is_single, kind = bool(flags & 0x20), flags >> 6
    start = 5 + (not is_single) + (0, 1, 2, 4)[flags & 3]
    length = (int(is_single), 2, 4, 8)[kind]
    field = content[start : start + length]
    if not length or len(field) < length:
        return -1
    return int.from_bytes(field, "little") + (256 if length == 2 else 0)
