"""Latency of the dock *Latent space*: time from a lasso or mouse move to the highlighted texels.

    python benchmarks/latent_dock.py [--model MODEL.safetensors] [--size 256]

A lasso is drawn around a third of the points by mouse events of Qt. The first time is measured
until the masks of all images and the pixels of the map are ready, the second one includes the
repaint of the map. The mouse then moves over the image and over the map. For comparison, the same
run shows the same selection by the colours of a Points layer of napari. The default model is
trained on the sample of the package and tiled to the size.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from dock_window import DockWindow, header, line, sample_model, tiled

from napari_btf.codec import CompressedBTF
from napari_btf.codec.storage import load


class Window(DockWindow):
    """A window with the latents of a model and the dock *Latent space*."""

    def __init__(self, model: CompressedBTF) -> None:
        from napari_btf.plugin.viewer.model_layers import latent_layer_data

        super().__init__(1280)
        data, options, _ = latent_layer_data(model)[0]
        self.latents = self.viewer.add_image(data, **options)
        self.model = model
        self.dock = self.add_dock("Latent space")
        self.map = self.dock.map
        run = self.dock.embeddings.run
        self.until(lambda: len(self.map.points) > 0 and not run.running)
        self.rest(1.0)

    def mouse(self, kind: str, x: float, y: float, is_pressed: bool) -> None:
        """Send a mouse event to the map, which handles it before this method returns."""
        from qtpy.QtCore import QEvent, QPointF, Qt
        from qtpy.QtGui import QMouseEvent

        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        place = QPointF(x, y)
        event = QMouseEvent(
            getattr(QEvent.Type, kind),
            place,
            self.map.mapToGlobal(place),
            none if kind == "MouseMove" else left,
            left if is_pressed else none,
            Qt.KeyboardModifier.NoModifier,
        )
        self.app.sendEvent(self.map, event)

    def lasso(self, i: int) -> tuple[float, float, int]:
        """Draw a lasso.

        Return the milliseconds until masks and map are ready, the milliseconds until the map is
        painted, and the number of selected texels.
        """
        width, height = self.map.width(), self.map.height()
        centre = width * (0.4 + 0.02 * (i % 10)), height * 0.5
        angles = np.linspace(0, 2 * np.pi, 120)
        xs = centre[0] + 0.16 * width * np.cos(angles)
        ys = centre[1] + 0.16 * width * np.sin(angles)
        self.mouse("MouseButtonPress", xs[0], ys[0], True)
        for x, y in zip(xs, ys, strict=True):
            self.mouse("MouseMove", x, y, True)
        start = time.perf_counter()
        self.mouse("MouseButtonRelease", xs[-1], ys[-1], False)
        self.map.picture()
        ready = time.perf_counter()
        self.map.repaint()
        self.app.processEvents()
        painted = time.perf_counter()
        count = self.dock.links.selection.count
        (mask,) = (layer for layer in self.viewer.layers if layer.name == "selected texels")
        assert np.count_nonzero(mask.data) == count
        return (ready - start) * 1e3, (painted - start) * 1e3, count

    def over_image(self, i: int) -> float:
        """Move the mouse over a texel; return the milliseconds until its point is marked."""
        texel = (7 * i) % self.model.height, (13 * i) % self.model.width
        event = type("Event", (), {"position": self.latents.data_to_world(texel)})()
        start = time.perf_counter()
        for callback in list(self.viewer.mouse_move_callbacks):
            callback(self.viewer, event)
        took = (time.perf_counter() - start) * 1e3
        assert self.map.marked == texel[0] * self.model.width + texel[1]
        self.app.processEvents()
        return took

    def over_map(self, i: int) -> float:
        """Move the mouse over a point; return the milliseconds until its texel has a ring."""
        place = self.map.place_of((997 * i) % len(self.map.points))
        start = time.perf_counter()
        self.mouse("MouseMove", place.x(), place.y(), False)
        took = (time.perf_counter() - start) * 1e3
        assert self.dock.links.ring.layer.visible
        self.app.processEvents()
        return took

    def points_layer(self) -> list[float]:
        """Recolour a Points layer with the same points; return the milliseconds without repaint."""
        layer = self.viewer.add_points(np.asarray(self.map.points)[:, ::-1], size=1)
        times = []
        for i in range(6):
            mask = np.roll(self.map.selected, 100 * i)
            start = time.perf_counter()
            layer.face_color = np.where(mask[:, None], (1, 0.85, 0.1, 1), (0.5, 0.5, 0.5, 0.3))
            times.append((time.perf_counter() - start) * 1e3)
            self.app.processEvents()
        self.viewer.layers.remove(layer)
        return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--size", type=int, default=256)
    arguments = parser.parse_args()
    if arguments.model:
        model = load(arguments.model)
    else:
        model = tiled(sample_model(), arguments.size)
    window = Window(model)
    for i in range(3):
        window.lasso(i)
        window.over_image(i)
        window.over_map(i)
    lassos = [window.lasso(i) for i in range(20)]
    over_image = [window.over_image(i) for i in range(200)]
    over_map = [window.over_map(i) for i in range(200)]
    counts = [count for _, _, count in lassos]
    print(f"{len(window.map.points):,} points, {min(counts):,} to {max(counts):,} in the lasso")
    header()
    line("lasso to highlighted texels", [ready for ready, _, _ in lassos])
    line("the same with repaint of the map", [painted for _, painted, _ in lassos])
    line("mouse over image to marked point", over_image)
    line("mouse over map to ringed texel", over_map)
    line("recolouring of a Points layer", window.points_layer())
    window.viewer.close()


if __name__ == "__main__":
    main()
