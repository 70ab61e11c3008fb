"""Arguments and options that several commands share, and functions that interpret them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from napari_btf.cli.console import log_json, reachable, say
from napari_btf.errors import UsageError
from napari_btf.training.options import OPTION_NAMES, TrainingOptions

__all__ = [
    "AsJson",
    "Azimuth",
    "Capture",
    "Captures",
    "MmPerTexel",
    "Model",
    "Pattern",
    "Seed",
    "SkipBad",
    "long",
    "parse_size",
    "quality_text",
    "read_capture",
    "with_training_options",
]

_CAPTURE = (
    "A folder or zip file of images (with angles in their names, or with an .lp file), an image "
    "stack with a .csv file of angles, a .btf file, or a texel store made by convert."
)


Capture = Annotated[Path, typer.Argument(metavar="CAPTURE", parser=reachable, help=_CAPTURE)]
Captures = Annotated[list[Path], typer.Argument(metavar="CAPTURE", parser=reachable, help=_CAPTURE)]
Pattern = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Regular expression that finds the angles in image names. Its named groups are tl, "
        "pl, tv, pv (theta and phi of light and view), or tl, pl if there is one view.",
    ),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad", help="Check every image first, and leave out those that cannot be used."
    ),
]
Azimuth = Annotated[
    str,
    typer.Option(
        metavar="CONVENTION",
        help="How the capture measures azimuths: ccw (counter-clockwise) or cw (clockwise) from "
        "the right of the image. A number adds another start: cw+90 is clockwise from the top.",
    ),
]
MmPerTexel = Annotated[
    float | None,
    typer.Option(
        metavar="MM",
        help="Distance of neighbouring texels in millimetres, if it is known. It is kept in the "
        "texel store or the model, and images of the model state it as their resolution.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Seed = Annotated[int, typer.Option(help="Seed of all random choices.")]
#: Parsed before all other options (eager), so that errors about those are JSON, too.
LogJson = Annotated[
    bool,
    typer.Option(
        "--log-json",
        is_eager=True,
        callback=log_json,
        help="Write progress, notes and errors as JSON, one object per line of standard error.",
    ),
]
#: The argument of all commands that read a model.
Model = Annotated[
    Path,
    typer.Argument(metavar="MODEL", parser=reachable, help="A .safetensors file made by train."),
]


def long(verb: Callable[..., None]) -> Callable[..., None]:
    """Add the option ``--log-json`` to a command that takes long."""

    @wraps(verb)
    def run(*arguments: Any, log_json: bool = False, **options: Any) -> None:
        verb(*arguments, **options)

    signature = inspect.signature(verb, eval_str=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    log = inspect.Parameter("log_json", keyword, default=False, annotation=LogJson)
    _take(run, [*signature.parameters.values(), log])
    return run


def with_training_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Replace the parameter ``options`` of a command by an option for each training option.

    The training options are the fields of `TrainingOptions`.
    """

    @wraps(verb)
    def run(*arguments: Any, **given: Any) -> None:
        options = TrainingOptions(**{name: given.pop(name) for name in OPTION_NAMES})
        verb(*arguments, options=options, **given)

    parameters = []
    for parameter in inspect.signature(verb, eval_str=True).parameters.values():
        is_place = parameter.name == "options"
        parameters += _training_parameters() if is_place else [parameter]
    _take(run, parameters)
    return run


def _training_parameters() -> list[inspect.Parameter]:
    """Return a parameter for each field of `TrainingOptions`, as typer expects it."""
    kinds = get_type_hints(TrainingOptions, localns={"ArrayLike": Path})
    parameters = []
    for option in fields(TrainingOptions):
        # Where Python accepts a file or an array, the command line accepts only a file.
        is_file = Path in get_args(kinds[option.name])
        kind = Path | None if is_file else kinds[option.name]
        declared = typer.Option(parser=reachable if is_file else None, **option.metadata)
        parameters.append(
            inspect.Parameter(
                option.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=option.default,
                annotation=Annotated[kind, declared],
            )
        )
    return parameters


def _take(verb: Any, parameters: list[inspect.Parameter]) -> None:
    """Set the parameters of a command; typer reads both the signature and the annotations."""
    verb.__signature__ = inspect.Signature(parameters)
    verb.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}


def read_capture(
    capture: Path,
    pattern: str | None,
    skip_bad: bool,
    azimuth: str,
    mm_per_texel: float | None = None,
) -> Any:
    """Open a capture and print its notes."""
    from napari_btf.formats import read

    btf = read(
        capture, pattern=pattern, skip_bad=skip_bad, azimuth=azimuth, mm_per_texel=mm_per_texel
    )
    for note in btf.notes:
        say(f"note: {note}")
    return btf


def parse_size(text: str) -> tuple[int, int]:
    """Parse ``W,H`` as width and height in texels, both at least 1."""
    try:
        width, height = (int(part) for part in text.split(","))
        if min(width, height) < 1:
            raise ValueError
    except ValueError as error:
        raise UsageError(
            None, f"--size is {text!r}", "give W,H in texels, for example 256,256"
        ) from error
    return width, height


def quality_text(summary: dict[str, Any]) -> str:
    """Format the quality, compression ratio and time of a training as one line."""
    held = summary["psnr_held_out"]
    return (
        f"PSNR {summary['psnr_train']:.2f} dB"
        + (f" (held-out lights {held:.2f} dB)" if held is not None else "")
        + f", {summary['compression_ratio']:.1f} : 1 "
        f"({summary['bytes_capture'] / 1e6:.1f} MB of pixels "
        f"in {summary['bytes_model'] / 1e6:.2f} MB)"
        f", {summary['seconds']:.1f} s"
    )
