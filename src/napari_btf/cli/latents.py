"""The commands `embed` and `plot`, which show the latents of a model as points in the plane."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_btf.cli.console import check_not_input, check_writable, reachable, run, say, tell
from napari_btf.cli.options import Model, Seed, parse_size
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_btf.codec import CompressedBTF
    from napari_btf.embedding import EmbeddingTable
    from napari_btf.embedding.colours import Colours

__all__ = ["embed", "plot"]


class EmbeddingMethod(StrEnum):
    """Methods to place latents in the plane."""

    tsne = "tsne"
    pca = "pca"
    umap = "umap"


def embed(
    model: Model,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE.csv",
            parser=reachable,
            help="File to write, with the columns tsne_x,tsne_y,image_x,image_y, and region if "
            "the file of --texels has it.",
        ),
    ],
    method: Annotated[
        EmbeddingMethod, typer.Option(help="Method; umap needs the package umap-learn.")
    ] = EmbeddingMethod.tsne,
    exact: Annotated[
        bool, typer.Option("--exact", help="Fit all texels, even if there are more than --budget.")
    ] = False,
    budget: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Fit at most N texels, and place the others among them (default: 16384).",
        ),
    ] = None,
    texels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            parser=reachable,
            help="Place only the texels in this file (header x,y or x,y,region).",
        ),
    ] = None,
    step: Annotated[
        int, typer.Option(help="Place only every N-th texel in both directions.", metavar="N")
    ] = 1,
    seed: Seed = 0,
) -> None:
    """Place texels in the plane so that similar latents are close together (t-SNE), as CSV."""
    from napari_btf.codec import load
    from napari_btf.embedding import DEFAULT_BUDGET, write_embedding
    from napari_btf.embedding import embed as embedded

    if exact and budget is not None:
        raise UsageError(None, "--exact and --budget exclude each other", "give one of them")
    check_not_input(out, model, texels)
    check_writable(out)
    loaded = load(model)
    coords, regions = _chosen(loaded, texels, step)
    most = None if exact else budget if budget is not None else DEFAULT_BUDGET
    points = run(embedded(loaded, method.value, coords, seed=seed, budget=most))
    write_embedding(out, points, coords, regions)
    tell(f"{len(points):,} texels written to {out}")


def plot(
    table: Annotated[
        Path,
        typer.Argument(metavar="FILE.csv", parser=reachable, help="Embedding, made by embed."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE.png", parser=reachable, help="Image to write.")
    ],
    color: Annotated[
        str,
        typer.Option(
            metavar="WHAT",
            help="Colour texels by center (distance to the image centre), position, or region; "
            "with --model also by mean (mean colour), latent:K (K from 0), cluster, or cluster:K "
            "(K clusters).",
        ),
    ] = "center",
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL", parser=reachable, help="The .safetensors file that was embedded."
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="W,H",
            help="Width and height of the surface in texels, for center and position without "
            "--model (default: up to the last texel in the file).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the clustering.")] = 0,
) -> None:
    """Draw an embedding as a plot of points, coloured by a property of the texels."""
    from napari_btf.codec import load
    from napari_btf.embedding import read_embedding
    from napari_btf.plots import plot_map

    check_not_input(out, table, model)
    check_writable(out)
    if out.suffix.lower() != ".png":
        raise UsageError(out, "it is not named .png", "give a name that ends in .png")
    what, number = _parsed(color)
    if what in ("mean", "latent", "cluster") and model is None:
        raise UsageError(None, f"--color {color} needs the model", "name it with --model")
    loaded = None if model is None else load(model)
    shape = _shape(size, loaded)
    found = read_embedding(table, *(shape or ()))
    if shape is None:
        shape = _reach(found)
        if what in ("center", "position"):
            say(
                f"note: the surface is assumed to have {shape[1]} x {shape[0]} texels, up to the "
                "last ones in the file; give its size by --size W,H or --model"
            )
    colours = _coloured(table, found, what, number, loaded, shape, seed)
    plot_map(found.points, colours, f"{len(found.points):,} texels by {color}", out)
    tell(f"{len(found.points):,} texels drawn in {out}")


def _chosen(
    model: CompressedBTF, texels: Path | None, step: int
) -> tuple[NDArray[np.intp], list[str] | None]:
    """Return the texels to place, rows (y, x), and the name of the region of each.

    The names are None if there is no file, or if it has no regions.
    """
    import numpy as np

    from napari_btf.texels.coordinates import read_regions
    from napari_btf.texels.sampling import all_texels, every_nth

    if texels is None:
        return every_nth(all_texels(model.height, model.width), step), None
    named = read_regions(texels, model.height, model.width)
    kept = every_nth(named.coords, step)
    if not named.names:
        return kept, None
    region = np.zeros((model.height, model.width), dtype=np.intp)
    region[tuple(named.coords.T)] = named.region_of
    return kept, [named.names[i] for i in region[tuple(kept.T)]]


def _parsed(color: str) -> tuple[str, int | None]:
    """Split the value of ``--color`` into the property and the number behind its colon."""
    what, _, text = color.partition(":")
    if color in ("center", "position", "mean", "region", "cluster"):
        return what, None
    number = text.isascii() and text.isdecimal() and len(text) < 9
    if what in ("latent", "cluster") and number:
        return what, int(text)
    raise UsageError(
        None,
        f"--color is {color!r}",
        "use center, position, mean, region, latent:K, cluster or cluster:K",
    )


def _shape(size: str | None, model: CompressedBTF | None) -> tuple[int, int] | None:
    """Return height and width of the surface by ``--size`` or the model; None without both."""
    known = None if model is None else (model.height, model.width)
    if size is None:
        return known
    width, height = parse_size(size)
    if known is not None and known != (height, width):
        raise UsageError(
            None,
            f"--size is {width},{height}, and the model has {known[1]} x {known[0]} texels",
            "leave one of them out",
        )
    return height, width


def _reach(table: EmbeddingTable) -> tuple[int, int]:
    """Return the smallest height and width that contain all texels of a table."""
    height, width = (int(last) + 1 for last in table.coords.max(axis=0))
    return height, width


def _coloured(
    path: Path,
    table: EmbeddingTable,
    what: str,
    number: int | None,
    model: CompressedBTF | None,
    shape: tuple[int, int],
    seed: int,
) -> Colours:
    """Return the colours of the texels of a table by a property."""
    from napari_btf.embedding import colours

    if what == "center":
        return colours.centre_distance(table.coords, *shape)
    if what == "position":
        return colours.positions(table.coords, *shape)
    if what == "region":
        if table.regions is None:
            raise UsageError(path, "it has no column region", "embed with --texels and regions")
        return colours.named_regions(table.regions)
    assert model is not None
    if what == "mean":
        return colours.mean_colours(model, table.coords)
    if what == "latent":
        assert number is not None
        return colours.latent_values(model, number, table.coords)
    from napari_btf.segmentation import segment

    found = run(segment(model, k=number, seed=seed))
    return colours.label_colours(found.labels[tuple(table.coords.T)])
