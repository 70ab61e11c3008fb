"""How progress is shown: bars on a terminal and in a notebook, lines or JSON in a file."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from napari_btf.progress import Progress

    Report = Callable[[Progress], None]

__all__ = ["bars", "json_lines", "lines", "phase_name", "shown", "terminal"]

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
    "place": "placing the other texels",
    "segment": "finding materials",
    "draw": "drawing",
    "movie": "writing frames",
    "normals": "estimating normals",
}

#: Seconds between two lines of a phase, and the share of the time so far that they grow to.
_APART, _SHARE = 10.0, 0.02
#: Seconds between two JSON lines of a phase.
_JSON_APART = 1.0


def phase_name(phase: str) -> str:
    """What a phase is called for people."""
    return _PHASES.get(phase, phase)


class _Begun(NamedTuple):
    """The phase that runs: its name, and when and where it was first heard of."""

    phase: str = ""
    seconds: float = 0.0
    step: int = 0


def lines(write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> Report:
    """Reports for a file: a line when a phase begins, and from time to time how far it is.

    Parameters
    ----------
    write : callable
        Called with each line.
    clock : callable
        Seconds since any moment.
    """
    start = clock()
    begun, written = _Begun(), start

    def report(progress: Progress) -> None:
        nonlocal begun, written
        now = clock()
        if progress.phase != begun.phase:
            begun, written = _Begun(progress.phase, now, progress.step), now
            write(f"{phase_name(progress.phase)} ...")
        elif now - written >= max(_APART, _SHARE * (now - start)):
            written = now
            write(_line(progress, begun, now))

    return report


def _line(progress: Progress, begun: _Begun, now: float) -> str:
    """How far a phase is: ``training: 35 %, 12 s left, error 1.2e-03``."""
    text = f"{phase_name(progress.phase)}: {100 * progress.step // progress.total} %"
    done, left = progress.step - begun.step, progress.total - progress.step
    if done > 0:
        text += f", {(now - begun.seconds) * left / done:.0f} s left"
    if progress.train_error is not None:
        text += f", error {progress.train_error:.2e}"
    if progress.validation_error is not None:
        text += f", validation error {progress.validation_error:.2e}"
    return text


def json_lines(
    write: Callable[[str], object], clock: Callable[[], float] = time.monotonic
) -> Report:
    """Reports for a program: one JSON object a line.

    ``phase step total seconds train_error validation_error``: seconds since the start; an error is
    null where there is none. The first and the last report of a phase, and one a second between.

    Parameters
    ----------
    write, clock : callable
        As for `lines`.
    """
    start = clock()
    phase, written = "", start

    def report(progress: Progress) -> None:
        nonlocal phase, written
        now = clock()
        ends = progress.step == progress.total
        if progress.phase == phase and not ends and now - written < _JSON_APART:
            return
        phase, written = progress.phase, now
        keys = ("phase", "step", "total", "train_error", "validation_error")
        values = {key: getattr(progress, key) for key in keys}
        write(json.dumps(values | {"seconds": round(now - start, 3)}))

    return report


def terminal() -> Console | None:
    """Where bars can be drawn: a terminal on standard error, or a notebook; else None."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter:
        # Without it, rich shows nothing there but a warning.
        return console if find_spec("ipywidgets") else None
    return console if sys.stderr is not None and sys.stderr.isatty() else None


@contextmanager
def shown() -> Iterator[Report | None]:
    """What scripts and notebooks show: bars; lines in a notebook that has none; else nothing."""
    from rich.console import Console

    console = terminal()
    if console is not None:
        with bars(console) as report:
            yield report
    else:
        yield lines(print) if Console().is_jupyter else None


@contextmanager
def bars(console: Console) -> Iterator[Report]:
    """A bar for each phase, with the time it has taken."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    with Bars(*columns, console=console) as drawn:
        tasks: dict[str, Any] = {}

        def report(progress: Progress) -> None:
            name = progress.phase
            if name not in tasks:
                tasks[name] = drawn.add_task(phase_name(name), detail="")
            detail = ""
            if progress.validation_error is not None:
                detail = f"validation error {progress.validation_error:.2e}"
            drawn.update(tasks[name], completed=progress.step, total=progress.total, detail=detail)

        yield report
