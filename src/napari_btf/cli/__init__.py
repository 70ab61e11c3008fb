"""The command line: one verb per step from a capture to an image.

Results go to standard output, progress and notes to standard error. Exit code 0 is success,
2 a wrong input or command (one sentence says which and what to do), 75 a training that was asked
to end and is to be resumed, 1 anything else.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from napari_btf.cli import captures, demo, exchange, latents, quality, relighting, training
from napari_btf.cli.console import fail, log_json, say, tell, wrong_command
from napari_btf.cli.options import long
from napari_btf.errors import BTFError, ProcessLostError
from napari_btf.running.interrupts import ToBeResumed
from napari_btf.running.ranks import rank_count

__all__ = ["app", "main"]

#: The code that typer gives for Ctrl-C.
_INTERRUPTED = 130
#: What is raised for arguments that no verb takes: a class of click's, or of the one within typer.
_WrongCommand: Any = typer.BadParameter.__base__

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


def _version(wanted: bool) -> None:
    if wanted:
        tell(version("napari-btf"))
        raise typer.Exit


@app.callback()
def _options(
    shown: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Say which this is."),
    ] = False,
) -> None:
    pass


def _add(verb: Callable[..., None], name: str | None = None) -> None:
    """Add a verb, whose help is its docstring with lines as long as the terminal is wide."""
    paragraphs = inspect.cleandoc(verb.__doc__ or "").split("\n\n")
    flowing = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    app.command(name, help=flowing)(verb)


# In the order in which people need them.
_add(captures.sample)
_add(captures.info)
_add(long(captures.convert))
_add(long(training.train))
_add(long(relighting.relight))
_add(long(quality.evaluate))
_add(long(relighting.normals))
_add(long(latents.embed))
_add(latents.plot)
_add(long(exchange.export))
_add(exchange.import_csv, "import")
_add(long(demo.demo))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    log_json(False)
    # A stream that was closed by the caller is None. The next file that is opened would take its
    # number, and with it what libraries write there.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    try:
        code = app(arguments, standalone_mode=False)
        # What typer makes of Ctrl-C, without a word.
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
    except _WrongCommand as error:
        _refuse(error, sys.argv[1:] if arguments is None else arguments)
    except ToBeResumed as end:
        # The others of several processes need not say any more that this one has ended.
        _is_to_speak()
        say(
            "stopped as asked to; the same command with --resume goes on from there"
            if end.noted
            else "stopped as asked to, before there was anything to note; start it again"
        )
        sys.exit(end.code)
    except BTFError as error:
        code = 1 if isinstance(error, ProcessLostError) else 2
        if not _is_to_speak():
            sys.exit(code)
        fail(str(error), code)
    except KeyboardInterrupt:
        fail("stopped, nothing was written", 1)
    except Exception as error:
        if os.environ.get("NAPARI_BTF_DEBUG"):
            raise
        if not _is_to_speak():
            sys.exit(1)
        fail(
            f"this should not have happened ({type(error).__name__}: {error}); "
            "set NAPARI_BTF_DEBUG=1 to see where",
            1,
        )
    sys.exit(code or 0)


def _refuse(error: Any, arguments: list[str]) -> NoReturn:
    """Say in one sentence what is wrong with a command that was not begun."""
    # Without any argument there was the help.
    if not arguments or not _is_to_speak():
        sys.exit(error.exit_code)
    # The option may stand behind what is wrong.
    if "--log-json" in arguments:
        log_json()
    fail(wrong_command(error, arguments), error.exit_code)


def _is_to_speak() -> bool:
    """Whether this process says why it ends: the first to of several that train together."""
    if rank_count() == 1:
        return True
    from napari_btf.codec.fitting.processes import is_first_to_fail

    return is_first_to_fail()
