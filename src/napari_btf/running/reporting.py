"""Reports of progress for people and programs: bars, lines of text, or lines of JSON."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_btf.running.phases import phase_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Progress as Bars

    from napari_btf.progress import Progress

    Report = Callable[[Progress], None]

__all__ = ["bars", "json_lines", "lines", "shown", "terminal"]

#: Least number of seconds between two lines of a phase. A long job writes fewer lines: two of them
#: are at least this share of the time since its start apart.
_APART, _SHARE = 10.0, 0.02
#: Least number of seconds between two JSON lines of a phase.
_JSON_APART = 1.0


class _Begun(NamedTuple):
    """The first report of the phase that runs now: its name, its time and its step."""

    phase: str = ""
    seconds: float = 0.0
    step: int = 0


def lines(write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> Report:
    """Report progress in lines of text: one when a phase begins, then one from time to time.

    Parameters
    ----------
    write : callable
        Called with each line.
    clock : callable
        Returns seconds since a fixed moment.

    Returns
    -------
    callable
        To be called with each `Progress`.
    """
    start = clock()
    begun, written = _Begun(), start

    def report(progress: Progress) -> None:
        nonlocal begun, written
        now = clock()
        if progress.phase != begun.phase:
            begun, written = _Begun(progress.phase, now, progress.step), now
            write(f"{phase_named(progress.phase).words} ...")
        elif now - written >= max(_APART, _SHARE * (now - start)):
            written = now
            write(_line(progress, begun, now))

    return report


def _line(progress: Progress, begun: _Begun, now: float) -> str:
    """A line about a phase that runs: ``training: 35 %, 12 s left, error 1.2e-03``."""
    text = f"{phase_named(progress.phase).words}: {100 * progress.step // progress.total} %"
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
    """Report progress for a program, as one JSON object per line.

    Each object has the keys ``phase``, ``step``, ``total``, ``seconds``, ``train_error`` and
    ``validation_error``. ``seconds`` counts from the start; an error is null if the phase has none.
    The first and the last report of each phase are written, and at most one per second in between.

    Parameters
    ----------
    write, clock : callable
        As for `lines`.

    Returns
    -------
    callable
        To be called with each `Progress`.
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
    """The terminal (on standard error) or notebook that can show bars; None without either."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter:
        # Without ipywidgets, rich shows nothing in a notebook but a warning.
        return console if find_spec("ipywidgets") else None
    return console if sys.stderr is not None and sys.stderr.isatty() else None


@contextmanager
def shown() -> Iterator[Report | None]:
    """Reports for scripts and notebooks.

    Yields
    ------
    callable or None
        Shows bars on a terminal and in a notebook, or lines in a notebook that cannot show bars.
        None where there is neither.
    """
    from rich.console import Console

    console = terminal()
    if console is not None:
        with bars(console) as report:
            yield report
    else:
        yield _unfailing(lines(print)) if Console().is_jupyter else None


@contextmanager
def bars(console: Console) -> Iterator[Report]:
    """Show a bar for each phase, with the time that the phase has taken.

    Yields
    ------
    callable
        To be called with each `Progress`.
    """
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    with _unbroken(Bars(*columns, console=console)) as drawn:
        tasks: dict[str, Any] = {}

        def report(progress: Progress) -> None:
            name = progress.phase
            if name not in tasks:
                tasks[name] = drawn.add_task(phase_named(name).words, detail="")
            detail = ""
            if progress.validation_error is not None:
                detail = f"validation error {progress.validation_error:.2e}"
            drawn.update(tasks[name], completed=progress.step, total=progress.total, detail=detail)

        yield _unfailing(report)


def _unfailing(report: Report) -> Report:
    """The same reports until one cannot be written; then none, because the work goes on."""
    works = True

    def try_to_report(progress: Progress) -> None:
        nonlocal works
        if works:
            try:
                report(progress)
            except (OSError, ValueError):
                works = False

    return try_to_report


@contextmanager
def _unbroken(drawn: Bars) -> Iterator[Bars]:
    """Enter bars and leave them, also on a terminal that is gone."""
    with suppress(OSError):
        drawn.start()
    try:
        yield drawn
    finally:
        with suppress(OSError):
            drawn.stop()
