"""Latency of the dock *Relight*: time from a mouse move on the disk to new pixels in the window.

    python benchmarks/interaction.py [--model MODEL.safetensors] [--size 512] [--quick]

The mouse moves the handle of the light by events of Qt. The time is measured until the canvas has
been drawn with the image of the new direction. For comparison, the same run measures a repaint of
the unchanged canvas, which is a lower bound for any program in this window. Then the light is
dragged for a minute (10 s with --quick), and the memory of the process is measured before and
after. The default model is trained on the sample of the package. Its latents are tiled to the
size.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from dock_window import DockWindow, header, line, sample_model, tiled

from napari_btf.codec import CompressedBTF
from napari_btf.codec.storage import load


def resident_mib() -> float:
    """Return the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Window(DockWindow):
    """A window with the dock *Relight*, and a simulated mouse."""

    def __init__(self, model: CompressedBTF) -> None:
        from napari_btf.plugin.viewer.workspace import workspace_of

        super().__init__(1200)
        self.dock = self.add_dock("Relight")
        workspace_of(self.viewer).models.current = model
        self.until(lambda: self.dock.image_layer() is not None)
        self.shown: tuple[float, float] | None = None
        self.drawn = 0
        self.dock.renderer.made.connect(self._on_made)
        self.canvas = self.viewer.window._qt_viewer.canvas._scene_canvas
        # As the last callback, because the canvas is complete only after all others have drawn.
        self.canvas.events.draw.connect(self._on_draw, position="last")
        self.on_canvas: tuple[float, float] | None = None
        self.rest(1.0)

    def _on_made(self, frame: Any) -> None:
        self.shown = frame.shot.light

    def _on_draw(self, event: Any) -> None:
        # Wait until OpenGL has executed all commands, on a GPU as well as in software.
        from vispy import gloo

        gloo.finish()
        self.on_canvas = self.shown
        self.drawn += 1

    def move(self, i: int) -> tuple[float, float]:
        """Move the mouse to the i-th place of a circle, and return the direction of the light."""
        from qtpy.QtTest import QTest

        disk = self.dock.light_box.disk
        place = disk.place_at(45.0 + 15.0 * np.sin(0.1 * i), 7.0 * i).toPoint()
        QTest.mouseMove(disk, place)
        return tuple(self.dock.light)

    def press(self, is_down: bool) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        disk = self.dock.light_box.disk
        act = QTest.mousePress if is_down else QTest.mouseRelease
        act(disk, Qt.MouseButton.LeftButton, pos=disk.handle.toPoint())

    def answer(self, i: int) -> float:
        """Move the mouse; return the milliseconds until the canvas shows the new light."""
        start = time.perf_counter()
        light = self.move(i)
        self.until(lambda: self.on_canvas == light)
        return (time.perf_counter() - start) * 1e3

    def repaint(self) -> float:
        """Repaint the unchanged canvas, and return the milliseconds."""
        start, drawn = time.perf_counter(), self.drawn
        self.canvas.update()
        self.until(lambda: self.drawn > drawn)
        return (time.perf_counter() - start) * 1e3

    def drag(self, seconds: float) -> float:
        """Move at the rate of a mouse (125 Hz), and return the frames per second on the canvas."""
        seen, before, start, i = 0, self.on_canvas, time.perf_counter(), 0
        while (now := time.perf_counter()) < start + seconds:
            if now - start >= i / 125.0:
                self.move(i)
                i += 1
            self.app.processEvents()
            time.sleep(0.0002)
            if self.on_canvas != before:
                seen, before = seen + 1, self.on_canvas
        return seen / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    model = load(arguments.model) if arguments.model else sample_model()
    model = tiled(model, arguments.size)
    window = Window(model)
    count = 100 if arguments.quick else 400
    window.press(True)
    for i in range(20):
        window.answer(i)
    answers, repaints = [], []
    for i in range(count):
        # Alternating, so that other work of the machine slows both down equally.
        answers.append(window.answer(20 + i))
        repaints.append(window.repaint())
    print(f"{model.width} x {model.height} texels, {model.latent_count} latents")
    header()
    line("mouse move to changed pixels", answers)
    line("repaint of the unchanged canvas", repaints)
    seconds = 10.0 if arguments.quick else 60.0
    before = resident_mib()
    rate = window.drag(seconds)
    window.rest(0.5)
    after = resident_mib()
    window.press(False)
    print(f"{'images per second while dragging':<36}{rate:>10.1f}")
    print(f"{f'MiB before, after {seconds:g} s of dragging':<36}{before:>10.0f}{after:>10.0f}")
    window.viewer.close()


if __name__ == "__main__":
    main()
