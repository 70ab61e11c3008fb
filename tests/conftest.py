"""Captures to test with: small ones written on the spot, real ones where they are at hand."""

from __future__ import annotations

import gc
import os
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

import small_models as models
from command_line import Run, runner
from napari_btf.btf import BTF
from napari_btf.directions import angles_to_vectors
from virtual_screen import start_screen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from small_models import SmallModel, TrainOnce

ROOT = Path(__file__).parent.parent

# A shell that starts the tests in the background has them ignore Ctrl-C, and their programs, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is no failure; in CI the examples are the same in every run.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


#: Tests that open windows, train or start programs. They begin, so that none is left at the end.
_SLOW = ("plugin", "cli", "codec", "running")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--virtual-screen",
        action="store_true",
        help="open windows on screens of Xvfb, each process of the tests on its own",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Give a process that runs tests its screen, before Qt starts."""
    # Until all modules are imported, nothing of what the garbage collector looks at is garbage.
    gc.disable()
    distributes = bool(getattr(config.option, "numprocesses", None))
    if config.option.virtual_screen and (hasattr(config, "workerinput") or not distributes):
        config.add_cleanup(start_screen())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that take longest."""
    tests = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(tests).parts[0] not in _SLOW)


def pytest_collection_finish() -> None:
    _set_aside()
    gc.enable()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Once the fixtures of a file are gone."""
    if nextitem is not None and nextitem.path != item.path:
        _set_aside()


def _set_aside() -> None:
    """Have the garbage collector look no more at what is there, such as all imported modules.

    napari's fixture for viewers collects garbage after every test, and half a million objects of
    Qt, napari and torch would take a quarter of the time of the tests in the window.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: ``run(*arguments)``."""
    return runner(capsys)


@pytest.fixture
def several_threads() -> Iterator[None]:
    """Let libraries use several threads, whose sums are added up in any order."""
    with threadpool_limits(2):
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real captures; NAPARI_BTF_DATA names it, "none" goes without on purpose."""
    named = os.environ.get("NAPARI_BTF_DATA")
    if named == "none":
        pytest.skip("NAPARI_BTF_DATA=none: tests on real captures are left out")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "ubo2003-wallpaper").is_dir():
        message = f"no real captures in {folder}: set NAPARI_BTF_DATA to their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def wallpaper(data_dir: Path) -> Path:
    """A real capture: 81 lights, one view, 256 x 256."""
    return data_dir / "ubo2003-wallpaper" / "tv000_pv000"


def shaded(
    light: NDArray[np.float64],
    view: NDArray[np.float64],
    height: int = 12,
    width: int = 16,
    channels: int = 3,
    dtype: type = np.uint8,
    seed: int = 0,
) -> NDArray[np.unsignedinteger]:
    """Observations (N, H, W, C) of a bumpy matte surface with a little gloss."""
    rng = np.random.default_rng(seed)
    normal = np.concatenate(
        [rng.normal(0, 0.25, (height, width, 2)), np.ones((height, width, 1))], axis=-1
    )
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    colour = rng.uniform(0.2, 0.8, (height, width, channels))
    cosine = np.clip(np.einsum("hwk,nk->nhw", normal, light), 0, 1)
    half = light + view
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    gloss = np.clip(np.einsum("hwk,nk->nhw", normal, half), 0, 1) ** 8
    values = cosine[..., None] * colour + 0.2 * gloss[..., None]
    return (np.clip(values, 0, 1) * np.iinfo(dtype).max).round().astype(dtype)


def directions_grid(
    views: int = 3, lights: int = 10
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(theta, phi) of lights and of views, one row an observation, views outermost."""
    light = [(0.0, 0.0)] + [(15.0 + 12 * (i % 5), 137.0 * i % 360) for i in range(1, lights)]
    view = [(0.0, 0.0)] + [(20.0, 360.0 / max(1, views - 1) * i) for i in range(views - 1)]
    pairs = [(a, b) for b in view for a in light]
    return np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])


@pytest.fixture(scope="session")
def make_btf() -> Callable[..., BTF]:
    """Make a BTF in memory: ``make_btf(views=3, lights=10, **size)``."""

    def make(views: int = 3, lights: int = 10, **size: object) -> BTF:
        light, view = directions_grid(views, lights)
        vectors = angles_to_vectors(*light.T), angles_to_vectors(*view.T)
        frames = shaded(*vectors, **size)  # type: ignore[arg-type]
        return BTF(frames, *vectors, source="made/here", format="memory")

    return make


@pytest.fixture(scope="session")
def train_once(tmp_path_factory: pytest.TempPathFactory) -> TrainOnce:
    """Train a model that tests of all processes share: ``train_once(name, train)``."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    return partial(models.train_once, folder)


@pytest.fixture(scope="session")
def small_model(train_once: TrainOnce, make_btf: Callable[..., BTF]) -> SmallModel:
    """Give a model of 12 x 16 texels, 20 lights and 3 views (1 of abrdf-conv): ``(codec)``."""
    return lambda codec: train_once(f"small {codec}", partial(models.train_small, make_btf, codec))


@pytest.fixture
def write_capture(tmp_path: Path) -> Callable[..., Path]:
    """Write a capture as images: ``write_capture(views=2, lights=6, extension=".png")``."""

    def write(
        views: int = 2,
        lights: int = 6,
        extension: str = ".png",
        name: str = "capture",
        **size: object,
    ) -> Path:
        light, view = directions_grid(views, lights)
        frames = shaded(angles_to_vectors(*light.T), angles_to_vectors(*view.T), **size)  # type: ignore[arg-type]
        folder = tmp_path / name
        folder.mkdir()
        for i, (pixels, (tl, pl), (tv, pv)) in enumerate(zip(frames, light, view, strict=True)):
            path = folder / f"{i:05d} tl{tl:03g} pl{pl:03g} tv{tv:03g} pv{pv:03g}{extension}"
            Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)
        return folder

    return write
