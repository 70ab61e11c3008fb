"""Arguments and options that several verbs share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_btf.cli.console import reachable, say
from napari_btf.errors import UsageError

__all__ = [
    "AsJson",
    "Azimuth",
    "Capture",
    "Model",
    "Pattern",
    "SkipBad",
    "parse_size",
    "quality_text",
    "read_capture",
]

Capture = Annotated[
    Path,
    typer.Argument(
        metavar="CAPTURE",
        callback=reachable,
        help="Folder or zip of images with angles in their names or an .lp file, image stack with "
        "a .csv of angles, .btf file, or texel store from convert.",
    ),
]
Pattern = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="How image names carry angles: a regular expression with the named groups tl, pl, "
        "tv, pv (or tl, pl for one view).",
    ),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad", help="Check every image first; go on without those that cannot be used."
    ),
]
Azimuth = Annotated[
    str,
    typer.Option(
        metavar="CONVENTION",
        help="How the capture counts azimuths: ccw or cw, and where from if not from the right "
        "of the image, e.g. cw+90 (clockwise from the top).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")]
#: The argument of all verbs that start from a model.
Model = Annotated[
    Path,
    typer.Argument(metavar="MODEL", callback=reachable, help="A .safetensors file from train."),
]


def read_capture(capture: Path, pattern: str | None, skip_bad: bool, azimuth: str) -> Any:
    """Open a capture and say its notes."""
    from napari_btf.formats import read

    btf = read(capture, pattern=pattern, skip_bad=skip_bad, azimuth=azimuth)
    for note in btf.notes:
        say(f"note: {note}")
    return btf


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of ``W,H``."""
    try:
        width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            None, f"--size is {text!r}", "give W,H in texels, for example 256,256"
        ) from error
    return width, height


def quality_text(summary: dict[str, Any]) -> str:
    """Quality, ratio and time of a training, on one line."""
    held = summary["psnr_held_out"]
    return (
        f"PSNR {summary['psnr_train']:.2f} dB"
        + (f" (held-out lights {held:.2f} dB)" if held is not None else "")
        + f", {summary['compression_ratio']:.1f} : 1 "
        f"({summary['bytes_capture'] / 1e6:.1f} MB of pixels "
        f"in {summary['bytes_model'] / 1e6:.2f} MB)"
        f", {summary['seconds']:.1f} s"
    )
