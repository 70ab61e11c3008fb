"""Shared parts of the benchmarks of docks: a model of a given size, a window, a table of times."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings
from napari_btf.codec.latents.transformed import code_latents
from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.progress import finish
from napari_btf.samples import open_sample
from napari_btf.training import train


def sample_model() -> CompressedBTF:
    """Train a model of the sample that ships with the package."""
    settings = FitSettings(16, NetworkSettings(epochs=50))
    model, _ = finish(train(open_sample(), settings=settings))
    return model


def tiled(model: CompressedBTF, size: int) -> CompressedBTF:
    """Repeat the latents of a model until the surface has size x size texels."""
    if not isinstance(model, NeuralBasisBTF):
        print(f"a model that is not linear in its latents is not tiled: {model.width} texels wide")
        return model
    repeats = -(-size // model.height), -(-size // model.width), 1
    latents = np.tile(model.latent_map, repeats)[:size, :size]
    large = replace(model, coded=code_latents(np.ascontiguousarray(latents), model.coded.step))
    # This decompresses the latents now instead of during the first measured frame.
    assert large.latent_map.shape == latents.shape
    return large


class DockWindow:
    """A window of napari, to which docks can be added."""

    def __init__(self, width: int) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        self.viewer = napari.Viewer(show_welcome_screen=False)
        self.viewer.window.resize(width, 800)
        self.app: Any = QApplication.instance()

    def add_dock(self, name: str) -> Any:
        """Add a dock of napari-btf and return its widget."""
        return self.viewer.window.add_plugin_dock_widget("napari-btf", name)[1]

    def until(self, condition: Callable[[], bool], limit: float = 60.0) -> None:
        """Process events until a condition holds; raise a TimeoutError after ``limit`` seconds."""
        end = time.perf_counter() + limit
        while not condition():
            self.app.processEvents()
            # Release the global interpreter lock, as a waiting event loop does.
            time.sleep(0.0002)
            if time.perf_counter() > end:
                raise TimeoutError("the window does not respond")

    def rest(self, seconds: float) -> None:
        """Process events for some seconds."""
        end = time.perf_counter() + seconds
        self.until(lambda: time.perf_counter() > end, seconds + 1)


def header() -> None:
    """Print the header of the table whose rows `line` prints."""
    print(f"{'milliseconds':<36}{'median':>10}{'95 %':>10}")


def line(name: str, times: list[float]) -> None:
    """Print the median and the 95th percentile of times in milliseconds."""
    print(f"{name:<36}{np.median(times):>10.1f}{np.percentile(times, 95):>10.1f}")
