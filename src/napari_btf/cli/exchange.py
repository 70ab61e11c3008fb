"""The verbs `export` and `import`: models in forms that others read and write."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_btf.cli.console import check_not_input, reachable, tell
from napari_btf.cli.options import Azimuth, Model, Pattern, SkipBad, parse_size, read_capture

__all__ = ["export", "import_csv"]


class ExportFormat(StrEnum):
    """Forms that models are exported in."""

    csv = "csv"


def export(
    model: Model,
    to: Annotated[ExportFormat, typer.Option(help="In which form.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", callback=reachable, help="Folder to write into.")
    ],
    tag: Annotated[str, typer.Option(help="End of the names of the files.")] = "0",
) -> None:
    """Write a model in another form.

    csv is latent_map_TAG.csv (header 0,1,..., a line a texel), and for the codecs abrdf-conv and
    mlp weights_model_TAG.csv (header layer,type,row_index,col_index,value).
    """
    from napari_btf.codec import load
    from napari_btf.export.csv_export import write_csv

    for path in write_csv(load(model), out, tag):
        tell(f"{path}")


def import_csv(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", callback=reachable, help="Folder of CSV files.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="MODEL", callback=reachable, help="Model file to write."),
    ],
    tag: Annotated[str, typer.Option(help="End of the names of the files.")] = "0",
    size: Annotated[str | None, typer.Option(metavar="W,H", help="Texels of the surface.")] = None,
    capture: Annotated[
        Path | None,
        typer.Option(
            metavar="CAPTURE",
            callback=reachable,
            help="What the model was trained on: says size and directions, which the files do "
            "not (else all directions up to 75 degrees are taken).",
        ),
    ] = None,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
) -> None:
    """Make a model of weights_model_TAG.csv and latent_map_TAG.csv, as export writes them."""
    from napari_btf.export.csv_export import csv_paths
    from napari_btf.export.csv_import import read_csv

    check_not_input(out, *csv_paths(folder, tag), capture)
    btf = None if capture is None else read_capture(capture, pattern, skip_bad, azimuth)
    model = read_csv(folder, tag, None if size is None else parse_size(size), btf)
    model.save(out)
    tell(
        f"{out}: {model.width} x {model.height} texels, {model.latent_count} latents, "
        f"{'light' if model.coordinates == 2 else 'light and view'}"
    )
