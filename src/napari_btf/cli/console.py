"""What the command line shares: words, progress, Ctrl-C, and checks of paths."""

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
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

import typer

from napari_btf.errors import UsageError
from napari_btf.progress import Job, Progress, finish

__all__ = [
    "check_not_input",
    "check_writable",
    "fail",
    "interruptible",
    "reachable",
    "run",
    "say",
    "tell",
    "tell_json",
]

T = TypeVar("T")

_PHASES = {
    "read": "reading images",
    "convert": "writing the store",
    "verify": "reading it back",
    "basis": "finding the basis",
    "train": "training",
    "train slower": "training with smaller steps",
    "imagine": "imagining lights",
    "encode": "encoding texels",
    "quantise": "compressing latents",
    "evaluate": "measuring quality",
    "baselines": "fitting baselines",
    "neighbours": "finding neighbours",
    "embed": "placing latents",
    "place": "placing the others",
    "segment": "finding materials",
    "draw": "drawing",
    "movie": "writing frames",
    "normals": "estimating normals",
}


def reachable(path: Path | None) -> Path | None:
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


def fail(message: str, code: int) -> NoReturn:
    """End the program with a sentence on standard error."""
    say(f"error: {message}")
    sys.exit(code)


def say(message: str) -> None:
    """Write to standard error."""
    typer.echo(message, err=True)


def tell(text: str) -> None:
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


def tell_json(values: dict[str, Any]) -> None:
    """Write one JSON object to standard output."""
    tell(json.dumps(_finite(values)))


def _finite(value: Any) -> Any:
    """Infinity and NaN are not JSON: a perfect model is a PSNR of null, and so is none at all."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_not_input(out: Path, *inputs: Path | None) -> None:
    """Refuse to write over what is read: a capture, one of its files, a model, a table."""
    target = out.resolve()
    for source in inputs:
        if source is None:
            continue
        origin = source.resolve()
        if target == origin or (out.exists() and origin.is_dir() and origin in target.parents):
            raise UsageError(out, f"it belongs to the input {source}", "name another place")


def check_writable(out: Path) -> None:
    """Refuse before hours of work what could not be written at its end."""
    folder = out.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if out.is_dir():
        raise UsageError(out, "it is a folder", "give the name of a file")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(out, f"{folder} cannot be written to", "choose another place")


def run(job: Job[T], phases: set[str] | None = None) -> T:
    """Run a job with reports; ``phases`` gathers those it has come to."""
    with _reporter() as report:

        def remember(progress: Progress) -> None:
            if phases is not None:
                phases.add(progress.phase)
            report(progress)

        return finish(job, remember)


@contextmanager
def _reporter() -> Iterator[Callable[[Progress], None]]:
    """Progress on standard error: bars on a terminal, one line a phase elsewhere."""
    if not sys.stderr.isatty():
        phase = ""

        def line(progress: Progress) -> None:
            nonlocal phase
            if progress.phase != phase:
                phase = progress.phase
                say(f"{_PHASES.get(phase, phase)} ...")

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
def interruptible(phases: set[str]) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C of a training ask it to stop, the second end the program.

    Before the phase "train" there is nothing to keep: the first one ends the program, too.
    """
    asked = 0.0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked or "train" not in phases:
            raise KeyboardInterrupt
        asked = time.monotonic()
        say("stopping the training and keeping the best so far; Ctrl-C once more gives up")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked > 0
    finally:
        signal.signal(signal.SIGINT, before)
