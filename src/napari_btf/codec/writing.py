"""Write model files: one ``.safetensors`` file with tensors and a JSON description, never pickle.

This module knows neither models nor codecs: a model hands over what is to be written
(`CompressedBTF.to_bytes`). `napari_btf.codec.storage` reads the files, and gives this module its
checks, so that nothing is written that cannot be read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.errors import ModelFileError
from napari_btf.files import write_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.btf import BTF

__all__ = [
    "FORMAT",
    "KEY",
    "VERSION",
    "direction_bytes",
    "every_pair",
    "file_bytes",
    "read_back_by",
    "write_model",
]

FORMAT, VERSION = "napari-btf model", 4
#: Where the description lies in the metadata of the file.
KEY = "napari-btf"

#: Reads the content of a model file: ``(content, path)``; see `read_back_by`.
_readers: list[Callable[[bytes, Path], object]] = []


def read_back_by(reader: Callable[[bytes, Path], object]) -> None:
    """Set what reads every model file back before it replaces another one.

    Parameters
    ----------
    reader : callable
        ``reader(content, path)`` raises a ModelFileError for what is no model.
    """
    _readers[:] = [reader]


def write_model(path: str | Path, content: bytes) -> Path:
    """Write a model file after reading its content back.

    Raises
    ------
    ModelFileError
        If the content is no model, such as that of a training that has failed, or the place cannot
        be written to; an older file there stays as it was.
    """

    def check(written: bytes, place: Path) -> None:
        try:
            for read in _readers:
                read(written, place)
        except ModelFileError as error:
            raise ModelFileError(
                path,
                f"the model was not saved, because it could not be read again: {error.problem}",
                "an older file there stays as it was; train again with other settings",
            ) from error

    return write_file(path, content, ModelFileError, check)


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
