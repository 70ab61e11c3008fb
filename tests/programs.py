"""Programs that tests start, and wait for."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil

from napari_btf.codec.fitting.checkpoint import checkpoint_path

__all__ = ["PATIENCE", "descendants", "kill", "until_noted"]

#: Seconds that anything may take here.
PATIENCE = 300


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """What a program has started, if it still runs."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill(process: subprocess.Popen[str]) -> None:
    """End a program and what it started."""
    if process.poll() is None:
        for other in descendants(process):
            other.kill()
        process.kill()
    process.communicate()


def until_noted(process: subprocess.Popen[str], model: Path) -> None:
    """Wait until a training has noted how far it is."""
    deadline = time.monotonic() + PATIENCE
    while not checkpoint_path(model).exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
