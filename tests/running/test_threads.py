from __future__ import annotations

import ast
import importlib.util
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import napari_btf.running.threads
from napari_btf.progress import finish
from napari_btf.running.threads import one_thread as one_thread_of_all
from napari_btf.segmentation import segment


@pytest.fixture
def one_thread() -> Callable[[], AbstractContextManager[None]]:
    """That of a module of its own: threads of earlier tests may still be inside the other one."""
    spec = importlib.util.spec_from_file_location(
        "threads_anew", napari_btf.running.threads.__file__
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.one_thread


def blas_threads() -> set[int]:
    assert np.ones((2, 2)).dot(np.ones(2)).sum() == 4
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_one_thread_and_then_as_many_as_before(
    one_thread: Callable[[], AbstractContextManager[None]],
) -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with one_thread():
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_those_that_overlap_leave_what_the_first_one_found(
    one_thread: Callable[[], AbstractContextManager[None]],
) -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        first, second = one_thread(), one_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert blas_threads() == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before


def test_the_last_thread_out_restores_what_another_one_set(
    one_thread: Callable[[], AbstractContextManager[None]],
) -> None:
    first_in, may_go = threading.Event(), threading.Event()

    def decode() -> None:
        with one_thread():
            first_in.set()
            may_go.wait()

    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        decoding = threading.Thread(target=decode)
        decoding.start()
        first_in.wait()
        with one_thread():
            may_go.set()
            decoding.join()
            assert blas_threads() == {1}
        assert blas_threads() == before
        # Others may set it afterwards, too.
        with threadpool_limits(1, user_api="blas"):
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_a_library_that_sets_limits_meanwhile_leaves_them_as_they_were() -> None:
    """k-means restores what it found: one core, if it began while another thread was inside."""
    latents = np.random.default_rng(0).normal(size=(48, 48, 8)).astype(np.float32)
    over = threading.Event()

    def decode() -> None:
        while not over.is_set():
            with one_thread_of_all():
                time.sleep(0.002)
            time.sleep(0.001)

    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        decoding = threading.Thread(target=decode)
        decoding.start()
        for seed in range(5):
            assert finish(segment(latents, k=3, seed=seed)).count == 3
        over.set()
        decoding.join()
        assert blas_threads() == before


def test_no_limit_is_held_while_a_job_waits_to_go_on() -> None:
    """A job that is never taken up again would keep it for ever."""
    held, waiting = 0, []
    for path in Path(napari_btf.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [
                part.context_expr.func.id
                for part in getattr(node, "items", ())
                if isinstance(getattr(part.context_expr, "func", None), ast.Name)
            ]
            if isinstance(node, ast.With) and {*names} & {"one_thread", "one_library", "same_sums"}:
                held += path.name != "threads.py"
                yields = [x for x in ast.walk(node) if isinstance(x, ast.Yield | ast.YieldFrom)]
                if yields and path.name != "threads.py":
                    waiting.append(f"{path.name}:{yields[0].lineno}")
    assert held > 10
    assert not waiting
