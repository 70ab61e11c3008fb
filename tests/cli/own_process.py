"""The command line as people run it: in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

Done = subprocess.CompletedProcess[str]


def program(*arguments: object) -> Done:
    """Run a command as people run it, which takes seconds: Python imports all libraries anew."""
    command = [sys.executable, "-m", "napari_btf", *map(str, arguments)]
    # No display: nothing here may need one.
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=env
    )


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
