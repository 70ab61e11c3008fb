"""Writing models as CSV: latents and weights in the files of the program this one grew from.

``latent_map_TAG.csv`` has the header ``0,1,..,K-1`` and one line a texel, row by row from the top
left. ``weights_model_TAG.csv`` has the header ``layer,type,row_index,col_index,value`` and one line
a weight or bias of the decoder: layers ``fc1``, ``fc2``, ... and ``output_rgb``, in their order;
a weight's row is the unit it leads to, its column the one it comes from, and biases are of row 0.
The first layer's columns are the latents, then the light's place on the stereographic disk, then
the view's if it varies. Values have the nine digits that single precision needs to come back
exactly. The encoder is in neither file. ``tsne_results_TAG.csv`` has the header
``tsne_x,tsne_y,image_x,image_y`` and one line a texel.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.errors import UsageError
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
    """Refuse a tag that is no part of a file name.

    Raises
    ------
    UsageError
    """
    if not tag or any(mark in tag for mark in "/\\\0"):
        raise UsageError(None, f"{tag!r} is no tag", "use letters and digits")


def csv_paths(folder: str | Path, tag: str) -> tuple[Path, Path]:
    """The files of weights and of latents in a folder.

    Raises
    ------
    UsageError
        For a tag that is none.
    """
    check_tag(tag)
    return Path(folder) / f"weights_model_{tag}.csv", Path(folder) / f"latent_map_{tag}.csv"


def write_csv(
    model: CompressedBTF,
    folder: str | Path,
    tag: str = "0",
    embedding: tuple[ArrayLike, ArrayLike] | None = None,
) -> list[Path]:
    """Write a model's latents, and its decoder if it is a network of every texel.

    Parameters
    ----------
    model : CompressedBTF
        Of the decoder, only those of the codecs abrdf-conv and mlp have a place in such files.
    folder : str or Path
        Made if it is missing; older files of the same names are replaced.
    tag : str
        The end of the files' names.
    embedding : (points, coords), optional
        Points (T, 2) in the plane and their texels, rows ``(y, x)``; no file of them by default.

    Returns
    -------
    list of Path
        What was written: all of it, or nothing.

    Raises
    ------
    UsageError
        If the place cannot be written to.
    """
    weights, latents = csv_paths(folder, tag)
    contents = {latents: _latents(model.latent_map).encode()}
    if model.texel_network is not None:
        lines = [WEIGHTS_HEADER, *_weights(model.texel_network), ""]
        contents[weights] = "\n".join(lines).encode()
    if embedding is not None:
        contents[Path(folder) / f"tsne_results_{tag}.csv"] = _embedding(*embedding).encode()
    return write_files(contents)


def _latents(latents: NDArray[np.float32]) -> str:
    count = latents.shape[2]
    form = ",".join(["%.9g"] * count)
    lines = (form % tuple(texel) for texel in latents.reshape(-1, count).tolist())
    return "\n".join([",".join(map(str, range(count))), *lines, ""])


def _embedding(points: ArrayLike, coords: ArrayLike) -> str:
    rows = zip(np.asarray(points).tolist(), np.asarray(coords).tolist(), strict=True)
    lines = (f"{px:.6g},{py:.6g},{x},{y}" for (px, py), (y, x) in rows)
    return "\n".join(["tsne_x,tsne_y,image_x,image_y", *lines, ""])


def _weights(layers: Layers) -> Iterator[str]:
    for i, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True), start=1):
        name = _LAST_LAYER if i == len(layers.weights) else f"fc{i}"
        for row, values in enumerate(weight.tolist()):
            for column, value in enumerate(values):
                yield f"{name},weight,{row},{column},{value:.9g}"
        for column, value in enumerate(bias.tolist()):
            yield f"{name},bias,0,{column},{value:.9g}"
