"""Limits for the number of threads that NumPy, scikit-learn and other libraries use."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["one_library", "one_thread", "same_sums"]

_lock = Lock()
_inside = 0
_limit: Any = None

_library = RLock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let NumPy use one thread, for small matrix products that several threads would slow down.

    On a busy machine the threads wait for one another: on two cores with other work, projecting 81
    images of 256 x 256 texels on 8 components took 2 s with two threads, and 0.09 s with one. Use
    this context for one product only, never across a ``yield``, because the limit applies to all
    threads of the process.
    """
    global _inside
    # Several threads can be inside; the last one to leave restores what the first one found.
    with _lock:
        if not _inside:
            _begin()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _end()


def _begin() -> None:
    global _limit
    controller = _controller()
    # If all libraries use one thread already, somebody else has set that and will reset it.
    if any(library["num_threads"] > 1 for library in controller.info()):
        _let_any_thread_set()
        _limit = controller.limit(limits=1)


def _end() -> None:
    global _limit
    if _limit is not None:
        _let_any_thread_set()
        _limit.restore_original_limits()
        _limit = None
        _let_any_thread_set()


def _let_any_thread_set() -> None:
    """Allow any thread to set the number of threads of OpenBLAS.

    Since version 3.8, threadpoolctl silently ignores every thread but the one that set the number
    first. In `one_thread`, the last thread to leave may be another one.
    """
    from threadpoolctl import OpenBLASController

    if hasattr(OpenBLASController, "clear_controlling_thread"):
        OpenBLASController.clear_controlling_thread(force=True)


@contextmanager
def one_library() -> Iterator[None]:
    """Hold this around calls of scikit-learn that limit BLAS themselves: k-means, neighbours.

    Such a call ends by restoring the limit that it found at its begin. If it began while another
    thread was in `one_thread` and ended later, it would leave NumPy on one thread for ever; two
    such calls at the same time would do the same to SciPy. So these calls run one at a time, and
    inside `one_thread`.
    """
    with _library, one_thread():
        yield


@contextmanager
def same_sums() -> Iterator[None]:
    """`one_library` with one thread, so that results are repeatable.

    Several threads add numbers in a different order in each run, which changes the rounding.
    """
    from threadpoolctl import ThreadpoolController

    with one_library(), ThreadpoolController().select(user_api="openmp").limit(limits=1):
        yield


@cache
def _controller() -> Any:
    # Cached, because finding the libraries takes milliseconds and setting their limits
    # microseconds. BLAS alone, because restoring the limits of other libraries would undo what
    # their own threads have set in the meantime.
    import numpy as np  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
