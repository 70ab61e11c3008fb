"""Read model files, which `napari_btf.codec.writing` writes, without trusting them.

Sizes, directions and types are the same for all codecs and are checked here. The codec's record in
the table says which tensors there must be (``expected``), and makes the model of them (``unpack``).
"""

from __future__ import annotations

import json
import reprlib
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.latents.stored import check_latent_type
from napari_btf.codec.table import TABLE
from napari_btf.codec.writing import FORMAT, KEY, VERSION, every_pair
from napari_btf.errors import ModelFileError
from napari_btf.values import DTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF

__all__ = ["load", "save"]


_HEADER_LIMIT = 1 << 24
_ITEM_BYTES = {"U8": 1, "F16": 2, "F32": 4, "I32": 4, "I64": 8}

#: Counts of the description, the least and the most they can be.
_COUNTS = (
    ("height", 1, 2**20),
    ("width", 1, 2**20),
    ("channels", 1, 2**16),
    ("latents", 1, 2**12),
)
#: Values of a latent map at most: what loading allocates beyond the file's own size.
_LARGEST_MAP = 2**32
_MOST_PAIRS = 2**24
#: The largest absolute value in a tensor; weights stay so small that no product overflows.
_MOST = 1e18


def save(model: CompressedBTF, path: str | Path) -> Path:
    """Write a model file: the same as `CompressedBTF.save`."""
    return model.save(path)


def load(path: str | Path, latents_as: str = "float32") -> CompressedBTF:
    """Read a model file.

    Parameters
    ----------
    path : str or Path
    latents_as : {"float32", "float16", "uint8"}
        What latents are in memory; see `CompressedBTF.with_latents_as`.

    Raises
    ------
    UsageError
        If they cannot be that.
    ModelFileError
        If it is not a model, is damaged, or of a kind this version does not know.
    """
    path = Path(path)
    check_latent_type(latents_as)
    description, table = _header(path)
    _check(path, description, table)
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    source = description.get("source", "")
    try:
        tensors = load_file(path)
        _check_values(path, tensors)
        light, view = _unpack_directions(tensors)
        common = {
            "light": light,
            "view": view,
            "dtype": np.dtype(description["dtype"]),
            # JSON can hold halves of characters, which no stream would print.
            "source": source.encode(errors="replace").decode() if isinstance(source, str) else "",
            "path": path,
        }
        codec = TABLE[description["architecture"]]
        if codec.model.has_small_latents:
            common["latents_as"] = latents_as
        model = codec.unpack(description, tensors, common)
    except (SafetensorError, OSError) as error:
        raise ModelFileError(path, "it is damaged or truncated", "copy it again") from error
    except ValueError as error:
        raise ModelFileError(path, f"it is damaged ({error})", "copy it again") from error
    return model.with_latents_as(latents_as) if model.latents_as != latents_as else model


def _unpack_directions(
    tensors: dict[str, NDArray[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Light and view of each pair, unit vectors (N, 3)."""
    lights, views = (tensors[name].astype(np.float64) for name in ("lights", "views"))
    pairs = tensors["pairs"].astype(np.intp)
    if not len(pairs):
        pairs = every_pair(len(views), len(lights))
    if pairs.min() < 0 or (pairs.max(axis=0) >= (len(views), len(lights))).any():
        raise ValueError("a pair names directions that are not there")
    return lights[pairs[:, 1]], views[pairs[:, 0]]


def _expected_directions(
    shapes: dict[str, tuple[int, ...]],
) -> dict[str, tuple[tuple[int, ...], tuple[str, ...]]]:
    lights, views = max(1, shapes["lights"][0]), max(1, shapes["views"][0])
    pairs = shapes["pairs"][0]
    if not pairs and lights * views > _MOST_PAIRS:
        raise ValueError("there are more pairs of directions than any capture has")
    return {
        "lights": ((lights, 3), ("F32",)),
        "views": ((views, 3), ("F32",)),
        "pairs": ((pairs, 2), ("U8", "I32")),
    }


def _pair_count(shapes: dict[str, tuple[int, ...]]) -> int:
    """How many captured pairs the tensors of a file are of."""
    return shapes["pairs"][0] or shapes["lights"][0] * shapes["views"][0]


def _header(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Description and tensor table of a model file, read without any tensor."""
    remedy = "expected a .safetensors file written by napari-btf train"
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= min(_HEADER_LIMIT, size - 8):
                raise ModelFileError(path, "it is not a model file", remedy)
            table = json.loads(file.read(length))
            description = json.loads(table.pop("__metadata__")[KEY])
    except FileNotFoundError as error:
        raise ModelFileError(path, "there is no such file", "check the path") from error
    except OSError as error:
        raise ModelFileError(
            path, f"it cannot be read ({error.strerror or error})", remedy
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(path, "it is not a napari-btf model", remedy) from error
    return description, table


def _check(path: Path, description: Any, table: dict[str, Any]) -> None:
    """Refuse what this version does not understand, before anything is allocated."""
    known = {"format": FORMAT, "version": VERSION}
    is_object = isinstance(description, dict)
    found = {key: description.get(key) for key in known} if is_object else {}
    codec = description.get("architecture") if is_object else None
    if found != known or not isinstance(codec, str) or codec not in TABLE:
        said = {**found, "architecture": codec} if is_object else description
        raise ModelFileError(
            path,
            f"it is of a kind this version does not know ({reprlib.repr(said)})",
            "update napari-btf or train the model again",
        )
    try:
        _check_description(description)
        shapes = {name: _shape(entry["shape"]) for name, entry in table.items()}
        types = {name: entry["dtype"] for name, entry in table.items()}
        expected = {
            **_expected_directions(shapes),
            **TABLE[codec].expected({**description, "pairs": _pair_count(shapes)}, shapes),
        }
        wrong = [
            name
            for name in {**expected, **table}
            if name not in expected
            or shapes.get(name) != expected[name][0]
            or types.get(name) not in expected[name][1]
        ]
        size = 8 + sum(_ITEM_BYTES.get(types[name], 0) * prod(shapes[name]) for name in table)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelFileError(
            path, f"its description is not complete or wrong ({error})", "train the model again"
        ) from error
    if wrong:
        raise ModelFileError(
            path, f"its tensor {wrong[0]!r} does not fit its description", "train the model again"
        )
    if size > path.stat().st_size:
        raise ModelFileError(path, "it is truncated", "copy it again")


def _check_description(description: dict[str, Any]) -> None:
    for key, least, most in _COUNTS:
        value = description[key]
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{key} is {reprlib.repr(value)}")
    if description["height"] * description["width"] * description["latents"] > _LARGEST_MAP:
        raise ValueError("the latent map is larger than any")
    if description["dtype"] not in DTYPES:
        raise ValueError(f"dtype is {reprlib.repr(description['dtype'])}")


def _shape(values: list[Any]) -> tuple[int, ...]:
    if not all(type(n) is int and n >= 0 for n in values):
        raise ValueError(f"a shape is {reprlib.repr(values)}")
    return tuple(values)


def _check_values(path: Path, tensors: dict[str, NDArray[Any]]) -> None:
    """Refuse values that no training gives and no decoding could stand."""
    for name, values in tensors.items():
        if values.dtype.kind != "f":
            continue
        if not np.isfinite(values).all():
            raise ModelFileError(path, "it holds values that are not numbers", "train it again")
        # As float64: half precision knows no number as large as most of the bounds.
        if values.size and float(np.abs(values).max()) > _MOST:
            raise _damaged(path, name)
    for name in ("lights", "views", "imagined_light", "imagined_view"):
        vectors = tensors.get(name, np.zeros((0, 3))).astype(np.float64)
        if not len(vectors):
            continue
        length = np.linalg.norm(vectors, axis=1)
        if np.abs(length - 1).max() > 1e-3 or vectors[:, 2].min() < -0.1:
            raise _damaged(path, name)


def _damaged(path: Path, name: str) -> ModelFileError:
    return ModelFileError(path, f"its tensor {name!r} is damaged", "copy it again")
