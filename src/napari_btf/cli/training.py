"""The verb `train`: from a capture to a model, or from many to as many."""

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
        typer.Option("--out", metavar="MODEL", callback=reachable, help="Model file to write."),
    ] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            callback=reachable,
            help="Folder for the models of several captures, each named after its capture, and "
            "for summary.csv.",
        ),
    ] = None,
    options: TrainingOptions,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a training of this MODEL that was ended, if there is one. With "
            "--out-dir, leave models that are there already as they are.",
        ),
    ] = False,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
    as_json: AsJson = False,
) -> None:
    """Compress a capture into a model, and score it; or several captures, one after the other.

    Ctrl-C during the training keeps the best so far; once more, or while reading, gives up.
    How far it is is noted beside MODEL every few seconds; --resume goes on from there.

    Several captures are named one by one, or by a quoted pattern such as 'captures/*', which
    passes over what is no capture. One that fails does not stop the others.

    For example: napari-btf train cloth --out cloth.safetensors --bytes-per-texel 16
    """
    training = Training(options, resume, pattern, skip_bad, azimuth)
    if (out is None) == (out_dir is None):
        raise UsageError(
            None,
            "one of --out and --out-dir is needed",
            "give --out MODEL for one capture, --out-dir DIR for several",
        )
    if out_dir is not None:
        train_many(find_captures(captures), out_dir, training, as_json)
        return
    assert out is not None
    if len(captures) > 1:
        raise UsageError(None, f"{len(captures)} captures, one --out", "give --out-dir DIR")
    train_one(captures[0], out, training, as_json)
