"""Writes models as JSON for web pages: latents, decoder and embedding in one file.

docs/exports.md explains each key, and how to decode a value.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.export.csv_export import check_tag
from napari_btf.export.read_back import check_text
from napari_btf.files import write_files

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from napari_btf.codec import CompressedBTF

__all__ = ["FORMAT", "VERSION", "write_json"]

FORMAT, VERSION = "napari-btf json", 1


def write_json(
    model: CompressedBTF,
    folder: str | Path,
    tag: str = "0",
    embedding: tuple[ArrayLike, ArrayLike] | None = None,
) -> list[Path]:
    """Write a model of any codec as ``model_TAG.json``.

    Parameters
    ----------
    model : CompressedBTF
    folder : str or Path
        Created if it does not exist; an older file of the same name is replaced.
    tag : str
        The last part of the file name.
    embedding : (points, coords), optional
        Points in the plane, (T, 2), and their texels, rows ``(y, x)``; null in the file by default.

    Returns
    -------
    list of Path
        The file that was written.

    Raises
    ------
    UsageError
        If the folder cannot be written to, or if the tag cannot be part of a file name.
    """
    check_tag(tag)
    lights, light_of = np.unique(model.light, axis=0, return_inverse=True)
    views, view_of = np.unique(model.view, axis=0, return_inverse=True)
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "codec": model.architecture,
        "source": model.source,
        "width": model.width,
        "height": model.height,
        "channels": model.channels,
        "latents": model.latent_count,
        "captured_type": model.dtype.name,
        "log": model.values.is_float,
        "directions": {
            "lights": _array(lights),
            "views": _array(views),
            "pairs": _array(np.stack([light_of.ravel(), view_of.ravel()], axis=1), np.int32),
        },
        "latent_map": _array(model.latent_map),
        "decoder": _plain(model.decoder_parts()),
        "embedding": None,
    }
    if embedding is not None:
        points, coords = embedding
        content["embedding"] = {
            "points": _array(points),
            "texels": _array(np.asarray(coords)[:, ::-1], np.int32),
        }
    path = Path(folder) / f"model_{tag}.json"
    return write_files(
        {path: (json.dumps(content, allow_nan=False) + "\n").encode()}, check=check_text
    )


def _array(values: ArrayLike, dtype: type = np.float32) -> dict[str, Any]:
    """Encode an array as its shape, its type, and its little-endian bytes (C order) in base 64."""
    array = np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<"))
    data = base64.b64encode(array.tobytes()).decode()
    return {"shape": list(array.shape), "dtype": np.dtype(dtype).name, "data": data}


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it: arrays within lists and dicts by `_array`."""
    if isinstance(value, np.ndarray):
        return _array(value, value.dtype.type)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value
