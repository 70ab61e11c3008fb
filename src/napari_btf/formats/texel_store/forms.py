"""What the metadata of a texel store may say, checked before a byte of any array is read.

A store may come from a stranger, and zarr believes what the metadata of an array says: it would run
any codec, and allocate any shape. So only what the writer of this package ever wrote is allowed.
Consolidated metadata and metadata of Zarr 2 are never looked at.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["METADATA", "ArrayForm", "check_group", "directions_form", "observations_form"]

#: Name of the file that holds the metadata of a group or an array.
METADATA = "zarr.json"

#: Largest size of an array's metadata in bytes; those that were ever written take about 1 kB.
_LARGEST = 1 << 16
_KEYS = frozenset(
    {
        "attributes",
        "chunk_grid",
        "chunk_key_encoding",
        "codecs",
        "data_type",
        "dimension_names",
        "fill_value",
        "node_type",
        "shape",
        "storage_transformers",
        "zarr_format",
    }
)
_TYPES = ("uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
_SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")
#: No capture has more observations; their directions take 24 bytes each in memory.
_MOST_OBSERVATIONS = 1 << 20
#: Largest length of an image's sides, and largest number of its channels.
_MOST_TEXELS, _MOST_CHANNELS = 1 << 20, 1 << 16
#: Blosc holds fewer bytes in a chunk.
_MOST_CHUNK_BYTES = 2**31 - 17


@dataclass(frozen=True)
class ArrayForm:
    """The form of an array of a texel store.

    Parameters
    ----------
    shape : tuple of int
    chunk : tuple of int
        Size of the chunks that are compressed.
    shard : tuple of int
        Size of what a file holds.
    dtype : dtype
    """

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    shard: tuple[int, ...]
    dtype: np.dtype[Any]


def check_group(folder: Path) -> None:
    """Raise a ValueError unless a folder is a Zarr 3 group.

    Raises
    ------
    ValueError, OSError
    """
    # The size of this file is checked where its attributes are read.
    found = json.loads((folder / METADATA).read_bytes())
    if not isinstance(found, dict) or found.get("node_type") != "group":
        raise ValueError("it is no group")
    _check("zarr_format", found, 3)


def observations_form(folder: Path) -> ArrayForm:
    """Return the form of the array of observations in a folder.

    Raises
    ------
    ValueError
        If it is none that a conversion writes.
    """
    found, name = _metadata(folder), folder.name
    shape, dtype = _lengths(found["shape"], f"{name}: shape"), _dtype(found, name)
    outer = _chunk_shape(found, name)
    codecs = found["codecs"]
    if not _is_codec(codecs, "sharding_indexed"):
        raise ValueError(f"{name} are not in shards")
    sharding = _configuration(codecs[0])
    chunk = _lengths(sharding.get("chunk_shape"), f"{name}: chunk_shape")
    _check_compression(sharding, name)
    if not len(shape) == len(chunk) == len(outer) == 4:
        raise ValueError(f"{name} do not have four axes")
    if any(part % size for part, size in zip(outer, chunk, strict=True)):
        raise ValueError(f"{name} have shards that are not whole chunks")
    if (chunk[3], outer[3]) != (shape[3],) * 2:
        raise ValueError(f"the chunks of {name} do not hold all channels")
    most = (_MOST_OBSERVATIONS, _MOST_TEXELS, _MOST_TEXELS, _MOST_CHANNELS)
    if any(length > limit for length, limit in zip(shape, most, strict=True)):
        raise ValueError(f"{name} claim the size {shape}, which no capture has")
    if math.prod(chunk) * dtype.itemsize > _MOST_CHUNK_BYTES:
        raise ValueError(f"{name} claim chunks of the size {chunk}, which no store has")
    return ArrayForm(shape, chunk, outer, dtype)


def directions_form(folder: Path, count: int) -> ArrayForm:
    """Return the form of an array of directions, of ``count`` vectors.

    Raises
    ------
    ValueError
        If it is none that a conversion writes.
    """
    found, name = _metadata(folder), folder.name
    shape = _lengths(found["shape"], f"{name}: shape")
    if shape != (count, 3):
        raise ValueError(f"{name} is {shape}, expected {(count, 3)}")
    dtype, chunk = _dtype(found, name), _chunk_shape(found, name)
    if dtype.kind != "f" or dtype.itemsize < 4:
        raise ValueError(f"{name} is {dtype}, expected float64")
    if len(chunk) != 2 or any(part > size for part, size in zip(chunk, shape, strict=True)):
        raise ValueError(f"{name} has chunks that are larger than itself")
    if not _is_codec(found["codecs"], "bytes", "zstd"):
        raise ValueError(f"{name} is not compressed as expected")
    return ArrayForm(shape, chunk, chunk, dtype)


def _metadata(folder: Path) -> dict[str, Any]:
    """Read the metadata of an array, and check what all arrays have in common."""
    path, name = folder / METADATA, folder.name
    if not path.is_file():
        raise ValueError(f"{name} is missing")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"the metadata of {name} are too long")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the metadata of {name} cannot be read") from error
    if not isinstance(found, dict) or found.get("node_type") != "array":
        raise ValueError(f"{name} is not an array")
    if unknown := sorted(set(found) - _KEYS):
        raise ValueError(f"{name} has the unknown entry {unknown[0]!r:.40}")
    if missing := sorted({"shape", "data_type", "chunk_grid", "codecs"} - set(found)):
        raise ValueError(f"{name} has no entry {missing[0]!r}")
    _check("zarr_format", found, 3)
    for key in ("fill_value", "storage_transformers"):
        # Nothing stands for what is not in a file, so no other fill value makes sense.
        if found.get(key) and not (key == "fill_value" and found[key] is None):
            raise ValueError(f"{name} has the entry {key} {found[key]!r:.40}")
    separator = _configuration(found.get("chunk_key_encoding", {})).get("separator", "/")
    if separator != "/" or not _is_named(found.get("chunk_key_encoding"), "default"):
        raise ValueError(f"{name} has files of other names")
    return found


def _check_compression(sharding: dict[str, Any], name: str) -> None:
    """Raise a ValueError unless the chunks in shards are compressed as `Shards` reads them."""
    codecs, index = sharding.get("codecs"), sharding.get("index_codecs")
    if not isinstance(codecs, list) or not (
        _is_codec(codecs, "bytes", "blosc", "crc32c")
        and _is_codec(index, "bytes", "crc32c")
        and sharding.get("index_location", "end") == "end"
    ):
        raise ValueError(f"{name} are not compressed as expected")
    blosc = _configuration(codecs[1])
    if blosc.get("cname") != "zstd" or blosc.get("shuffle") not in _SHUFFLES:
        raise ValueError(f"{name} are not compressed as expected")


def _is_codec(found: Any, *names: str) -> bool:
    """Return whether a list of codecs is that of these names; bytes have to be little-endian."""
    if not isinstance(found, list) or len(found) != len(names):
        return False
    return all(
        _is_named(codec, name) and _configuration(codec).get("endian", "little") in ("little", None)
        for codec, name in zip(found, names, strict=True)
    )


def _is_named(found: Any, name: str) -> bool:
    # An extension without settings may be its name alone.
    return found == name or (isinstance(found, dict) and found.get("name") == name)


def _configuration(found: Any) -> dict[str, Any]:
    inner = found.get("configuration") if isinstance(found, dict) else None
    return inner if isinstance(inner, dict) else {}


def _chunk_shape(found: dict[str, Any], name: str) -> tuple[int, ...]:
    if not _is_named(found["chunk_grid"], "regular"):
        raise ValueError(f"{name} is not in regular chunks")
    return _lengths(_configuration(found["chunk_grid"]).get("chunk_shape"), f"{name}: chunk_shape")


def _dtype(found: dict[str, Any], name: str) -> np.dtype[Any]:
    if found["data_type"] not in _TYPES:
        raise ValueError(f"{name} has values of the type {found['data_type']!r:.40}")
    dtype: np.dtype[Any] = np.dtype(found["data_type"])
    return dtype


def _lengths(found: Any, what: str) -> tuple[int, ...]:
    """Return a list of at most four lengths from 1 to 2**40 as a tuple."""
    is_list = isinstance(found, list) and 0 < len(found) <= 4
    if not is_list or not all(type(n) is int and 0 < n <= 1 << 40 for n in found):
        raise ValueError(f"{what} is {found!r:.40}")
    return tuple(found)


def _check(key: str, found: dict[str, Any], expected: object) -> None:
    if found.get(key) != expected:
        raise ValueError(f"{key} is {found.get(key)!r:.40}, expected {expected!r}")
