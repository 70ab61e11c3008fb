from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import napari_btf.threads


@pytest.fixture
def one_thread() -> Callable[[], AbstractContextManager[None]]:
    """That of a module of its own: threads of earlier tests may still be inside the other one."""
    spec = importlib.util.spec_from_file_location("threads_anew", napari_btf.threads.__file__)
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
