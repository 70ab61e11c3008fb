"""Write model files: one ``.safetensors`` file with tensors and a JSON description, never pickle.

This module knows neither models nor codecs: a model hands over what is to be written
(`CompressedBTF.to_bytes`). `napari_btf.codec.storage` reads the files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.btf import BTF

__all__ = ["FORMAT", "KEY", "VERSION", "direction_bytes", "every_pair", "file_bytes"]

FORMAT, VERSION = "napari-btf model", 4
#: Where the description lies in the metadata of the file.
KEY = "napari-btf"


def file_bytes(
    description: dict[str, Any],
    tensors: dict[str, NDArray[Any]],
    light: NDArray[np.float64],
    view: NDArray[np.float64],
) -> bytes:
    """Return the content of a model file.

    Parameters
    ----------
    description : dict
        Plain values that say what the tensors are, and of which codec.
    tensors : dict
        The codec's tensors by name.
    light, view : ndarray, shape (N, 3)
        Unit vectors of the captured pairs.
    """
    import safetensors.numpy

    tensors = tensors | _pack_directions(light, view)
    content = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    metadata = {KEY: json.dumps(description)}
    return bytes(safetensors.numpy.save(content, metadata=metadata))


def _pack_directions(
    light: NDArray[np.float64], view: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """Return every captured direction once, and the indices (view, light) of each pair.

    There are no indices where every view was captured under every light, views outermost.
    """
    lights, light_of = np.unique(light.astype(np.float32), axis=0, return_inverse=True)
    views, view_of = np.unique(view.astype(np.float32), axis=0, return_inverse=True)
    pairs = np.stack([view_of.reshape(-1), light_of.reshape(-1)], axis=1)
    if np.array_equal(pairs, every_pair(len(views), len(lights))):
        pairs = pairs[:0]
    small = max(len(lights), len(views)) <= 1 << 8
    return {"lights": lights, "views": views, "pairs": pairs.astype("u1" if small else "i4")}


def every_pair(views: int, lights: int) -> NDArray[np.intp]:
    """Return the indices (view, light) of all pairs, views outermost, shape (views * lights, 2)."""
    return np.indices((views, lights)).reshape(2, -1).T


def direction_bytes(btf: BTF) -> int:
    """Return about how many bytes a file takes for the captured directions."""
    index = 2 if max(btf.grid.shape) <= 256 else 8
    return 12 * sum(btf.grid.shape) + index * len(btf)
