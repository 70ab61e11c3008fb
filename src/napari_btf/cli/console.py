"""What the command line shares: what it says and prints, progress, and checks of paths."""

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

#: Whether standard error is for a program: JSON objects, one a line.
_LOG_JSON: ContextVar[bool] = ContextVar("log_json", default=False)


#: The first letter of a sentence, and what ends the one before.
_SENTENCE = re.compile(r"(^|\. )([A-Z])")


def log_json(wanted: bool = True) -> None:
    """Write progress, notes and complaints as JSON from now on, or for people."""
    _LOG_JSON.set(wanted)


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
    if _LOG_JSON.get():
        typer.echo(json.dumps({"error": message}), err=True)
    else:
        typer.echo(f"error: {message}", err=True)
    sys.exit(code)


def wrong_command(error: Any, arguments: Sequence[str]) -> str:
    """What typer says about arguments it does not take, as one sentence.

    Parameters
    ----------
    error : click.UsageError
        Of click, or of the one within typer.
    arguments : sequence of str
        All of the command; the first one is the verb.
    """
    text = " ".join(error.format_message().split()).rstrip(".?")
    text = text.replace("Value error, ", "")
    text = _SENTENCE.sub(lambda start: f"{start[1] and '; '}{start[2].lower()}", text)
    if error.ctx is not None:
        command = error.ctx.command_path
    else:
        # The parser itself does not know which verb it is parsing.
        verb = [word for word in arguments[:1] if not word.startswith("-")]
        command = " ".join(["napari-btf", *verb])
    return f"{text}; {command} --help shows what there is."


def say(message: str) -> None:
    """Write to standard error; of several processes, the first one does."""
    if not is_first():
        return
    if _LOG_JSON.get():
        message = json.dumps({"note": message.removeprefix("note: ")})
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


def run(
    job: Job[T],
    phases: set[str] | None = None,
    at: Callable[[str], object] = lambda phase: None,
) -> T:
    """Run a job with reports; ``phases`` gathers those it has come to, ``at`` is told each."""
    with _reporter() as report:

        def remember(progress: Progress) -> None:
            if phases is not None:
                phases.add(progress.phase)
            at(progress.phase)
            report(progress)

        return finish(job, remember)


@contextmanager
def _reporter() -> Iterator[Callable[[Progress], None]]:
    """Progress on standard error: bars on a terminal, lines elsewhere, JSON if asked for."""

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
