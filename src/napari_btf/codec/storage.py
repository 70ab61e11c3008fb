"""Model files: one ``.safetensors`` with tensors and a JSON description, never pickle."""

from __future__ import annotations

import json
import reprlib
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.basis import DirectionBasis, DirectionSpace, SmoothNetwork
from napari_btf.codec.model import DTYPES, CompressedBTF, QuantisedLatents
from napari_btf.codec.spline import DirectionSpline
from napari_btf.errors import ModelFileError
from napari_btf.files import write_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["load", "save", "to_bytes"]

FORMAT = "napari-btf model"
VERSION = 1
ARCHITECTURE = "neural-basis"

_KEY = "napari-btf"
_HEADER_LIMIT = 1 << 24
_ITEM_BYTES = {"U8": 1, "F16": 2, "F32": 4, "F64": 8, "I64": 8}

#: Counts of the description, the least and the most they can be.
_COUNTS = (
    ("height", 1, 2**31),
    ("width", 1, 2**31),
    ("channels", 1, 2**16),
    ("latents", 1, 2**16),
    ("layers", 0, 8),
)
#: Of the stereographic disk; the horizon is at 1.
_LARGEST_RADIUS = 1.0102
#: The largest absolute values of tensors; weights stay so small that no product overflows.
_MOST = {
    "latent_scale": 1e9,
    "latent_offset": 1e9,
    "light": 1.01,
    "view": 1.01,
    "space_centre": 1.0102,
    "space_axes": 1.01,
    "spline_points": 10.0,
}
_MOST_WEIGHT = 1e18


def to_bytes(model: CompressedBTF) -> bytes:
    """The content of a model file."""
    import safetensors.numpy

    metadata = {_KEY: json.dumps(_description(model))}
    return bytes(safetensors.numpy.save(_tensors(model), metadata=metadata))


def save(model: CompressedBTF, path: str | Path) -> Path:
    """Write a model (see `napari_btf.files.write_file`).

    Raises
    ------
    ModelFileError
        If the place cannot be written to; an older file there stays as it was.
    """
    return write_file(path, to_bytes(model), ModelFileError)


def load(path: str | Path) -> CompressedBTF:
    """Read a model file.

    Raises
    ------
    ModelFileError
        If it is not a model, is damaged, or of a kind this version does not know.
    """
    path = Path(path)
    description, table = _header(path)
    _check(path, description, table)
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelFileError(path, "it is damaged or truncated", "copy it again") from error
    _check_values(path, tensors)
    return replace(_assemble(description, tensors), path=path)


def _tensors(model: CompressedBTF) -> dict[str, NDArray[Any]]:
    basis, space, spline = model.basis, model.basis.space, model.basis.spline
    tensors: dict[str, NDArray[Any]] = {
        "latents": model.latents.codes,
        "latent_scale": model.latents.scale,
        "latent_offset": model.latents.offset,
        "light": model.light.astype(np.float32),
        "view": model.view.astype(np.float32),
        "space_centre": space.centre,
        "space_axes": space.axes,
        "spline_points": spline.points,
        "spline_centres": spline.centres.astype(np.int64),
        "spline_coefficients": spline.coefficients,
        "spline_polynomial": spline.polynomial,
        "spline_bumps": spline.bumps,
    }
    layers = zip(basis.network.weights, basis.network.biases, strict=True)
    for i, (weight, bias) in enumerate(layers):
        tensors[f"network_{i}_weight"], tensors[f"network_{i}_bias"] = weight, bias
    return {name: np.ascontiguousarray(values) for name, values in tensors.items()}


def _description(model: CompressedBTF) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "architecture": ARCHITECTURE,
        "height": model.height,
        "width": model.width,
        "channels": model.channels,
        "latents": model.latent_count,
        "layers": len(model.basis.network.weights),
        "light_radius": model.basis.space.light_radius,
        "view_radius": model.basis.space.view_radius,
        "dtype": model.dtype.name,
        "color_space": "as captured",
        "directions": "unit vectors, x right, y up, z out of the surface; stereographic disks",
        "source": model.source,
    }


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
            description = json.loads(table.pop("__metadata__")[_KEY])
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
    known = {"format": FORMAT, "version": VERSION, "architecture": ARCHITECTURE}
    found = {key: description.get(key) for key in known} if isinstance(description, dict) else {}
    if found != known:
        raise ModelFileError(
            path,
            f"it is of a kind this version does not know ({reprlib.repr(found or description)})",
            "update napari-btf or train the model again",
        )
    try:
        _check_description(description)
        shapes = {name: _shape(entry["shape"]) for name, entry in table.items()}
        types = {name: entry["dtype"] for name, entry in table.items()}
        expected = _expected_shapes(description, shapes)
        wrong = [name for name in expected if shapes.get(name) != expected[name]]
        wrong += [name for name in table if name not in expected or types[name] not in _types(name)]
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
    for key in ("light_radius", "view_radius"):
        value = description[key]
        if type(value) not in (int, float) or not 0 <= value <= _LARGEST_RADIUS:
            raise ValueError(f"{key} is {reprlib.repr(value)}")
    if description["dtype"] not in DTYPES:
        raise ValueError(f"dtype is {reprlib.repr(description['dtype'])}")


def _shape(values: list[Any]) -> tuple[int, ...]:
    if not all(type(n) is int and n >= 0 for n in values):
        raise ValueError(f"a shape is {reprlib.repr(values)}")
    return tuple(values)


def _types(name: str) -> tuple[str, ...]:
    """Types a tensor may have."""
    return {"latents": ("U8",), "spline_centres": ("I64",)}.get(name, ("F16", "F32", "F64"))


def _expected_shapes(
    description: dict[str, Any], shapes: dict[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    k, c = description["latents"], description["channels"]
    m = (k + 1) * c
    pairs, points, centres = (
        max(1, shapes[name][0]) for name in ("light", "spline_points", "spline_centres")
    )
    d = shapes["spline_points"][1]
    # Without a dimension that varies there is one point only.
    points = points if d else 1
    bumps = points if shapes["spline_bumps"][0] else 0
    expected: dict[str, tuple[int, ...]] = {
        "latents": (description["height"], description["width"], k),
        "latent_scale": (k,),
        "latent_offset": (k,),
        "light": (pairs, 3),
        "view": (pairs, 3),
        "space_centre": (4,),
        "space_axes": (4, d),
        "spline_points": (points, d),
        "spline_centres": (centres,),
        "spline_coefficients": (centres, m),
        "spline_polynomial": (d + 1, m),
        "spline_bumps": (bumps, m),
    }
    width = 3 * d
    layers = description["layers"]
    for i in range(layers):
        out = m if i == layers - 1 else shapes[f"network_{i}_bias"][0]
        expected[f"network_{i}_weight"] = (out, width)
        expected[f"network_{i}_bias"] = (out,)
        width = out
    return expected


def _check_values(path: Path, tensors: dict[str, NDArray[Any]]) -> None:
    """Refuse values that no training gives and no decoding could stand."""
    for name, values in tensors.items():
        if values.dtype.kind != "f":
            continue
        if not np.isfinite(values).all():
            raise ModelFileError(path, "it holds values that are not numbers", "train it again")
        # As float64: half precision knows no number as large as most of the bounds.
        if values.size and float(np.abs(values).max()) > _MOST.get(name, _MOST_WEIGHT):
            raise _damaged(path, name)
    centres = tensors["spline_centres"]
    if not 0 <= centres.min() <= centres.max() < len(tensors["spline_points"]):
        raise _damaged(path, "spline_centres")
    for name in ("light", "view"):
        vectors = tensors[name].astype(np.float64)
        length = np.linalg.norm(vectors, axis=1)
        if np.abs(length - 1).max() > 1e-3 or vectors[:, 2].min() < -0.1:
            raise _damaged(path, name)


def _damaged(path: Path, name: str) -> ModelFileError:
    return ModelFileError(path, f"its tensor {name!r} is damaged", "copy it again")


def _assemble(description: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> CompressedBTF:
    layers = range(description["layers"])
    source = description.get("source", "")
    basis = DirectionBasis(
        space=DirectionSpace(
            tensors["space_centre"],
            tensors["space_axes"],
            float(description["light_radius"]),
            float(description["view_radius"]),
        ),
        network=SmoothNetwork(
            tuple(tensors[f"network_{i}_weight"] for i in layers),
            tuple(tensors[f"network_{i}_bias"] for i in layers),
        ),
        spline=DirectionSpline(
            tensors["spline_points"],
            tensors["spline_centres"].astype(np.intp),
            tensors["spline_coefficients"],
            tensors["spline_polynomial"],
            tensors["spline_bumps"],
        ),
        latents=description["latents"],
        channels=description["channels"],
    )
    latents = QuantisedLatents(
        tensors["latents"],
        tensors["latent_scale"].astype(np.float32),
        tensors["latent_offset"].astype(np.float32),
    )
    return CompressedBTF(
        latents=latents,
        basis=basis,
        light=tensors["light"].astype(np.float64),
        view=tensors["view"].astype(np.float64),
        dtype=np.dtype(description["dtype"]),
        # JSON can hold halves of characters, which no stream would print.
        source=source.encode(errors="replace").decode() if isinstance(source, str) else "",
    )
