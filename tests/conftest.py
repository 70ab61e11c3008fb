"""Captures to test with: small ones written on the spot, real ones where they are at hand."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest
from PIL import Image

from command_line import Run, runner
from napari_btf.btf import BTF
from napari_btf.directions import angles_to_vectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent

# A shell that starts the tests in the background has them ignore Ctrl-C, and their programs, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is no failure; in CI the examples are the same in every run.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, and all windows: they share a keyboard focus."""
    for item in items:
        group = "windows" if "plugin" in item.path.parts else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: ``run(*arguments)``."""
    return runner(capsys)


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


@pytest.fixture
def make_btf() -> Callable[..., BTF]:
    """Make a BTF in memory: ``make_btf(views=3, lights=10, **size)``."""

    def make(views: int = 3, lights: int = 10, **size: object) -> BTF:
        light, view = directions_grid(views, lights)
        vectors = angles_to_vectors(*light.T), angles_to_vectors(*view.T)
        frames = shaded(*vectors, **size)  # type: ignore[arg-type]
        return BTF(frames, *vectors, source="made/here", format="memory")

    return make


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
