"""The verb `embed`: how the latents are organised."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_btf.cli.console import check_not_input, check_writable, reachable, run, tell
from napari_btf.cli.options import Model

__all__ = ["embed"]


class EmbeddingMethod(StrEnum):
    """Ways to place latents in the plane."""

    tsne = "tsne"
    pca = "pca"


def embed(
    model: Model,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE.csv", callback=reachable, help="Columns tsne_x,tsne_y,image_x,image_y."
        ),
    ],
    method: Annotated[EmbeddingMethod, typer.Option(help="How.")] = EmbeddingMethod.tsne,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
) -> None:
    """Place the latents of all texels in the plane (t-SNE) and write them as CSV."""
    from napari_btf.codec import load
    from napari_btf.embedding import embed as embedded
    from napari_btf.embedding import write_embedding
    from napari_btf.sampling import all_texels

    check_not_input(out, model)
    check_writable(out)
    loaded = load(model)
    points = run(embedded(loaded, method.value, seed=seed))
    write_embedding(out, points, all_texels(loaded.height, loaded.width))
    tell(f"{len(points):,} texels written to {out}")
