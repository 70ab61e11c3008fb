"""``python -m napari_btf`` is the same as ``napari-btf``."""

from __future__ import annotations

import signal
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Load the command line and run it."""
    # Ctrl-C while modules load ends the program as if it had not started: there is nothing to say
    # yet, and some libraries would turn the exception into another one.
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from napari_btf.cli import main as run

    signal.signal(signal.SIGINT, handler)
    run()


if __name__ == "__main__":
    main()
