"""The verb `train`: from a capture to a model, or from many to as many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_btf.cli.batch import Training, find_captures, train_many, train_one
from napari_btf.cli.console import reachable
from napari_btf.cli.options import AsJson, Azimuth, Captures, Pattern, Seed, SkipBad
from napari_btf.errors import UsageError

__all__ = ["train"]


def train(
    captures: Captures,
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
    codec_name: Annotated[
        str,
        typer.Option(
            "--codec",
            help="neural-basis, parallax, or auto: parallax where many views were captured. To "
            "compare with: abrdf-conv, mlp.",
        ),
    ] = "auto",
    bytes_per_texel: Annotated[
        float | None,
        typer.Option(
            metavar="B",
            help="Size of the model: B bytes for each texel and 64 KiB (8 if not given).",
        ),
    ] = None,
    target_psnr: Annotated[
        float | None,
        typer.Option(metavar="DB", help="The smallest model of this quality, in dB."),
    ] = None,
    latents: Annotated[
        int | None, typer.Option(metavar="K", help="Latents per texel, finely quantised.")
    ] = None,
    texels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            callback=reachable,
            help="Learn from these texels (header x,y or x,y,region) only.",
        ),
    ] = None,
    pixels: Annotated[
        int | None, typer.Option(metavar="N", help="Learn from N texels chosen at random.")
    ] = None,
    step: Annotated[
        int, typer.Option(metavar="N", help="Keep 1 of every N texels in both directions.")
    ] = 1,
    hold_out_lights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            callback=reachable,
            help="Lights (lines of theta phi) kept for scoring only.",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="S", help="Train for S seconds; neural-basis at most so long."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Train for N passes.")] = None,
    seed: Seed = 0,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.")] = "auto",
    memory: Annotated[
        float, typer.Option(metavar="GIB", help="Memory for data, in GiB, at most.")
    ] = 2.0,
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
    from napari_btf.training.options import TrainingOptions

    options = TrainingOptions(
        bytes_per_texel=bytes_per_texel,
        target_psnr=target_psnr,
        latents=latents,
        codec=codec_name,
        seconds=seconds,
        epochs=epochs,
        seed=seed,
        device=device,
        memory=memory,
        texels=texels,
        step=step,
        pixels=pixels,
        hold_out_lights=hold_out_lights,
    )
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
