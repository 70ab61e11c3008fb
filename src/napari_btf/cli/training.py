"""The verb `train`: from a capture to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_btf.cli.console import (
    check_not_input,
    check_writable,
    interruptible,
    reachable,
    run,
    say,
    tell,
    tell_json,
)
from napari_btf.cli.options import (
    AsJson,
    Azimuth,
    Capture,
    Pattern,
    SkipBad,
    quality_text,
    read_capture,
)
from napari_btf.errors import UsageError

__all__ = ["train"]


def train(
    capture: Capture,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="MODEL", callback=reachable, help="Model file to write."),
    ],
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
            help="Size of the model: B bytes for each texel and 64 KiB [default: 8].",
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
    step: Annotated[int, typer.Option(help="Keep 1 of every N texels in both directions.")] = 1,
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
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    memory: Annotated[
        float, typer.Option(metavar="GIB", help="Memory for data, in GiB, at most.")
    ] = 2.0,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with a training of this MODEL that was ended, if there is one."
        ),
    ] = False,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
    as_json: AsJson = False,
) -> None:
    """Compress a capture into a model, and score it.

    Ctrl-C during the training keeps the best so far; once more, or while reading, gives up.
    How far it is is noted beside MODEL every few seconds; --resume goes on from there.
    """
    from napari_btf import codec, coordinates, sampling, training
    from napari_btf.codec.checkpoint import Checkpoint, checkpoint_path

    if texels is not None and pixels is not None:
        raise UsageError(None, "--texels and --pixels exclude each other", "give one of them")
    if seconds is not None and epochs is not None:
        raise UsageError(None, "--seconds and --epochs exclude each other", "give one of them")
    sampling.check_seed(seed)
    check_not_input(out, capture, texels, hold_out_lights)
    check_writable(out)
    btf = read_capture(capture, pattern, skip_bad, azimuth)
    coords = (
        sampling.all_texels(btf.height, btf.width)
        if texels is None
        else coordinates.read_coordinates(texels, btf.height, btf.width)
    )
    coords = sampling.every_nth(coords, step)
    if pixels is not None:
        coords = sampling.random_texels(coords, pixels, seed)
    held_out = None if hold_out_lights is None else training.split_lights(btf, hold_out_lights)
    most = int(memory * 2**30) if 0 < memory < 2**20 else 0
    network = codec.NetworkSettings(epochs, seconds, device, seed, most)
    settings = codec.FitSettings(latents, network, bytes_per_texel, target_psnr, codec_name)
    phases: set[str] = set()
    checkpoint = Checkpoint(checkpoint_path(out), resume)
    if checkpoint.is_there and not resume:
        say(f"note: {checkpoint.path} is an unfinished training; --resume would go on from there")
    elif resume and not checkpoint.is_there:
        say(f"note: there is no unfinished training of {out}; it starts anew")
    with interruptible(phases) as stop:
        job = training.train(btf, coords, settings, held_out, stop, checkpoint)
        model, report = run(job, phases)
    model.save(out)
    checkpoint.remove()
    if checkpoint.failure:
        say(f"note: the training could not be noted on the way: {checkpoint.failure}")
    if (seconds is not None or epochs is not None) and "train" not in phases:
        say("note: there was nothing to train, this model has a closed form")
    if target_psnr is not None and report.psnr_train < target_psnr:
        say(f"note: {target_psnr:g} dB were asked for, {report.psnr_train:.2f} dB were reached")
    summary = report.summary(out.stat().st_size)
    if as_json:
        tell_json(summary)
        return
    tell(f"{out}: {quality_text(summary)}")
