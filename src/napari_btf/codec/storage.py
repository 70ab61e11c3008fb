"""Read model files, which `napari_btf.codec.writing` writes, without trusting them.

Sizes, directions and types are the same for all codecs and are checked here. The codec's record in
the table says which tensors there must be (``expected``), and makes the model of them (``unpack``).
"""

from __future__ import annotations

import json
import os
import reprlib
from io import BytesIO
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from napari_btf.btf.physical_size import is_size
from napari_btf.codec.latents.stored import check_latent_type
from napari_btf.codec.room import check_claim, check_memory
from napari_btf.codec.table import TABLE
from napari_btf.codec.writing import FORMAT, KEY, VERSION, every_pair, read_back_by
from napari_btf.errors import ModelFileError
from napari_btf.values import DTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF

__all__ = ["load", "save"]


_REMEDY = "expected a .safetensors file written by napari-btf train"
#: Largest size of the header in bytes; those that were ever written take less than 10 kB.
_HEADER_LIMIT = 1 << 20
_ITEM_BYTES = {"U8": 1, "F16": 2, "F32": 4, "I32": 4, "I64": 8}

#: Counts in the description, with their smallest and largest possible values.
_COUNTS = (
    ("height", 1, 2**20),
    ("width", 1, 2**20),
    ("channels", 1, 2**16),
    ("latents", 1, 2**12),
)
#: No capture has more pairs; their directions take 48 bytes each in memory.
_MOST_PAIRS = 2**20
_MOST_AXES = 4
_LONGEST_SOURCE = 255
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
        If it is not a model, is damaged, of a kind this version does not know, or larger than the
        memory there is.
    """
    path = Path(path)
    check_latent_type(latents_as)
    try:
        # A pipe or a device would be read without end.
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ModelFileError(path, "it is not a file", _REMEDY)
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            description = _checked_description(path, file, size)
            check_memory(path, description)
            file.seek(0)
            # Not mapped, because a file that shrinks meanwhile would end the process.
            content = file.read(size)
    except FileNotFoundError as error:
        raise ModelFileError(path, "there is no such file", "check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(path, f"it cannot be read ({reason})", _REMEDY) from error
    model = _unpacked(path, description, content, latents_as)
    return model.with_latents_as(latents_as) if model.latents_as != latents_as else model


def _read_back(content: bytes, path: Path) -> None:
    """Raise a ModelFileError for the content of a file that `load` would refuse."""
    description = _checked_description(path, BytesIO(content), len(content))
    # In 8 bits, because the latents that were trained are in memory, too.
    _unpacked(path, description, content, "uint8")


# Nothing is saved that could not be loaded.
read_back_by(_read_back)


def _unpacked(
    path: Path, description: dict[str, Any], content: bytes, latents_as: str
) -> CompressedBTF:
    """Return the model in the content of a file whose description has been checked."""
    import safetensors.numpy
    from safetensors import SafetensorError

    source, size = description.get("source", ""), description.get("mm_per_texel")
    source = source[:_LONGEST_SOURCE] if isinstance(source, str) else ""
    codec = TABLE[description["architecture"]]
    try:
        tensors = safetensors.numpy.load(content)
        _check_values(path, tensors)
        light, view = _unpack_directions(tensors)
        common = {
            "light": light,
            "view": view,
            "dtype": np.dtype(description["dtype"]),
            # JSON can contain lone surrogates, which no stream can print.
            "source": source.encode(errors="replace").decode(),
            "mm_per_texel": size if is_size(size) else None,
            "path": path,
        }
        if codec.model.has_small_latents:
            common["latents_as"] = latents_as
        # Values that no training gives overflow before they are refused.
        with np.errstate(all="ignore"):
            return codec.unpack(description, tensors, common)
    except SafetensorError as error:
        raise ModelFileError(path, "it is damaged or truncated", "copy it again") from error
    except ValueError as error:
        raise ModelFileError(path, f"it is damaged ({error})", "copy it again") from error
    except MemoryError as error:
        raise ModelFileError(
            path, "it takes more memory than there is", "end other programs"
        ) from error


def _unpack_directions(
    tensors: dict[str, NDArray[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the unit vectors (N, 3) of the light and of the view of each captured pair."""
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
    if (pairs or lights * views) > _MOST_PAIRS:
        raise ValueError("there are more pairs of directions than any capture has")
    return {
        "lights": ((lights, 3), ("F32",)),
        "views": ((views, 3), ("F32",)),
        "pairs": ((pairs, 2), ("U8", "I32")),
    }


def _pair_count(shapes: dict[str, tuple[int, ...]]) -> int:
    """Return the number of captured pairs that the shapes of a file's tensors imply."""
    return shapes["pairs"][0] or shapes["lights"][0] * shapes["views"][0]


def _checked_description(path: Path, file: BinaryIO, size: int) -> dict[str, Any]:
    """Read the description of a model file and check what it claims, before any tensor is read.

    Parameters
    ----------
    path : Path
        For messages.
    file : file
    size : int
        Its bytes.
    """
    try:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(_HEADER_LIMIT, size - 8):
            raise ModelFileError(path, "it is not a model file", _REMEDY)
        table = json.loads(file.read(length))
        description = json.loads(table.pop("__metadata__")[KEY])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(path, "it is not a napari-btf model", _REMEDY) from error
    _check(path, description, table, size)
    check_claim(path, description, size)
    return cast("dict[str, Any]", description)


def _check(path: Path, description: Any, table: dict[str, Any], bytes_there: int) -> None:
    """Raise a ModelFileError for a file that this version cannot read.

    This happens before any memory is allocated.
    """
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
        # The words of other exceptions are Python's, not ours.
        reason = f"{error!s:.100}" if isinstance(error, ValueError) else "of another form"
        raise ModelFileError(
            path,
            f"its description is not complete or wrong ({reason})",
            "train the model again",
        ) from error
    if wrong:
        raise ModelFileError(
            path, f"its tensor {wrong[0]!r:.40} does not fit its description", "train it again"
        )
    if size > bytes_there:
        raise ModelFileError(path, "it is truncated", "copy it again")


def _check_description(description: dict[str, Any]) -> None:
    for key, least, most in _COUNTS:
        value = description[key]
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{key} is {reprlib.repr(value)}")
    if description["dtype"] not in DTYPES:
        raise ValueError(f"dtype is {reprlib.repr(description['dtype'])}")


def _shape(values: list[Any]) -> tuple[int, ...]:
    # Few and bounded, because the product of many would be a number of any length.
    if len(values) > _MOST_AXES or not all(type(n) is int and 0 <= n < 1 << 48 for n in values):
        raise ValueError(f"a shape is {reprlib.repr(values)}")
    return tuple(values)


def _check_values(path: Path, tensors: dict[str, NDArray[Any]]) -> None:
    """Raise a ModelFileError for values that no training produces.

    Such values would break decoding.
    """
    for name, values in tensors.items():
        if values.dtype.kind != "f":
            continue
        if not np.isfinite(values).all():
            raise ModelFileError(path, "it holds values that are not numbers", "train it again")
        # As float64, because the bound does not fit in half precision.
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
