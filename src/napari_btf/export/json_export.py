"""Writes models as JSON for web pages: latents, decoder and embedding in one file.

docs/exports.md explains each key, and how to decode a value.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.codec.parallax.networks import GRAZING
from napari_btf.codec.texel_network.model import TexelNetworkBTF
from napari_btf.errors import UsageError
from napari_btf.export.csv_export import check_tag
from napari_btf.files import write_files
from napari_btf.interpolation.spline import LENGTH

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from napari_btf.codec import CompressedBTF
    from napari_btf.codec.decoding.layers import Layers
    from napari_btf.codec.parallax.networks import Network

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
        "decoder": _decoder(model),
        "embedding": None,
    }
    if embedding is not None:
        points, coords = embedding
        content["embedding"] = {
            "points": _array(points),
            "texels": _array(np.asarray(coords)[:, ::-1], np.int32),
        }
    path = Path(folder) / f"model_{tag}.json"
    return write_files({path: (json.dumps(content, allow_nan=False) + "\n").encode()})


def _array(values: ArrayLike, dtype: type = np.float32) -> dict[str, Any]:
    """Encode an array as its shape, its type, and its little-endian bytes (C order) in base 64."""
    array = np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<"))
    data = base64.b64encode(array.tobytes()).decode()
    return {"shape": list(array.shape), "dtype": np.dtype(dtype).name, "data": data}


def _decoder(model: CompressedBTF) -> dict[str, Any]:
    """Describe the decoder of a model by the key ``decoder`` of docs/exports.md."""
    if isinstance(model, TexelNetworkBTF):
        light_radius, view_radius = model.radii
        return {
            "inputs": model.coordinates,
            "light_radius": light_radius,
            "view_radius": view_radius,
            "layers": _layers(model.layers),
        }
    if isinstance(model, NeuralBasisBTF):
        return _basis(model)
    if isinstance(model, ParallaxBTF):
        return _parallax(model)
    raise UsageError(None, f"the codec {model.architecture} has no JSON form", "export to csv")


def _layers(layers: Layers) -> list[dict[str, Any]]:
    pairs = zip(layers.weights, layers.biases, strict=True)
    return [{"weight": _array(weight), "bias": _array(bias)} for weight, bias in pairs]


def _basis(model: NeuralBasisBTF) -> dict[str, Any]:
    basis = model.basis
    space, spline = basis.space, basis.spline
    bumps = None
    if len(spline.bumps):
        bumps = {
            "points": _array(spline.points, np.float64),
            "reach": _array(spline.reach, np.float64),
            "values": _array(spline.bumps),
        }
    return {
        "light_radius": space.light_radius,
        "view_radius": space.view_radius,
        "centre": _array(space.centre, np.float64),
        "axes": _array(space.axes, np.float64),
        "trend": basis.continuation.trend,
        "dome": basis.continuation.dome,
        "length": LENGTH,
        "points": _array(spline.points[spline.centres], np.float64),
        "coefficients": _array(spline.coefficients),
        "slopes": _array(spline.slopes),
        "bumps": bumps,
    }


def _parallax(model: ParallaxBTF) -> dict[str, Any]:
    def network(of: Network) -> dict[str, Any]:
        return {"layers": _layers(of.layers), "modulation": _layers(of.modulation)}

    return {
        "light_radius": model.light_radius,
        "view_radius": model.view_radius,
        "view": _array(model.view[0], np.float64) if model.fixed_view else None,
        "depth_latents": model.depth_latents,
        "light_latents": model.light_latents,
        "periodic": model.periodic,
        "grazing": GRAZING,
        "depth": network(model.depth),
        "shift": network(model.shift),
        "shade": network(model.shade),
    }
