"""The command line as people run it: in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

Done = subprocess.CompletedProcess[str]


def btf(*arguments: object) -> Done:
    """Run a command."""
    command = [sys.executable, "-m", "napari_btf", *map(str, arguments)]
    # No display: nothing here may need one.
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=env
    )


def ok(done: Done) -> str:
    """What a command printed that went well."""
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "\r" not in done.stderr
    return done.stdout


def refused(done: Done, *words: str) -> None:
    """Exit code 2 and one sentence with all the words, nothing on standard output."""
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stdout == ""
    complaint = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(complaint) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in complaint[0], (word, complaint[0])


def interrupted(*arguments: object, at: str, again: str = "") -> tuple[int, str, str]:
    """Code, output and complaints of a command that gets Ctrl-C at some line of its progress."""
    command = [sys.executable, "-m", "napari_btf", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith(at):
                process.send_signal(signal.SIGINT)
                if not again:
                    break
            if again and line.startswith(again):
                process.send_signal(signal.SIGINT)
                break
        stdout, stderr = process.communicate(timeout=300)
    assert "Traceback" not in stderr
    return process.returncode, stdout, "".join(said) + stderr
