"""The command `train`, which compresses one capture or several into models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_btf.cli.batch import Training, find_captures, train_many, train_one
from napari_btf.cli.console import reachable
from napari_btf.cli.options import (
    AsJson,
    Azimuth,
    Captures,
    MmPerTexel,
    Pattern,
    SkipBad,
    with_training_options,
)
from napari_btf.errors import UsageError
from napari_btf.training.options import TrainingOptions

__all__ = ["train"]


@with_training_options
def train(
    captures: Captures,
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="MODEL", parser=reachable, help="Model file to write."),
    ] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            parser=reachable,
            help="Folder for the models of several captures, each named after its capture, and "
            "for summary.csv.",
        ),
    ] = None,
    options: TrainingOptions,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue an unfinished training of this MODEL, if there is one. With --out-dir, "
            "also keep models that exist already.",
        ),
    ] = False,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
    mm_per_texel: MmPerTexel = None,
    as_json: AsJson = False,
) -> None:
    """Compress a capture into a model and measure its quality, or do so for several captures.

    The codec neural-basis computes the colour of a texel as a weighted sum of functions of light
    and view, with the latents of the texel as weights. The codec parallax uses small networks that
    also follow the rays of light and view along a surface with height. With auto, parallax is used
    for captures of at least 16 views and 256 images.

    Ctrl-C during the training ends it and keeps the best model so far; a second one, or one while
    images are read, cancels everything. Every few seconds a checkpoint is written beside MODEL,
    from which --resume continues.

    Several captures are named one by one, or by a quoted pattern such as 'captures/*', which
    skips files that are no captures. If one capture fails, the others are still trained.

    For example: napari-btf train cloth --out cloth.safetensors --bytes-per-texel 16
    """
    training = Training(options, resume, pattern, skip_bad, azimuth, mm_per_texel)
    if (out is None) == (out_dir is None):
        raise UsageError(
            None,
            "exactly one of --out and --out-dir is needed",
            "give --out MODEL for one capture, --out-dir DIR for several",
        )
    if out_dir is not None:
        train_many(find_captures(captures), out_dir, training, as_json)
        return
    assert out is not None
    if len(captures) > 1:
        raise UsageError(
            None, f"--out takes one capture, not {len(captures)}", "give --out-dir DIR"
        )
    train_one(captures[0], out, training, as_json)
