"""The command `train`, which compresses one capture or several into models."""

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
            help="Codec: neural-basis, parallax, or auto (see above); for comparison also "
            "abrdf-conv and mlp, which evaluate a network for each texel.",
        ),
    ] = "auto",
    bytes_per_texel: Annotated[
        float | None,
        typer.Option(
            metavar="B",
            help="Largest size of the model: B bytes per texel, plus 64 KiB (default: 8).",
        ),
    ] = None,
    target_psnr: Annotated[
        float | None,
        typer.Option(metavar="DB", help="Make the smallest model that reaches this PSNR, in dB."),
    ] = None,
    latents: Annotated[
        int | None, typer.Option(metavar="K", help="Number of latents per texel, finely quantised.")
    ] = None,
    texels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            callback=reachable,
            help="Train only on the texels in this file (header x,y or x,y,region).",
        ),
    ] = None,
    pixels: Annotated[
        int | None, typer.Option(metavar="N", help="Train on N texels, chosen at random.")
    ] = None,
    step: Annotated[
        int, typer.Option(metavar="N", help="Train only on every N-th texel in both directions.")
    ] = 1,
    hold_out_lights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            callback=reachable,
            help="Text file of lights (lines of theta phi) that are not trained on, but used to "
            "measure the quality.",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="S", help="Train for S seconds; neural-basis may end earlier."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Train for N epochs.")] = None,
    seed: Seed = 0,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Device to train on: auto, cpu, cuda or mps.")
    ] = "auto",
    memory: Annotated[
        float, typer.Option(metavar="GIB", help="Largest amount of memory for data, in GiB.")
    ] = 2.0,
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
