"""The command line in this process: the same as in one of its own, without starting Python."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest

from napari_btf.cli import main


class Done(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]
Completed = subprocess.CompletedProcess[str]


def btf(*arguments: object) -> Completed:
    """Run a command, and give what a process of its own would give."""
    words, out, err = [str(argument) for argument in arguments], io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        main(words)
    code = end.value.code
    return Completed(words, code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def ok(done: Completed) -> str:
    """What a command printed that succeeded."""
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "\r" not in done.stderr
    return done.stdout


def refused(done: Completed, *words: str) -> None:
    """Check for exit code 2, one sentence with all the words, and nothing on standard output."""
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stdout == ""
    complaint = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(complaint) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in complaint[0], (word, complaint[0])


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """``run(*arguments)`` gives code, output and reports of a command."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        code = end.value.code
        out, err = capsys.readouterr()
        assert "\r" not in err
        return Done(code if isinstance(code, int) else 0, out, err)

    return run
