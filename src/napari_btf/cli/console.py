"""Input and output of all commands: results, notes, errors, progress, and checks of paths."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer

from napari_btf.errors import UsageError
from napari_btf.progress import Job, Progress, finish
from napari_btf.running.ranks import is_first
from napari_btf.running.reporting import bars, json_lines, lines, terminal

__all__ = [
    "check_not_input",
    "check_writable",
    "fail",
    "log_json",
    "reachable",
    "run",
    "say",
    "tell",
    "tell_json",
    "wrong_command",
]

T = TypeVar("T")

#: Whether standard error gets JSON objects, one per line, for a program to read.
_LOG_JSON: ContextVar[bool] = ContextVar("log_json", default=False)


#: The capital letter that begins a sentence, with the full stop of the sentence before.
_SENTENCE = re.compile(r"(^|\. )([A-Z])")


def log_json(wanted: bool = True) -> None:
    """Choose whether progress, notes and errors are written as JSON or as plain text."""
    _LOG_JSON.set(wanted)


def reachable(given: str | Path) -> Path:
    """Parse a path of the command line: a file can have this name, and it can be reached.

    This must parse the text itself, because ``Path("")`` is the current folder.

    Raises
    ------
    UsageError
        If the path is empty, the name is too long, a folder may not be read, or links form a loop.
    """
    if not str(given).strip():
        raise UsageError(None, "a path is empty", "name a file or a folder")
    path = Path(given)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise UsageError(
            path,
            f"it cannot be reached ({error.strerror})",
            "check the path and whether you are allowed to read it",
        ) from error
    return path


def fail(message: str, code: int) -> NoReturn:
    """Print an error message to standard error, and exit with a code."""
    if _LOG_JSON.get():
        typer.echo(json.dumps({"error": message}), err=True)
    else:
        typer.echo(f"error: {message}", err=True)
    sys.exit(code)


def wrong_command(error: Any, arguments: Sequence[str]) -> str:
    """Turn typer's message about wrong arguments into one sentence.

    Parameters
    ----------
    error : click.UsageError
        The exception of click, or of the copy of click inside typer.
    arguments : sequence of str
        All arguments of the program; the first one is the command.
    """
    text = " ".join(error.format_message().split()).rstrip(".?")
    text = text.replace("Value error, ", "")
    text = _SENTENCE.sub(lambda start: f"{start[1] and '; '}{start[2].lower()}", text)
    if error.ctx is not None:
        command = error.ctx.command_path
    else:
        # The parser of options does not know for which command it works.
        name = [word for word in arguments[:1] if not word.startswith("-")]
        command = " ".join(["napari-btf", *name])
    return f"{text}; see {command} --help."


def say(message: str) -> None:
    """Write a message to standard error; of several processes, only the first one writes."""
    if not is_first():
        return
    if _LOG_JSON.get():
        message = json.dumps({"note": message.removeprefix("note: ")})
    typer.echo(message, err=True)


def tell(text: str) -> None:
    """Write a line to standard output.

    Raises
    ------
    UsageError
        If the output cannot be written, such as to a file on a full disk.
    """
    try:
        typer.echo(text)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        # Without this, flushing the buffer at exit would fail again.
        sys.stdout = None
        raise UsageError(
            None, f"the result cannot be printed ({error.strerror})", "redirect it to another place"
        ) from error


def tell_json(values: dict[str, Any]) -> None:
    """Write one JSON object to standard output."""
    tell(json.dumps(_finite(values)))


def _finite(value: Any) -> Any:
    """Replace infinity and NaN by None, because JSON has neither.

    The PSNR of a perfect model is therefore null, as is a PSNR that was not measured.
    """
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_not_input(out: Path, *inputs: Path | None) -> None:
    """Raise a UsageError if an output would overwrite an input, or a file in an input folder."""
    target = out.resolve()
    for source in inputs:
        if source is None:
            continue
        origin = source.resolve()
        if target == origin or (out.exists() and origin.is_dir() and origin in target.parents):
            raise UsageError(out, f"it belongs to the input {source}", "name another place")


def check_writable(out: Path) -> None:
    """Raise a UsageError if a file cannot be written, before hours of work are spent on it."""
    folder = out.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if out.is_dir():
        raise UsageError(out, "it is a folder", "give the name of a file")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(out, f"{folder} cannot be written to", "choose another place")


def run(
    job: Job[T],
    phases: set[str] | None = None,
    at: Callable[[str], object] = lambda phase: None,
) -> T:
    """Run a job to its end with reports of its progress, and return its result.

    Parameters
    ----------
    job : Generator
    phases : set of str, optional
        A set to which the name of each phase is added when the job enters it.
    at : callable
        Called with the phase of each report.
    """
    with _reporter() as report:

        def remember(progress: Progress) -> None:
            if phases is not None:
                phases.add(progress.phase)
            at(progress.phase)
            report(progress)

        return finish(job, remember)


@contextmanager
def _reporter() -> Iterator[Callable[[Progress], None]]:
    """Give a function that reports progress to standard error.

    It draws bars on a terminal and writes lines elsewhere, or JSON with ``--log-json``.
    """

    def write(line: str) -> None:
        typer.echo(line, err=True)

    console = terminal()
    if not is_first():
        yield lambda progress: None
    elif _LOG_JSON.get():
        yield json_lines(write)
    elif console is None:
        yield lines(write)
    else:
        with bars(console) as report:
            yield report
