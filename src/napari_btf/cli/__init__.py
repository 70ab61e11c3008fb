"""The command line: one command for each step from a capture to an image.

This folder parses arguments, prints results to standard output, and prints progress and notes to
standard error; each step itself is in the package it belongs to. The exit code is 0 for success, 2
for a wrong input or command (one sentence says what is wrong and what to do), 75 for a training
that a signal ended and that can be resumed, and 1 for anything else.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, NoReturn

import typer

from napari_btf.cli import captures, demo, exchange, latents, quality, relighting, training
from napari_btf.cli.console import begin, end, fail, log_json, say, tell, wrong_command
from napari_btf.cli.options import long
from napari_btf.errors import BTFError, ProcessLostError
from napari_btf.running.interrupts import ToBeResumed
from napari_btf.running.ranks import rank_count

__all__ = ["app", "main"]

#: The exit code that typer returns for Ctrl-C.
_INTERRUPTED = 130
#: The exception for wrong arguments. It is a class of click, or of the copy of click inside typer.
_WrongCommand: Any = typer.BadParameter.__base__

app = typer.Typer(
    name="napari-btf",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Bidirectional Texture Functions (BTFs): compress captured surfaces, explore their "
    "latents, and relight them.\n\n"
    "A capture is a set of images of one flat surface under many directions of light and view. A "
    "texel is a pixel of this surface; its ABRDF (apparent BRDF) is its colour as a function of "
    "light and view. train compresses a capture into a model: a few numbers per texel, the "
    "latents, and a decoder that turns them into colours for any light and view.\n\n"
    "Angles are in degrees: THETA is measured from the surface normal, PHI counter-clockwise from "
    "the right of the image.",
)


def _version(wanted: bool) -> None:
    if wanted:
        tell(version("napari-btf"))
        raise typer.Exit


@app.callback()
def _options(
    shown: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Print the version."),
    ] = False,
) -> None:
    pass


def _add(command: Callable[..., None], name: str | None = None) -> None:
    """Add a command. Its help is its docstring, whose paragraphs are wrapped by the terminal."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    flowing = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    app.command(name, help=flowing)(command)


# In the order in which a user needs them.
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
    begin()
    try:
        code = app(arguments, standalone_mode=False)
        # typer turns Ctrl-C into this code without a message.
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        end()
    except _WrongCommand as error:
        _refuse(error, sys.argv[1:] if arguments is None else arguments)
    except ToBeResumed as signalled:
        # Called for its effect: other processes then do not report that this one has ended.
        _reports_end()
        say(
            "stopped by a signal; the same command with --resume continues the training"
            if signalled.noted
            else "stopped by a signal before the first checkpoint; start the training again"
        )
        sys.exit(signalled.code)
    except BTFError as error:
        code = 1 if isinstance(error, ProcessLostError) else 2
        if not _reports_end():
            sys.exit(code)
        fail(str(error), code)
    except KeyboardInterrupt:
        fail("stopped, nothing was written", 1)
    except Exception as error:
        if os.environ.get("NAPARI_BTF_DEBUG"):
            raise
        if not _reports_end():
            sys.exit(1)
        fail(
            f"unexpected error ({type(error).__name__}: {error}); "
            "set NAPARI_BTF_DEBUG=1 to see the traceback",
            1,
        )
    sys.exit(code or 0)


def _refuse(error: Any, arguments: list[str]) -> NoReturn:
    """Print one sentence about wrong arguments, and exit."""
    # Without any argument, typer has printed the help.
    if not arguments or not _reports_end():
        sys.exit(error.exit_code)
    # The parser may have stopped at the error before it came to this option.
    if "--log-json" in arguments:
        log_json()
    fail(wrong_command(error, arguments), error.exit_code)


def _reports_end() -> bool:
    """Whether this process reports why it ends: of several processes, only the first to end."""
    if rank_count() == 1:
        return True
    from napari_btf.codec.fitting.processes import is_first_to_fail

    return is_first_to_fail()
