"""A screen in memory, for windows that nobody is to see and that share no focus with others."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable

import pytest

__all__ = ["start_screen"]

_SIZE = "1600x1000x24"


def start_screen() -> Callable[[], None]:
    """Start Xvfb, and have the windows of this process and of its programs open there.

    Returns
    -------
    callable
        Ends Xvfb, which also ends with this process, however that ends.
    """
    ready, told = os.pipe()
    # A session of its own, so that Ctrl-C in a terminal does not take the screen away.
    command = ["setpriv", "--pdeathsig", "TERM", "Xvfb", "-displayfd", str(told)]
    command += ["-screen", "0", _SIZE, "+extension", "GLX", "-noreset", "-nolisten", "tcp"]
    complaints = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115
    try:
        screen = subprocess.Popen(
            command, pass_fds=[told], stderr=complaints, start_new_session=True
        )
    except FileNotFoundError as error:
        raise pytest.UsageError("--virtual-screen needs setpriv (util-linux) and Xvfb") from error
    finally:
        os.close(told)
    with os.fdopen(ready) as answer:
        number = answer.readline().strip()
    if not number:
        screen.wait()
        complaints.seek(0)
        raise pytest.UsageError(f"--virtual-screen: Xvfb did not start: {complaints.read()}")
    os.environ |= {
        "DISPLAY": f":{number}",
        "QT_QPA_PLATFORM": "xcb",
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    os.environ.pop("WAYLAND_DISPLAY", None)

    def stop() -> None:
        screen.terminate()
        screen.wait()
        complaints.close()

    return stop
