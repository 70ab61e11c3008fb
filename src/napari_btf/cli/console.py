"""Input and output of all commands: results, notes, errors, progress, and checks of paths."""

from __future__ import annotations

import io
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

from napari_btf.errors import UsageError
from napari_btf.files import check_place
from napari_btf.progress import Job, Progress, finish
from napari_btf.running.ranks import is_first
from napari_btf.running.reporting import bars, json_lines, lines, terminal
from napari_btf.wording import printable

__all__ = [
    "begin",
    "check_not_input",
    "check_writable",
    "end",
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
#: Why a result could not be printed, or None.
_UNPRINTED: ContextVar[Exception | None] = ContextVar("unprinted", default=None)


#: The capital letter that begins a sentence, with the full stop of the sentence before.
_SENTENCE = re.compile(r"(^|\. )([A-Z])")


class _Nowhere(io.StringIO):
    """A stream in the place of one that can no longer be written."""

    def write(self, text: str) -> int:
        """Forget a text."""
        return len(text)


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
    message = printable(message)
    _report(json.dumps({"error": message}) if _LOG_JSON.get() else f"error: {message}")
    sys.exit(code)


def begin() -> None:
    """Prepare standard output and standard error for one command.

    Characters that the encoding of a stream lacks are escaped. A stream that the caller closed is
    None; it is replaced, because otherwise the next opened file would take its file descriptor and
    receive what libraries write there.
    """
    log_json(False)
    _UNPRINTED.set(None)
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def end() -> None:
    """Flush both streams, so that Python finds nothing left to write when it exits.

    Raises
    ------
    UsageError
        If a result could not be printed.
    SystemExit
        With the code 1, if the reader of the results went away.
    """
    _report("")
    if sys.stdout is not None:
        _print("")
    lost = _UNPRINTED.get()
    if lost is None:
        return
    _UNPRINTED.set(None)
    if isinstance(lost, BrokenPipeError):
        # The reader, such as head, has what it wanted: programs end silently then.
        sys.exit(1)
    reason = getattr(lost, "strerror", None) or lost
    raise UsageError(
        None, f"the result cannot be printed ({reason})", "redirect it to another place"
    )


def _report(line: str) -> None:
    """Write a line to standard error, or nothing to flush it; if that fails, work goes on."""
    try:
        sys.stderr.write(f"{line}\n" if line else "")
        sys.stderr.flush()
    except (OSError, ValueError):
        # What is still in the buffer would make Python exit with the code 120.
        sys.stderr = _Nowhere()


def _print(text: str) -> None:
    """Write to standard output; if that fails, remember it for `end`, because work goes on."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        _UNPRINTED.set(error)
        sys.stdout = _Nowhere()


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
    message = printable(message)
    if _LOG_JSON.get():
        message = json.dumps({"note": message.removeprefix("note: ")})
    _report(message)


def tell(text: str) -> None:
    """Write a result of one or several lines to standard output.

    If it cannot be written, such as to a file on a full disk, the command goes on, and `end` raises
    the error.
    """
    _print(f"{printable(text, lines=True)}\n")


def tell_json(values: dict[str, Any]) -> None:
    """Write one JSON object to standard output."""
    _print(f"{json.dumps(_plain(values))}\n")


def _plain(value: Any) -> Any:
    """Replace infinity and NaN by None, and bytes that are not UTF-8 by escapes.

    JSON has none of them.

    The PSNR of a perfect model is therefore null, as is a PSNR that was not measured.
    """
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
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
    if out.is_dir():
        raise UsageError(out, "it is a folder", "give the name of a file")
    check_place(out)


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
    console = terminal()
    if not is_first():
        yield lambda progress: None
    elif _LOG_JSON.get():
        yield json_lines(_report)
    elif console is None:
        yield lines(_report)
    else:
        with bars(console) as report:
            yield report
