"""Reading of texel stores: a whole BTF as a Zarr 3 group, with fast access to images and texels.

- ``observations``: array (observation, y, x, channel) in the data type of the capture. A chunk
  covers a tile of texels and some observations, and is compressed and has a checksum. Each file
  holds many chunks (sharding).
- ``light``, ``view``: arrays (observation, component) of unit vectors.
- the attribute ``napari-btf`` of the group: format, version, and the origin of the values.

`napari_btf.formats.conversion` writes stores, `napari_btf.formats.texel_store.shards` reads the
chunks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.btf import BTF
from napari_btf.errors import CaptureError

if TYPE_CHECKING:
    from pathlib import Path

    import zarr
    from numpy.typing import NDArray

    from napari_btf.formats.capture_files import ReadOptions

__all__ = [
    "ATTRIBUTE",
    "DIRECTIONS",
    "FORMAT",
    "JOURNAL",
    "VERSION",
    "is_zarr",
    "read",
    "recognises",
]

FORMAT = "napari-btf texel store"
VERSION = 1

#: Name of the group attribute that identifies a texel store.
ATTRIBUTE = "napari-btf"

#: Description of the direction vectors, written to the store.
DIRECTIONS = "unit vectors, x right, y up, z out of the surface"

#: Name of the file in which an unfinished conversion records its progress.
JOURNAL = "conversion.jsonl"

_METADATA = "zarr.json"
_METADATA_LIMIT = 1 << 24
_REMEDY = "convert its capture again"


def recognises(path: Path) -> bool:
    """Return whether a folder is a texel store of any version."""
    return _attributes(path).get("format") == FORMAT


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr group or array of any Zarr version."""
    try:
        return any((path / name).is_file() for name in (_METADATA, ".zgroup", ".zarray"))
    except OSError:
        return False


def read(path: Path, options: ReadOptions | None = None) -> BTF:
    """Open a texel store.

    Raises
    ------
    CaptureError
        If the path is not a texel store, or the store is unfinished, damaged or of an unknown
        version. Damage of the pixel values is detected only when they are read.
    """
    found = _attributes(path)
    _check_kind(path, found)
    # Any exception is caught, because zarr may raise any kind for damaged metadata.
    try:
        return _opened(path, found)
    except Exception as error:
        problem = f"the texel store is damaged ({_first_line(error)})"
        raise CaptureError(path, problem, _REMEDY) from error


def _check_kind(path: Path, found: dict[str, Any]) -> None:
    """Raise a CaptureError unless the attribute is that of a texel store of this version."""
    if found.get("format") != FORMAT:
        if (path / JOURNAL).is_file():
            raise CaptureError(
                path, "it is an unfinished texel store", "run napari-btf convert again to finish it"
            )
        raise CaptureError(
            path,
            "it is a Zarr store of another kind",
            "expected a texel store written by napari-btf convert",
        )
    if found.get("version") != VERSION:
        raise CaptureError(
            path,
            f"it is a texel store of version {found.get('version')}, expected version {VERSION}",
            f"update napari-btf or {_REMEDY}",
        )


def _opened(path: Path, found: dict[str, Any]) -> BTF:
    """Open the texel store whose attribute is ``found``."""
    import zarr

    from napari_btf.formats.texel_store.frames import StoredFrames
    from napari_btf.formats.texel_store.shards import Shards

    group = zarr.open_group(path, mode="r")
    observations = _array(group, "observations")
    light, view = (_directions(group, name, observations.shape[0]) for name in ("light", "view"))
    shards = Shards(
        path / "observations",
        observations.shape,
        observations.chunks,
        _shard_shape(observations),
        np.dtype(observations.dtype),
    )
    stored = StoredFrames(shards)
    return BTF(
        stored.frames,
        light,
        view,
        str(path),
        "texel store",
        notes=tuple(str(note) for note in found["source"]["notes"]),
        gatherer=stored,
        channel_names=tuple(str(name) for name in found.get("channel_names", ())),
    )


def _attributes(path: Path) -> dict[str, Any]:
    """Read the attribute of a texel store; return an empty dict if there is none. Never raises."""
    try:
        file = path / _METADATA
        if not file.is_file() or file.stat().st_size > _METADATA_LIMIT:
            return {}
        found = json.loads(file.read_text(encoding="utf-8"))["attributes"][ATTRIBUTE]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    import zarr

    found = group[name]
    if not isinstance(found, zarr.Array):
        raise TypeError(f"{name} is not an array")
    return found


def _directions(group: zarr.Group, name: str, count: int) -> NDArray[np.float64]:
    """Read an array of unit vectors, shape (count, 3); raise a ValueError if it is invalid."""
    array = _array(group, name)
    if array.shape != (count, 3):
        raise ValueError(f"{name} is {array.shape}, expected {(count, 3)}")
    vectors = np.asarray(array[...], dtype=np.float64)
    # Lengths are checked, because zarr returns zeros for a missing file.
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6):
        raise ValueError(f"{name} has vectors that are not of length 1")
    return vectors


def _shard_shape(array: zarr.Array[Any]) -> tuple[int, ...]:
    """Return the shape of the shards; raise a ValueError if `Shards` cannot read the array."""
    from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, ShardingCodec

    codecs = array.metadata.codecs  # type: ignore[union-attr]
    if len(codecs) != 1 or not isinstance(codecs[0], ShardingCodec) or array.shards is None:
        raise ValueError("observations are not in shards")
    kinds = [type(codec) for codec in codecs[0].codecs]
    if kinds != [BytesCodec, BloscCodec, Crc32cCodec] or array.ndim != 4:
        raise ValueError("observations are not compressed as expected")
    if (array.chunks[3], array.shards[3]) != (array.shape[3],) * 2:
        raise ValueError("the chunks of observations do not hold all channels")
    return array.shards


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
