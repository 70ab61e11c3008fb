"""Model files: one ``.safetensors`` with tensors and a JSON description, never pickle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.basis import DirectionBasis, DirectionSpace, SmoothNetwork
from napari_btf.codec.model import CompressedBTF, QuantisedLatents
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
    description, shapes = _header(path)
    _check(path, description, shapes)
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
        model = _assemble(description, tensors)
    except (SafetensorError, OSError) as error:
        raise ModelFileError(path, "it is damaged or truncated", "copy it again") from error
    centres = tensors["spline_centres"]
    if centres.size and not 0 <= centres.min() <= centres.max() < len(tensors["spline_points"]):
        raise ModelFileError(path, "its tensor 'spline_centres' is damaged", "copy it again")
    if not all(np.isfinite(t).all() for t in tensors.values() if t.dtype.kind == "f"):
        raise ModelFileError(path, "it holds values that are not numbers", "train it again")
    return replace(model, path=path)


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
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(path, "it is not a napari-btf model", remedy) from error
    return description, table


def _check(path: Path, description: Any, table: dict[str, Any]) -> None:
    """Refuse what this version does not understand, before anything is allocated."""
    known = {"format": FORMAT, "version": VERSION, "architecture": ARCHITECTURE}
    found = {key: description.get(key) for key in known} if isinstance(description, dict) else {}
    if found != known:
        raise ModelFileError(
            path,
            f"it is of a kind this version does not know ({found or description!r})",
            "update napari-btf or train the model again",
        )
    try:
        shapes = {name: tuple(entry["shape"]) for name, entry in table.items()}
        types = {name: entry["dtype"] for name, entry in table.items()}
        expected = _expected_shapes(description, shapes)
        wrong = [name for name in expected if shapes.get(name) != expected[name]]
        wrong += [name for name in table if name not in expected or types[name] not in _ITEM_BYTES]
        if types["latents"] != "U8" or np.dtype(description["dtype"]).kind not in "uf":
            wrong.append("latents")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelFileError(
            path, f"its description is not complete ({error})", "train the model again"
        ) from error
    if wrong:
        raise ModelFileError(
            path, f"its tensor {wrong[0]!r} does not fit its description", "train the model again"
        )
    size = 8 + sum(
        _ITEM_BYTES[types[name]] * int(np.prod(shapes[name], dtype=object)) for name in table
    )
    if size > path.stat().st_size:
        raise ModelFileError(path, "it is truncated", "copy it again")


def _expected_shapes(
    description: dict[str, Any], shapes: dict[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    k, c = int(description["latents"]), int(description["channels"])
    m = (k + 1) * c
    pairs, points, centres = (
        shapes[name][0] for name in ("light", "spline_points", "spline_centres")
    )
    d = shapes["spline_points"][1]
    bumps = points if shapes["spline_bumps"][0] else 0
    expected: dict[str, tuple[int, ...]] = {
        "latents": (int(description["height"]), int(description["width"]), k),
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
    layers = int(description["layers"])
    for i in range(layers):
        out = m if i == layers - 1 else shapes[f"network_{i}_bias"][0]
        expected[f"network_{i}_weight"] = (out, width)
        expected[f"network_{i}_bias"] = (out,)
        width = out
    return expected


def _assemble(description: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> CompressedBTF:
    layers = range(int(description["layers"]))
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
        latents=int(description["latents"]),
        channels=int(description["channels"]),
    )
    latents = QuantisedLatents(
        tensors["latents"], tensors["latent_scale"], tensors["latent_offset"]
    )
    return CompressedBTF(
        latents=latents,
        basis=basis,
        light=tensors["light"].astype(np.float64),
        view=tensors["view"].astype(np.float64),
        dtype=np.dtype(description["dtype"]),
        source=str(description.get("source", "")),
    )
