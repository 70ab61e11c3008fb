"""How many cores the linear algebra of NumPy uses, and the libraries that set that, too."""

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
    """Let NumPy use one core for products so thin that sharing them out costs more.

    On a busy machine the cores wait for one another, and that takes many times longer: on two
    cores with other work, projecting 81 images of 256 x 256 texels on 8 components took 0.09 s
    instead of 2 s. To be held for one product, never across a ``yield``: the limit holds for all
    threads of the process.
    """
    global _inside
    # Several threads can be inside; the last one out restores what the first one found.
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
    # What is at one core already is left to whoever set that.
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
    """Give up who may set the number of cores: the next one that does.

    From its version 3.8 on threadpoolctl lets the first thread that sets OpenBLAS's alone set it
    again, and ignores all others without a word. But the last one out may be another one.
    """
    from threadpoolctl import OpenBLASController

    if hasattr(OpenBLASController, "clear_controlling_thread"):
        OpenBLASController.clear_controlling_thread(force=True)


@contextmanager
def one_library() -> Iterator[None]:
    """To be held around a call of scikit-learn that limits BLAS itself: k-means, neighbours.

    Such a call restores what it found. Begun while another thread is in `one_thread`, and ended
    later, it would leave NumPy on one core for ever; and two such calls at the same time would
    leave SciPy there. So they run one at a time, and inside of `one_thread`.
    """
    with _library, one_thread():
        yield


@contextmanager
def same_sums() -> Iterator[None]:
    """`one_library` on one core: several threads add up in any order, and no result is repeated."""
    from threadpoolctl import ThreadpoolController

    with one_library(), ThreadpoolController().select(user_api="openmp").limit(limits=1):
        yield


@cache
def _controller() -> Any:
    # Finding the libraries takes milliseconds, setting their limits microseconds. Restoring the
    # limits of others than BLAS, too, would undo what their own threads set in the meantime.
    import numpy as np  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
