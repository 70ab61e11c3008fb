"""Writing decoders as ONNX files: (latents, light, view) in, values out.

``decoder_TAG.onnx`` has the inputs ``latent`` (N, K), ``light`` and ``view`` (P, 3), unit vectors,
P being 1 or N, and the output ``value`` (N, C): 0..1 of integer captures, radiance of floating
point ones. Directions beyond the captured ones give the edge of what was captured, as everywhere.
``latent_map_TAG.npy`` holds the latents, (H, W, K).

A decoder that looks latents up where rays land has the map inside, and ``texel`` (N, 2), rows
``(y, x)``, instead of ``latent``.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.onnx_graph import Graph
from napari_btf.codec.table import TABLE
from napari_btf.errors import UsageError
from napari_btf.export.csv_export import check_tag
from napari_btf.files import write_files

if TYPE_CHECKING:
    from napari_btf.codec import CompressedBTF

__all__ = ["decoder_onnx", "write_onnx"]

_ONE = np.ones(1, dtype=np.float32)


def write_onnx(model: CompressedBTF, folder: str | Path, tag: str = "0") -> list[Path]:
    """Write a model's decoder as an ONNX file, and its latents as an array of numpy.

    Parameters
    ----------
    model : CompressedBTF
    folder : str or Path
        Made if it is missing; older files of the same names are replaced.
    tag : str
        The end of the files' names.

    Returns
    -------
    list of Path
        What was written: all of it, or nothing.

    Raises
    ------
    UsageError
        If the package onnx is missing, the model too large, or the place cannot be written to.
    """
    check_tag(tag)
    contents = {Path(folder) / f"decoder_{tag}.onnx": decoder_onnx(model)}
    if not TABLE[model.architecture].looks_up_latents:
        buffer = io.BytesIO()
        np.save(buffer, model.latent_map)
        contents[Path(folder) / f"latent_map_{tag}.npy"] = buffer.getvalue()
    return write_files(contents)


def decoder_onnx(model: CompressedBTF) -> bytes:
    """The decoder of a model as an ONNX file, whose metadata say what it is of.

    Raises
    ------
    UsageError
        If the package onnx is missing, or the model too large.
    """
    graph = Graph()
    codec = TABLE[model.architecture]
    texels: dict[str, Any] = {"latent": (np.float32, ("texels", model.latent_count))}
    if codec.looks_up_latents:
        texels = {"texel": (np.int64, ("texels", 2))}
    if codec.onnx_form is None:
        raise UsageError(None, f"the codec {codec.name} has no ONNX form", "export to json")
    value = codec.onnx_form(graph, model)
    bounds = (np.float32(0), np.float32(model.values.largest_fitted))
    value = graph("Clip", value, *(np.asarray(bound) for bound in bounds))
    if model.values.is_float:
        value = graph("Sub", graph("Exp", value), _ONE)
    pairs = dict.fromkeys(("light", "view"), (np.float32, ("pairs", 3)))
    return graph.to_bytes(
        texels | pairs,
        (value, ("texels", model.channels)),
        {
            "codec": model.architecture,
            "height": str(model.height),
            "width": str(model.width),
            "captured_type": model.dtype.name,
            "directions": "unit vectors, x right, y up, z out of the surface",
        },
    )
