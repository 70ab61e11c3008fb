"""The command line: one verb per step from a capture to an image.

Results go to standard output, progress and notes to standard error. Exit code 0 is success,
2 a wrong input (one sentence says which and what to do), 1 anything else.
"""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from napari_btf.errors import BTFError, UsageError
from napari_btf.progress import Job, Progress, finish

__all__ = ["app", "main"]

T = TypeVar("T")

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

_PHASES = {
    "read": "reading images",
    "convert": "writing the store",
    "verify": "reading it back",
    "basis": "finding the basis",
    "train": "training",
    "encode": "encoding texels",
    "quantise": "compressing latents",
    "evaluate": "measuring quality",
    "baselines": "fitting baselines",
    "embed": "placing latents",
    "draw": "drawing",
}


def _reachable(path: Path | None) -> Path | None:
    """Refuse a name no file can have, or that lies where nothing can be read."""
    try:
        if path is not None:
            path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise UsageError(
            path,
            f"it cannot be reached ({error.strerror})",
            "check the path and what you are allowed to read",
        ) from error
    return path


Capture = Annotated[
    Path,
    typer.Argument(
        metavar="CAPTURE",
        callback=_reachable,
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
Model = Annotated[
    Path,
    typer.Argument(metavar="MODEL", callback=_reachable, help="A .safetensors file from train."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")]


class EmbeddingMethod(StrEnum):
    """Ways to place latents in the plane."""

    tsne = "tsne"
    pca = "pca"


@app.command()
def sample(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", callback=_reachable, help="New or empty folder.")
    ],
) -> None:
    """Write the sample capture (woven cloth, 7 views x 81 lights) as a folder of images."""
    from napari_btf.samples import write_sample

    try:
        count = write_sample(folder)
    except KeyboardInterrupt:
        _fail(f"stopped; {folder} is not complete", 1)
    _print(f"{count} images written to {folder}")


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
        _print_json(facts)
        return
    width = max(map(len, facts))
    for key, value in facts.items():
        text = f"{value:,}" if isinstance(value, int) else value
        if isinstance(value, list):
            text = ", ".join(value)
        _print(f"{key.replace('_', ' '):<{width}}  {text}")


@app.command()
def convert(
    capture: Capture,
    store: Annotated[
        Path,
        typer.Argument(metavar="STORE.zarr", callback=_reachable, help="Texel store to write."),
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

    _check_not_input(store, capture)
    check_target(store, overwrite)
    start = time.monotonic()
    btf = _read(capture, pattern, skip_bad, azimuth)
    try:
        _run(converted(btf, store, overwrite=overwrite, restart=restart))
    except KeyboardInterrupt:
        _fail("stopped; what was done is kept, and the same command goes on from there", 1)
    summary = {
        "format": "texel store",
        "images": len(btf),
        "bytes_store": sum(file.stat().st_size for file in store.rglob("*") if file.is_file()),
        "bytes_capture": btf.nbytes,
        "seconds": round(time.monotonic() - start, 2),
    }
    if as_json:
        _print_json(summary)
        return
    _print(
        f"{store}: {summary['images']:,} images, {summary['bytes_store'] / 1e6:.1f} MB for "
        f"{summary['bytes_capture'] / 1e6:.1f} MB of pixels, {summary['seconds']:.1f} s"
    )


@app.command()
def train(
    capture: Capture,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="MODEL", callback=_reachable, help="Model file to write."),
    ],
    codec_name: Annotated[
        str,
        typer.Option(
            "--codec",
            help="neural-basis, parallax, or auto: parallax where many views were captured.",
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
            callback=_reachable,
            help="Learn from these texels (header x,y) only.",
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
            callback=_reachable,
            help="Lights (lines of theta phi) kept for scoring only.",
        ),
    ] = None,
    seconds: Annotated[float | None, typer.Option(metavar="S", help="Train for S seconds.")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Train for N passes.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
    as_json: AsJson = False,
) -> None:
    """Compress a capture into a model, and score it.

    Ctrl-C during the training keeps the best so far; once more, or while reading, gives up.
    """
    from napari_btf import codec, sampling, training

    if texels is not None and pixels is not None:
        raise UsageError(None, "--texels and --pixels exclude each other", "give one of them")
    if seconds is not None and epochs is not None:
        raise UsageError(None, "--seconds and --epochs exclude each other", "give one of them")
    sampling.check_seed(seed)
    _check_not_input(out, capture, texels, hold_out_lights)
    _check_writable(out)
    btf = _read(capture, pattern, skip_bad, azimuth)
    coords = (
        sampling.all_texels(btf.height, btf.width)
        if texels is None
        else sampling.read_coordinates(texels, btf.height, btf.width)
    )
    coords = sampling.every_nth(coords, step)
    if pixels is not None:
        coords = sampling.random_texels(coords, pixels, seed)
    held_out = None if hold_out_lights is None else training.split_lights(btf, hold_out_lights)
    network = codec.NetworkSettings(seconds=seconds, device=device, seed=seed)
    if epochs is not None:
        network = codec.NetworkSettings(epochs=epochs, device=device, seed=seed)
    settings = codec.FitSettings(latents, network, bytes_per_texel, target_psnr, codec_name)
    phases: set[str] = set()
    with _interruptible(phases) as stop:
        model, report = _run(training.train(btf, coords, settings, held_out, stop), phases)
    model.save(out)
    if target_psnr is not None and report.psnr_train < target_psnr:
        _say(f"note: {target_psnr:g} dB were asked for, {report.psnr_train:.2f} dB were reached")
    summary = report.summary(out.stat().st_size)
    if as_json:
        _print_json(summary)
        return
    _print(f"{out}: {_figures(summary)}")


@app.command()
def relight(
    model: Model,
    light: Annotated[str, typer.Option(metavar="THETA,PHI", help="Direction of the light.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="IMAGE", callback=_reachable, help="Image to write (.png, .tif, ...)."
        ),
    ],
    view: Annotated[
        str | None,
        typer.Option(metavar="THETA,PHI", help="Direction of the viewer [default: frontal]."),
    ] = None,
) -> None:
    """Write the surface under any light, from any view."""
    from napari_btf.codec import load
    from napari_btf.export.images import write_image
    from napari_btf.relighting import outside
    from napari_btf.relighting import relight as relit

    _check_not_input(out, model)
    light_angles = _angles("--light", light)
    view_angles = None if view is None else _angles("--view", view)
    loaded = load(model)
    write_image(out, relit(loaded, light_angles, view_angles))
    note = outside(loaded, light_angles, view_angles)
    if note:
        _say(f"note: {note}")


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
            metavar="FILE.png", callback=_reachable, help="Draw the mean error of each texel."
        ),
    ] = None,
    per_direction: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", callback=_reachable, help="Write the figures of each direction."
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
            _check_not_input(out, capture, model)
            _check_writable(out)
    if error_image is not None and error_image.suffix.lower() != ".png":
        raise UsageError(error_image, "it is not named .png", "the error image is a PNG file")
    if error_image is not None and error_image == per_direction:
        raise UsageError(error_image, "it is named twice", "name two files")
    loaded = load(model)
    btf = _read(capture, pattern, skip_bad, azimuth)
    found = _run(evaluated(loaded, btf, baselines=baselines))
    if error_image is not None:
        from napari_btf.plots import plot_error

        plot_error(found.error, error_image)
    if per_direction is not None:
        report.write_directions(found, per_direction)
    if as_json:
        _print_json(found.summary())
        return
    _print(report.table(found))


@app.command()
def embed(
    model: Model,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE.csv", callback=_reachable, help="Columns tsne_x,tsne_y,image_x,image_y."
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

    _check_not_input(out, model)
    _check_writable(out)
    loaded = load(model)
    points = _run(embedded(loaded, method.value, seed=seed))
    write_embedding(out, points, all_texels(loaded.height, loaded.width))
    _print(f"{len(points):,} texels written to {out}")


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", callback=_reachable, help="Where the results go.")
    ] = Path("napari-btf-demo"),
    gui: Annotated[bool, typer.Option("--gui", help="Open the result in napari.")] = False,
) -> None:
    """Run everything on the sample: compress, latent map, t-SNE, relight."""
    from napari_btf.demo import run_demo

    try:
        result = _run(run_demo(out))
    except KeyboardInterrupt:
        _fail(f"stopped; what was done so far is in {out}", 1)
    _print(f"{_figures(result.summary)}")
    _print(f"Results are in {result.folder}:")
    for path in sorted(result.folder.iterdir()):
        _print(f"  {path.name}")
    if not gui:
        _print("To see it in napari and move the light:  napari-btf demo --gui")
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
            _fail("stopped, nothing was written", 1)
        raise
    except BTFError as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        _fail("stopped, nothing was written", 1)
    except Exception as error:
        if os.environ.get("NAPARI_BTF_DEBUG"):
            raise
        _fail(
            f"this should not have happened ({type(error).__name__}: {error}); "
            "set NAPARI_BTF_DEBUG=1 to see where",
            1,
        )
    sys.exit(0)


def _fail(message: str, code: int) -> NoReturn:
    _say(f"error: {message}")
    sys.exit(code)


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _print(text: str) -> None:
    """Write to standard output, which may lie on a full disk."""
    try:
        typer.echo(text)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        # What is left in the buffer would fail once more at the end.
        sys.stdout = None
        raise UsageError(
            None, f"the result cannot be printed ({error.strerror})", "print it to another place"
        ) from error


def _print_json(values: dict[str, Any]) -> None:
    _print(json.dumps(_finite(values)))


def _finite(value: Any) -> Any:
    """Infinity and NaN are not JSON: a perfect model is a PSNR of null, and so is none at all."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
        _say(f"note: {note}")
    return btf


def _angles(option: str, text: str) -> tuple[float, float]:
    try:
        theta, phi = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            None, f"{option} is {text!r}", "give THETA,PHI in degrees, for example 30,45"
        ) from error
    return theta, phi


def _check_not_input(out: Path, *inputs: Path | None) -> None:
    """Refuse to write over what is read: a capture, one of its files, a model, a table."""
    target = out.resolve()
    for source in inputs:
        if source is None:
            continue
        origin = source.resolve()
        if target == origin or (out.exists() and origin.is_dir() and origin in target.parents):
            raise UsageError(out, f"it belongs to the input {source}", "name another place")


def _check_writable(out: Path) -> None:
    """Refuse before hours of work what could not be written at its end."""
    folder = out.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if out.is_dir():
        raise UsageError(out, "it is a folder", "give the name of a file")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(out, f"{folder} cannot be written to", "choose another place")


def _run(job: Job[T], phases: set[str] | None = None) -> T:
    """Run a job with reports; ``phases`` gathers those it has come to."""
    with _reporter() as report:

        def tell(progress: Progress) -> None:
            if phases is not None:
                phases.add(progress.phase)
            report(progress)

        return finish(job, tell)


@contextmanager
def _reporter() -> Iterator[Callable[[Progress], None]]:
    """Progress on standard error: bars on a terminal, one line a phase elsewhere."""
    if not sys.stderr.isatty():
        phase = ""

        def line(progress: Progress) -> None:
            nonlocal phase
            if progress.phase != phase:
                phase = progress.phase
                _say(f"{_PHASES.get(phase, phase)} ...")

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def bar(progress: Progress) -> None:
            name = progress.phase
            if name not in tasks:
                tasks[name] = bars.add_task(_PHASES.get(name, name), detail="")
            detail = ""
            if progress.validation_error is not None:
                detail = f"validation error {progress.validation_error:.2e}"
            bars.update(tasks[name], completed=progress.step, total=progress.total, detail=detail)

        yield bar


@contextmanager
def _interruptible(phases: set[str]) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C of a training ask it to stop, the second end the program.

    Before the phase "train" there is nothing to keep: the first one ends the program, too.
    """
    asked = 0.0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked or "train" not in phases:
            raise KeyboardInterrupt
        asked = time.monotonic()
        _say("stopping the training and keeping the best so far; Ctrl-C once more gives up")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked > 0
    finally:
        signal.signal(signal.SIGINT, before)
