"""Work that is given up between two reports of its job."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_btf.codec.decoding.layers import CHUNK, in_chunks
from napari_btf.codec.latents.transformed import Spectrum
from napari_btf.progress import GivenUp, set_wanted, stop_if_given_up, wait_while_wanted


def given_up(work: Callable[[], Any]) -> Any:
    """Do work whose result nobody wants."""

    def run() -> Any:
        set_wanted(lambda: False)
        return work()

    return contextvars.copy_context().run(run)


def test_what_nobody_gives_up_is_done() -> None:
    stop_if_given_up()
    assert wait_while_wanted(lambda: 3) == 3


def test_work_that_cannot_be_interrupted_is_left() -> None:
    begun, go_on, ended = (threading.Event() for _ in range(3))

    def work() -> None:
        begun.set()
        go_on.wait()
        ended.set()

    def run() -> None:
        set_wanted(lambda: not begun.is_set())
        wait_while_wanted(work)

    with pytest.raises(GivenUp):
        contextvars.copy_context().run(run)
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(10)


def test_errors_of_the_work_come_through() -> None:
    def work() -> None:
        raise TimeoutError("of its own")

    def run() -> None:
        set_wanted(lambda: True)
        wait_while_wanted(work)

    with pytest.raises(TimeoutError, match="of its own"):
        contextvars.copy_context().run(run)


def test_texels_are_no_longer_decoded_or_coded() -> None:
    seen: list[slice] = []
    with pytest.raises(GivenUp):
        given_up(lambda: in_chunks(8 * CHUNK, lambda part, _: seen.append(part)))
    assert not seen
    latents = np.random.default_rng(0).normal(size=(12, 16, 3)).astype(np.float32)
    with pytest.raises(GivenUp):
        given_up(lambda: Spectrum(latents))
    spectrum = Spectrum(latents)
    with pytest.raises(GivenUp):
        given_up(lambda: spectrum.code(0.1, 3))
