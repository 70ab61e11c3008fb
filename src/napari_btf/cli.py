"""The command line: one verb per step from a capture to an image.

Results go to standard output, progress and notes to standard error. Exit code 0 is success,
2 a wrong input (one sentence says which and what to do), 1 anything else.
"""

from __future__ import annotations

import os
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from napari_btf.cli_relight import normals, relight
from napari_btf.console import (
    Model,
    check_not_input,
    check_writable,
    fail,
    interruptible,
    reachable,
    run,
    say,
    tell,
    tell_json,
)
from napari_btf.errors import BTFError, UsageError

__all__ = ["app", "main"]


app = typer.Typer(
    name="napari-btf",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Bidirectional Texture Functions: compress, look into the latents, relight.\n\n"
    "Angles are in degrees: THETA from the surface normal, PHI counter-clockwise from the "
    "right of the image.",
)


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


class EmbeddingMethod(StrEnum):
    """Ways to place latents in the plane."""

    tsne = "tsne"
    pca = "pca"


class ExportFormat(StrEnum):
    """Forms that models are exported in."""

    csv = "csv"


@app.command()
def sample(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", callback=reachable, help="New or empty folder.")
    ],
) -> None:
    """Write the sample capture (woven cloth, 7 views x 81 lights) as a folder of images."""
    from napari_btf.samples import write_sample

    try:
        count = write_sample(folder)
    except KeyboardInterrupt:
        fail(f"stopped; {folder} is not complete", 1)
    tell(f"{count} images written to {folder}")


@app.command()
def info(
    capture: Capture,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
    as_json: AsJson = False,
) -> None:
    """Say what a capture holds."""
    btf = _read(capture, pattern, skip_bad, azimuth)
    facts = btf.info()
    if as_json:
        tell_json(facts)
        return
    width = max(map(len, facts))
    for key, value in facts.items():
        text = f"{value:,}" if isinstance(value, int) else value
        if isinstance(value, list):
            text = ", ".join(value)
        tell(f"{key.replace('_', ' '):<{width}}  {text}")


@app.command()
def convert(
    capture: Capture,
    store: Annotated[
        Path,
        typer.Argument(metavar="STORE.zarr", callback=reachable, help="Texel store to write."),
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Take the place of an older store.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Discard what an interrupted conversion has left.")
    ] = False,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
    as_json: AsJson = False,
) -> None:
    """Copy a capture into a texel store, in which texels are found without reading all images.

    Ctrl-C keeps what is done; the same command goes on from there.
    """
    from napari_btf.formats.conversion import check_target
    from napari_btf.formats.conversion import convert as converted

    check_not_input(store, capture)
    check_target(store, overwrite)
    start = time.monotonic()
    btf = _read(capture, pattern, skip_bad, azimuth)
    try:
        run(converted(btf, store, overwrite=overwrite, restart=restart))
    except KeyboardInterrupt:
        fail("stopped; what was done is kept, and the same command goes on from there", 1)
    summary = {
        "format": "texel store",
        "images": len(btf),
        "bytes_store": sum(file.stat().st_size for file in store.rglob("*") if file.is_file()),
        "bytes_capture": btf.nbytes,
        "seconds": round(time.monotonic() - start, 2),
    }
    if as_json:
        tell_json(summary)
        return
    tell(
        f"{store}: {summary['images']:,} images, {summary['bytes_store'] / 1e6:.1f} MB for "
        f"{summary['bytes_capture'] / 1e6:.1f} MB of pixels, {summary['seconds']:.1f} s"
    )


@app.command()
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
    seconds: Annotated[float | None, typer.Option(metavar="S", help="Train for S seconds.")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Train for N passes.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
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
    btf = _read(capture, pattern, skip_bad, azimuth)
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
    tell(f"{out}: {_figures(summary)}")


app.command()(relight)


@app.command()
def evaluate(
    model: Model,
    capture: Capture,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines/--no-baselines",
            help="Fit PCA, PTM, HSH and interpolated photographs at the model's size, too.",
        ),
    ] = True,
    error_image: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", callback=reachable, help="Draw the mean error of each texel."
        ),
    ] = None,
    per_direction: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", callback=reachable, help="Write the figures of each direction."
        ),
    ] = None,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
    as_json: AsJson = False,
) -> None:
    """Measure a model against a capture, directions seen in training apart from others.

    Baselines are fitted to the directions of the capture that the model was trained on.
    """
    from napari_btf.codec import load
    from napari_btf.evaluate import evaluate as evaluated
    from napari_btf.evaluate import report

    for out in (error_image, per_direction):
        if out is not None:
            check_not_input(out, capture, model)
            check_writable(out)
    if error_image is not None and error_image.suffix.lower() != ".png":
        raise UsageError(error_image, "it is not named .png", "the error image is a PNG file")
    if error_image is not None and error_image == per_direction:
        raise UsageError(error_image, "it is named twice", "name two files")
    loaded = load(model)
    btf = _read(capture, pattern, skip_bad, azimuth)
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


app.command()(normals)


@app.command()
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


@app.command()
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


@app.command("import")
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
            "not [default: all directions up to 75 degrees].",
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
    btf = None if capture is None else _read(capture, pattern, skip_bad, azimuth)
    model = read_csv(folder, tag, None if size is None else _size(size), btf)
    model.save(out)
    tell(
        f"{out}: {model.width} x {model.height} texels, {model.latent_count} latents, "
        f"{'light' if model.coordinates == 2 else 'light and view'}"
    )


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", callback=reachable, help="Where the results go.")
    ] = Path("napari-btf-demo"),
    gui: Annotated[bool, typer.Option("--gui", help="Open the result in napari.")] = False,
) -> None:
    """Run everything on the sample: compress, latent map, t-SNE, relight."""
    from napari_btf.demo import run_demo

    try:
        result = run(run_demo(out))
    except KeyboardInterrupt:
        fail(f"stopped; what was done so far is in {out}", 1)
    tell(f"{_figures(result.summary)}")
    tell(f"Results are in {result.folder}:")
    for path in sorted(result.folder.iterdir()):
        tell(f"  {path.name}")
    if not gui:
        tell("To see it in napari and move the light:  napari-btf demo --gui")
        return
    from napari_btf.plugin.launch import open_demo

    open_demo(result.model)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    # A stream that was closed by the caller is None. The next file that is opened would take its
    # number, and with it what libraries write there.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    try:
        app(arguments, standalone_mode=True)
    except SystemExit as end:
        # What typer makes of Ctrl-C, without a word.
        if end.code == 130:
            fail("stopped, nothing was written", 1)
        raise
    except BTFError as error:
        fail(str(error), 2)
    except KeyboardInterrupt:
        fail("stopped, nothing was written", 1)
    except Exception as error:
        if os.environ.get("NAPARI_BTF_DEBUG"):
            raise
        fail(
            f"this should not have happened ({type(error).__name__}: {error}); "
            "set NAPARI_BTF_DEBUG=1 to see where",
            1,
        )
    sys.exit(0)


def _figures(summary: dict[str, Any]) -> str:
    held = summary["psnr_held_out"]
    return (
        f"PSNR {summary['psnr_train']:.2f} dB"
        + (f" (held-out lights {held:.2f} dB)" if held is not None else "")
        + f", {summary['compression_ratio']:.1f} : 1 "
        f"({summary['bytes_capture'] / 1e6:.1f} MB of pixels "
        f"in {summary['bytes_model'] / 1e6:.2f} MB)"
        f", {summary['seconds']:.1f} s"
    )


def _read(capture: Path, pattern: str | None, skip_bad: bool, azimuth: str) -> Any:
    from napari_btf.formats import read

    btf = read(capture, pattern=pattern, skip_bad=skip_bad, azimuth=azimuth)
    for note in btf.notes:
        say(f"note: {note}")
    return btf


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            None, f"--size is {text!r}", "give W,H in texels, for example 256,256"
        ) from error
    return width, height
