"""Fuzz a parser for some minutes: ``python -m tests.fuzz PARSER --minutes N``.

Damaged inputs are opened in a child process with bounded memory, so that a crash, a hang or an
exception that is not ours is counted and kept, and the next child goes on.
"""

from __future__ import annotations

import argparse
import os
import selectors
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER)]

#: Seconds after which an input counts as a hang.
HANG = 5.0
#: Bytes of address space of a child: what libraries take, and 1 GiB for the input.
LIMIT = 3 << 30
#: Resident MiB from which an input counts as one that takes too much memory.
MOST_MIB = 1024


def main() -> int:
    """Run the command line; return the number of kinds of findings."""
    from parsers import PARSERS

    command = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    command.add_argument("parser", choices=sorted(PARSERS))
    command.add_argument("--minutes", type=float, default=1.0)
    command.add_argument("--start", type=int, default=0, help="number of the first input")
    command.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    command.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = command.parse_args()
    if asked.child:
        _work(asked.parser, asked.start)
        return 0
    return _watch(asked.parser, asked.minutes, asked.start, asked.keep)


def _watch(name: str, minutes: float, start: int, keep: Path) -> int:
    counts: Counter[str] = Counter()
    slowest, peak, number, until = 0.0, 0, start, time.monotonic() + 60 * minutes
    kept: set[str] = set()
    while time.monotonic() < until:
        child = _Child(name, number)
        for number, outcome, seconds, mib in child.outcomes(until):
            counts[outcome] += 1
            slowest, peak = max(slowest, seconds), max(peak, mib)
            if outcome not in ("opened", "refused") and outcome not in kept:
                kept.add(outcome)
                _keep(name, number, keep / name / str(number))
                print(f"input {number}: {outcome}; kept in {keep / name / str(number)}", flush=True)
        number += 1
    for outcome, count in counts.most_common():
        print(f"{count:10,}  {outcome}")
    print(f"{counts.total():10,}  inputs; the slowest took {slowest:.2f} s, the peak is {peak} MiB")
    return len(kept)


def _keep(name: str, number: int, folder: Path) -> None:
    from parsers import PARSERS, write

    write(PARSERS[name].example(number), folder)


class _Child:
    """A process that opens inputs from a number on."""

    def __init__(self, name: str, start: int) -> None:
        self.last = start
        command = [sys.executable, str(FOLDER / "__main__.py"), name, "--child", "--start"]
        self.process = subprocess.Popen(
            [*command, str(start)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def outcomes(self, until: float):  # type: ignore[no-untyped-def]
        """Iterate over (number, outcome, seconds, MiB) until the child ends or time is over."""
        assert self.process.stdout is not None
        out, waiting = self.process.stdout, selectors.DefaultSelector()
        waiting.register(out, selectors.EVENT_READ)
        rest, begun, allowed = b"", time.monotonic(), 120.0
        try:
            while time.monotonic() < until:
                if not waiting.select(timeout=max(0.0, begun + allowed - time.monotonic())):
                    yield self.last, "hang", time.monotonic() - begun, 0
                    return
                piece = os.read(out.fileno(), 1 << 16)
                if not piece:
                    yield self.last, f"crash ({self.process.wait()})", 0.0, 0
                    return
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    number, seconds, mib, outcome = line.decode().split("\t")
                    # The child names each input before it opens it.
                    self.last, begun, allowed = int(number), time.monotonic(), HANG
                    if outcome:
                        yield self.last, outcome, float(seconds), int(mib)
        finally:
            self.process.kill()
            self.process.wait()
            out.close()


def _work(name: str, start: int) -> None:
    """Open one input after the other, and say of each what came of it."""
    import resource

    from parsers import PARSERS, write

    from napari_btf.errors import BTFError

    parser = PARSERS[name]
    parser.seeds()
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    number = start
    while True:
        with tempfile.TemporaryDirectory(prefix="napari-btf-fuzz-") as folder:
            write(parser.example(number), Path(folder))
            print(number, 0, 0, "", sep="\t", flush=True)
            begun = time.monotonic()
            try:
                parser.open(Path(folder))
                outcome = "opened"
            except BTFError as error:
                said = str(error).replace(str(folder), "")
                outcome = "refused" if len(said) <= 300 and "\n" not in said else "long sentence"
            # Any other exception is what is looked for.
            except Exception as error:
                outcome = f"{type(error).__name__}{_place_of(error)}"
            seconds = time.monotonic() - begun
        mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        if mib > MOST_MIB:
            outcome = "memory"
        elif seconds > HANG:
            outcome = "hang"
        print(number, f"{seconds:.3f}", mib, outcome, sep="\t", flush=True)
        if mib > MOST_MIB:
            return
        number += 1


def _place_of(error: BaseException) -> str:
    """Return the last line of this package that an exception came through."""
    place, trace = "", error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if "napari_btf" in path.parts or path.parent == FOLDER:
            place = f" at {path.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


if __name__ == "__main__":
    sys.exit(main())
