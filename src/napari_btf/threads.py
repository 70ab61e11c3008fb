"""How many cores the linear algebra of NumPy uses."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["one_thread"]

_lock = Lock()
_inside = 0
_limit: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Let NumPy use one core for products so thin that sharing them out costs more.

    On a busy machine the cores wait for one another, and that takes many times longer: on two
    cores with other work, projecting 81 images of 256 x 256 texels on 8 components took 0.09 s
    instead of 2 s. To be held for one product, never across a ``yield``: the limit holds for all
    threads of the process.
    """
    global _inside, _limit
    # Several threads can be inside; the last one out restores what the first one found.
    with _lock:
        if not _inside:
            _limit = _controller().limit(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limit.restore_original_limits()


@cache
def _controller() -> Any:
    # Finding the libraries takes milliseconds, setting their limits microseconds.
    import numpy as np  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
