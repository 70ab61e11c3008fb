"""The commands `export` and `import`, which convert models to and from other file formats."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_btf.cli.console import check_not_input, check_writable, reachable, run, tell
from napari_btf.cli.options import Azimuth, Model, Pattern, SkipBad, parse_size, read_capture
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from napari_btf.codec import CompressedBTF

__all__ = ["export", "import_csv"]


class ExportFormat(StrEnum):
    """File formats to which models are exported."""

    csv = "csv"
    json = "json"
    onnx = "onnx"


def export(
    model: Model,
    to: Annotated[ExportFormat, typer.Option(help="Format of the files.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", parser=reachable, help="Folder for the files.")
    ],
    tag: Annotated[str, typer.Option(help="Last part of the file names.")] = "0",
    embedding: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            parser=reachable,
            help="Export the embedding in this file, written by embed, instead of computing one "
            "by t-SNE (some minutes for 256 x 256 texels).",
        ),
    ] = None,
    no_embedding: Annotated[
        bool, typer.Option("--no-embedding", help="Export no embedding.")
    ] = False,
) -> None:
    """Export a model to another file format.

    csv: latent_map_TAG.csv (header 0,1,..., one line per texel), tsne_results_TAG.csv (header
    tsne_x,tsne_y,image_x,image_y), and for the codecs abrdf-conv and mlp weights_model_TAG.csv
    (header layer,type,row_index,col_index,value).

    json: model_TAG.json for web pages, with the latents, decoder and embedding of any codec.

    onnx: decoder_TAG.onnx, which maps latents, light and view to colours, and latent_map_TAG.npy.
    For the codec parallax, the decoder contains the latents and takes texels instead.

    On an error, no file is written.
    """
    from napari_btf.codec import load

    if embedding is not None and (no_embedding or to == ExportFormat.onnx):
        other = "--no-embedding" if no_embedding else "--to onnx"
        raise UsageError(
            None, f"--embedding cannot be combined with {other}", "leave one of them out"
        )
    if out.exists() and not out.is_dir():
        raise UsageError(out, "it is a file", "name a folder")
    check_writable(out / f"model_{tag}")
    loaded = load(model)
    if to == ExportFormat.onnx:
        from napari_btf.export.onnx_export import write_onnx

        written = write_onnx(loaded, out, tag)
    else:
        from napari_btf.export.csv_export import check_tag, write_csv
        from napari_btf.export.json_export import write_json

        check_tag(tag)
        points = None if no_embedding else _embedding(loaded, embedding)
        write = write_csv if to == ExportFormat.csv else write_json
        written = write(loaded, out, tag, points)
    for path in written:
        tell(f"{path}")


def _embedding(model: CompressedBTF, path: Path | None) -> tuple[ArrayLike, ArrayLike]:
    """Read points and texels from a file, or compute points of all texels by t-SNE."""
    from napari_btf.embedding import embed, read_embedding
    from napari_btf.texels.sampling import all_texels

    if path is not None:
        table = read_embedding(path, model.height, model.width)
        return table.points, table.coords
    return run(embed(model)), all_texels(model.height, model.width)


def import_csv(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", parser=reachable, help="Folder of CSV files.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="MODEL", parser=reachable, help="Model file to write."),
    ],
    tag: Annotated[str, typer.Option(help="Last part of the file names.")] = "0",
    size: Annotated[
        str | None,
        typer.Option(
            metavar="W,H", help="Width and height of the surface in texels (if no --capture)."
        ),
    ] = None,
    capture: Annotated[
        Path | None,
        typer.Option(
            metavar="CAPTURE",
            parser=reachable,
            help="Capture that the model was trained on. It gives the size and the directions, "
            "which the files do not contain; without it, directions up to THETA 75 are assumed.",
        ),
    ] = None,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
) -> None:
    """Make a model from weights_model_TAG.csv and latent_map_TAG.csv, as export writes them."""
    from napari_btf.export.csv_export import csv_paths
    from napari_btf.export.csv_import import read_csv

    check_not_input(out, *csv_paths(folder, tag), capture)
    check_writable(out)
    btf = None if capture is None else read_capture(capture, pattern, skip_bad, azimuth)
    model = read_csv(folder, tag, None if size is None else parse_size(size), btf)
    model.save(out)
    tell(
        f"{out}: {model.width} x {model.height} texels, {model.latent_count} latents, "
        f"{'light' if model.coordinates == 2 else 'light and view'}"
    )
