"""The command line in this process: the same as in one of its own, without starting Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from napari_btf.cli import main


class Done(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


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
