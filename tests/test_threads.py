from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from napari_btf.threads import one_thread


def blas_threads() -> set[int]:
    assert np.ones((2, 2)).dot(np.ones(2)).sum() == 4
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_one_thread_and_then_as_many_as_before() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with one_thread():
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_those_that_overlap_leave_what_the_first_one_found() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        first, second = one_thread(), one_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert blas_threads() == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before
