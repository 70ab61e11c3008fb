"""Workers of a Dask cluster: what they write and encode is what one process does."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

import napari_btf
from napari_btf.btf import BTF
from napari_btf.cli import main
from napari_btf.codec import FitSettings, fit
from napari_btf.errors import CaptureError, ProcessLostError, UsageError
from napari_btf.formats.conversion import convert
from napari_btf.formats.texel_store.layout import Layout
from napari_btf.progress import finish
from napari_btf.running.cluster import active_client, connected

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix"),
    # Workers that are killed leave sockets and warnings of their own.
    pytest.mark.filterwarnings("default"),
]

LAYOUT = Layout((2, 4, 4, 3), (4, 8, 8, 3))


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as local,
    ):
        yield local


def stored(folder: Path) -> dict[str, bytes]:
    """All files but the group's own, which says when it was made."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / "zarr.json"
    }


def test_the_store_is_the_same_to_the_byte(
    cluster: LocalCluster, write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    btf = napari_btf.read(write_capture(views=2, lights=9))
    finish(convert(btf, tmp_path / "alone.zarr", layout=LAYOUT))
    with connected(cluster.scheduler_address) as client:
        steps: list[int] = []
        finish(
            convert(btf, tmp_path / "many.zarr", layout=LAYOUT, client=client),
            lambda at: steps.append(at.step) if at.phase == "convert" else None,
        )
    assert steps == [0, 4, 8, 12, 16, 18]
    assert stored(tmp_path / "many.zarr") == stored(tmp_path / "alone.zarr")
    assert np.array_equal(napari_btf.read(tmp_path / "many.zarr").frame(17), btf.frame(17))


class Deadly:
    """Frames that kill the worker that reads one of them, so many times."""

    def __init__(self, frames: Any, folder: Path, times: int) -> None:
        self.frames, self.folder, self.times = frames, folder, times
        self.shape, self.dtype = frames.shape, frames.dtype
        self.converter = os.getpid()

    def __getitem__(self, i: int, /) -> Any:
        if i == 5 and os.getpid() != self.converter:
            deaths = len(list(self.folder.iterdir()))
            if deaths < self.times:
                (self.folder / str(deaths)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return self.frames[i]


@pytest.fixture
def deadly(make_btf: Callable[..., BTF], tmp_path: Path) -> Callable[[int], tuple[BTF, Path]]:
    """A BTF that kills workers so many times, and the folder where deaths are counted."""

    def make(times: int) -> tuple[BTF, Path]:
        whole, deaths = make_btf(views=2, lights=9), tmp_path / "deaths"
        deaths.mkdir()
        frames = Deadly(whole.frames, deaths, times)
        return BTF(frames, whole.light, whole.view, source="made/here"), deaths

    return make


def test_a_killed_worker_is_made_up_for(
    cluster: LocalCluster, deadly: Callable[[int], tuple[BTF, Path]], tmp_path: Path
) -> None:
    btf, deaths = deadly(1)
    with Client(cluster) as client:
        finish(convert(btf, tmp_path / "store.zarr", layout=LAYOUT, client=client))
    assert len(list(deaths.iterdir())) == 1
    found = napari_btf.read(tmp_path / "store.zarr")
    assert all(np.array_equal(found.frame(i), btf.frame(i)) for i in range(18))


def test_workers_that_are_killed_again_and_again_end_it(
    cluster: LocalCluster, deadly: Callable[[int], tuple[BTF, Path]], tmp_path: Path
) -> None:
    btf, deaths = deadly(99)
    out = tmp_path / "out" / "store.zarr"
    with (
        Client(cluster) as client,
        pytest.raises(ProcessLostError, match="the same command goes on from there"),
    ):
        finish(convert(btf, out, layout=LAYOUT, client=client))
    assert 1 < len(list(deaths.iterdir())) < 99
    assert [path.name for path in out.parent.iterdir()] == [".store.zarr.partial"]
    # Nobody dies in the process that converts alone.
    finish(convert(btf, out, layout=LAYOUT))
    assert [path.name for path in out.parent.iterdir()] == ["store.zarr"]
    found = napari_btf.read(out)
    assert all(np.array_equal(found.frame(i), btf.frame(i)) for i in range(18))


def test_a_bad_image_is_named(
    cluster: LocalCluster, write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    capture = write_capture(views=2, lights=9)
    btf = napari_btf.read(capture)
    bad = sorted(capture.iterdir())[6]
    bad.write_bytes(bad.read_bytes()[:-60])
    with Client(cluster) as client, pytest.raises(CaptureError, match=bad.name):
        finish(convert(btf, tmp_path / "store.zarr", layout=LAYOUT, client=client))
    assert not (tmp_path / "store.zarr").exists()


def test_encoding_by_workers(cluster: LocalCluster, write_capture: Callable[..., Path]) -> None:
    btf = napari_btf.read(write_capture(views=2, lights=9))
    settings = FitSettings(latents=5)
    alone = finish(fit(btf, settings=settings))
    steps: list[int] = []
    with Client(cluster) as client:
        # A worker that another test has killed comes back.
        client.wait_for_workers(2, timeout=60)
        many = finish(
            fit(btf, settings=settings),
            lambda at: steps.append(at.step) if at.phase == "encode" else None,
        )
    # Two tasks for each worker.
    assert steps == [5, 10, 15, 18]
    for i in range(0, len(btf), 5):
        pair = btf.light[i], btf.view[i]
        assert np.abs(many.decode(*pair) - alone.decode(*pair)).max() < 1e-3


def test_the_command_line_converts_with_workers(
    cluster: LocalCluster, write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    capture = write_capture(views=2, lights=9)
    out = tmp_path / "store.zarr"
    (tmp_path / "file").touch()
    for target in (out, tmp_path / "file" / "store.zarr"):
        with pytest.raises(SystemExit) as end:
            main(["convert", str(capture), str(target), "--scheduler", cluster.scheduler_address])
        assert end.value.code == (0 if target == out else 2)
    assert np.array_equal(napari_btf.read(out).frame(17), napari_btf.read(capture).frame(17))


def test_no_scheduler_there() -> None:
    with (
        pytest.raises(UsageError, match="no scheduler answers at nowhere"),
        connected("nowhere at all"),
    ):
        pass
    # A training afterwards must not look for its workers there.
    assert active_client() is None
