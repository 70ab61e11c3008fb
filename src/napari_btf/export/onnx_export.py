"""Writes decoders as ONNX files, which map latents, light and view to values.

``decoder_TAG.onnx`` has the inputs ``latent`` (N, K) and the unit vectors ``light`` and ``view``
(P, 3), where P is 1 or N. The output ``value`` (N, C) is 0..1 for integer captures and radiance
for floating-point ones. Directions outside the captured range are clamped to its edge, as in all
decoders. ``latent_map_TAG.npy`` contains the latents, (H, W, K).

The decoder of the codec parallax fetches latents where rays hit the surface. Its file therefore
contains the latent map, and has the input ``texel`` (N, 2), rows ``(y, x)``, instead of
``latent``.
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
from napari_btf.export.read_back import check_text
from napari_btf.files import write_files

if TYPE_CHECKING:
    from napari_btf.codec import CompressedBTF

__all__ = ["decoder_onnx", "write_onnx"]

_ONE = np.ones(1, dtype=np.float32)


def write_onnx(model: CompressedBTF, folder: str | Path, tag: str = "0") -> list[Path]:
    """Write the decoder of a model as an ONNX file, and its latents as a ``.npy`` file.

    Parameters
    ----------
    model : CompressedBTF
        For the codec parallax, the ONNX file contains the latents and there is no ``.npy`` file.
    folder : str or Path
        Created if it does not exist; older files of the same names are replaced.
    tag : str
        The last part of the file names.

    Returns
    -------
    list of Path
        The files that were written. On an error no file is written.

    Raises
    ------
    UsageError
        If the package onnx is missing, the model is too large, or the folder cannot be written to.
    """
    check_tag(tag)
    contents = {Path(folder) / f"decoder_{tag}.onnx": decoder_onnx(model)}
    if not TABLE[model.architecture].looks_up_latents:
        buffer = io.BytesIO()
        np.save(buffer, model.latent_map)
        contents[Path(folder) / f"latent_map_{tag}.npy"] = buffer.getvalue()
    return write_files(contents, check=check_text)


def decoder_onnx(model: CompressedBTF) -> bytes:
    """Return the decoder of a model as the content of an ONNX file.

    The metadata of the file give the codec, the size of the surface and the captured type.

    Raises
    ------
    UsageError
        If the package onnx is missing, if the model is too large, or if it is a preview.
    """
    graph = Graph()
    if model.architecture not in TABLE:
        # A preview of no codec refuses in its own words.
        model.pack()
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
