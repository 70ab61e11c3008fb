"""Writes models as CSV, in the file format of the program from which this one was developed.

``latent_map_TAG.csv`` has the header ``0,1,..,K-1`` and one line per texel, row by row from the top
left. ``weights_model_TAG.csv`` has the header ``layer,type,row_index,col_index,value`` and one line
per weight or bias of the decoder. The layers are called ``fc1``, ``fc2``, ... and ``output_rgb``,
in this order. The row of a weight is its output unit, the column its input unit; biases are in row
0. The inputs of the first layer are the latents, then the two stereographic coordinates of the
light, and then those of the view if it varies. Values have nine digits, so that single-precision
numbers are read back exactly. Neither file contains the encoder. ``tsne_results_TAG.csv`` has the
header ``tsne_x,tsne_y,image_x,image_y`` and one line per texel.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.errors import UsageError
from napari_btf.export.read_back import check_text
from napari_btf.files import write_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec import CompressedBTF
    from napari_btf.codec.decoding.layers import Layers

__all__ = ["WEIGHTS_HEADER", "check_tag", "csv_paths", "write_csv"]

WEIGHTS_HEADER = "layer,type,row_index,col_index,value"
_LAST_LAYER = "output_rgb"


def check_tag(tag: str) -> None:
    """Check that a tag can be part of a file name.

    Raises
    ------
    UsageError
        If the tag is empty or contains a slash or backslash.
    """
    if not tag or any(mark in tag for mark in "/\\\0"):
        raise UsageError(
            None, f"the tag {tag!r} cannot be part of a file name", "use letters and digits"
        )


def csv_paths(folder: str | Path, tag: str) -> tuple[Path, Path]:
    """Return the paths of the weights file and the latents file in a folder.

    Raises
    ------
    UsageError
        If the tag cannot be part of a file name.
    """
    check_tag(tag)
    return Path(folder) / f"weights_model_{tag}.csv", Path(folder) / f"latent_map_{tag}.csv"


def write_csv(
    model: CompressedBTF,
    folder: str | Path,
    tag: str = "0",
    embedding: tuple[ArrayLike, ArrayLike] | None = None,
) -> list[Path]:
    """Write the latents of a model, and its decoder if the format can hold it.

    Parameters
    ----------
    model : CompressedBTF
        The decoder is written only for the codecs abrdf-conv and mlp.
    folder : str or Path
        Created if it does not exist; older files of the same names are replaced.
    tag : str
        The last part of the file names.
    embedding : (points, coords), optional
        Points in the plane, (T, 2), and their texels, rows ``(y, x)``, for
        ``tsne_results_TAG.csv``. By default this file is not written.

    Returns
    -------
    list of Path
        The files that were written. On an error no file is written.

    Raises
    ------
    UsageError
        If the folder cannot be written to, or if the tag cannot be part of a file name.
    """
    weights, latents = csv_paths(folder, tag)
    contents = {latents: _latents(model.latent_map).encode()}
    if model.texel_network is not None:
        lines = [WEIGHTS_HEADER, *_weights(model.texel_network), ""]
        contents[weights] = "\n".join(lines).encode()
    if embedding is not None:
        contents[Path(folder) / f"tsne_results_{tag}.csv"] = _embedding(*embedding).encode()
    return write_files(contents, check=check_text)


def _latents(latents: NDArray[np.float32]) -> str:
    """Format a latent map (H, W, K) as the text of its file."""
    count = latents.shape[2]
    form = ",".join(["%.9g"] * count)
    lines = (form % tuple(texel) for texel in latents.reshape(-1, count).tolist())
    return "\n".join([",".join(map(str, range(count))), *lines, ""])


def _embedding(points: ArrayLike, coords: ArrayLike) -> str:
    """Format points (T, 2) and texels (T, 2) as the text of their file."""
    rows = zip(np.asarray(points).tolist(), np.asarray(coords).tolist(), strict=True)
    lines = (f"{px:.6g},{py:.6g},{x},{y}" for (px, py), (y, x) in rows)
    return "\n".join(["tsne_x,tsne_y,image_x,image_y", *lines, ""])


def _weights(layers: Layers) -> Iterator[str]:
    """Format each weight and bias as a line, without the header."""
    for i, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True), start=1):
        name = _LAST_LAYER if i == len(layers.weights) else f"fc{i}"
        for row, values in enumerate(weight.tolist()):
            for column, value in enumerate(values):
                yield f"{name},weight,{row},{column},{value:.9g}"
        for column, value in enumerate(bias.tolist()):
            yield f"{name},bias,0,{column},{value:.9g}"
