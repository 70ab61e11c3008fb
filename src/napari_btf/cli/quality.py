"""The command `evaluate`, which compares a model with a capture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_btf.cli.console import (
    check_not_input,
    check_writable,
    reachable,
    run,
    tell,
    tell_json,
)
from napari_btf.cli.options import (
    AsJson,
    Azimuth,
    Capture,
    Model,
    Pattern,
    SkipBad,
    read_capture,
)
from napari_btf.errors import UsageError

__all__ = ["evaluate"]


def evaluate(
    model: Model,
    capture: Capture,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines/--no-baselines",
            help="Also measure classical methods at the size of the model: PCA, PTM, HSH, and "
            "interpolation of photographs.",
        ),
    ] = True,
    error_image: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            parser=reachable,
            help="Image to write, with the mean error of each texel.",
        ),
    ] = None,
    per_direction: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            parser=reachable,
            help="Table to write, with the quality for each pair of directions.",
        ),
    ] = None,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
    as_json: AsJson = False,
) -> None:
    """Measure how well a model reproduces a capture.

    Directions that the model was trained on are reported separately from others. Baselines are
    fitted to the former.
    """
    from napari_btf.codec import load
    from napari_btf.evaluate import evaluate as evaluated
    from napari_btf.evaluate import report

    for out in (error_image, per_direction):
        if out is not None:
            check_not_input(out, capture, model)
            check_writable(out)
    if error_image is not None and error_image.suffix.lower() != ".png":
        raise UsageError(error_image, "it is not named .png", "give a name that ends in .png")
    if error_image is not None and error_image == per_direction:
        raise UsageError(error_image, "it is named twice", "name two different files")
    loaded = load(model)
    btf = read_capture(capture, pattern, skip_bad, azimuth)
    found = run(evaluated(loaded, btf, baselines=baselines))
    if error_image is not None:
        from napari_btf.plots import plot_error

        plot_error(found.error, error_image)
    if per_direction is not None:
        report.write_directions(found, per_direction)
    if as_json:
        tell_json(found.summary())
        return
    tell(report.table(found))
