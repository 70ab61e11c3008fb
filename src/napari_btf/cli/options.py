"""Arguments and options that several verbs share, and what they stand for."""

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
    "Folder or zip of images with angles in their names or an .lp file, image stack with "
    "a .csv of angles, .btf file, or texel store from convert."
)


def _all_reachable(paths: list[Path]) -> list[Path]:
    for path in paths:
        reachable(path)
    return paths


Capture = Annotated[Path, typer.Argument(metavar="CAPTURE", callback=reachable, help=_CAPTURE)]
Captures = Annotated[
    list[Path], typer.Argument(metavar="CAPTURE", callback=_all_reachable, help=_CAPTURE)
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
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]
#: Asked for before the others, whose complaints are to be JSON, too.
LogJson = Annotated[
    bool,
    typer.Option(
        "--log-json",
        is_eager=True,
        callback=log_json,
        help="Report on standard error as JSON, one object a line.",
    ),
]
#: The argument of all verbs that start from a model.
Model = Annotated[
    Path,
    typer.Argument(metavar="MODEL", callback=reachable, help="A .safetensors file from train."),
]


def long(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb that takes its time: with the option ``--log-json``."""

    @wraps(verb)
    def run(*arguments: Any, log_json: bool = False, **options: Any) -> None:
        verb(*arguments, **options)

    signature = inspect.signature(verb, eval_str=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    log = inspect.Parameter("log_json", keyword, default=False, annotation=LogJson)
    _take(run, [*signature.parameters.values(), log])
    return run


def with_training_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb with a parameter ``options`` an option for every field of `TrainingOptions`."""

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
    kinds = get_type_hints(TrainingOptions, localns={"ArrayLike": Path})
    parameters = []
    for option in fields(TrainingOptions):
        # The command line names files where Python takes arrays, too.
        is_file = Path in get_args(kinds[option.name])
        kind = Path | None if is_file else kinds[option.name]
        declared = typer.Option(callback=reachable if is_file else None, **option.metadata)
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
    """Have a verb take parameters: typer reads both its signature and its annotations."""
    verb.__signature__ = inspect.Signature(parameters)
    verb.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}


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
        if min(width, height) < 1:
            raise ValueError
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
