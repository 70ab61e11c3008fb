"""Drag the light of the dock *Relight* with a real mouse, and record the window.

    python examples/record_relight.py [--out FOLDER] [--model MODEL.safetensors]

Opens napari with the sample that ships with the package, trains a model of it (some seconds), and
writes ``relight.png`` (the light dragged), ``relight_lights.png`` (two lights and an environment's
controls) and ``relight.gif`` (the drag as a short recording) into a folder, `docs/images` by
default. Under Linux without a screen: ``xvfb-run -a -s "-screen 0 1400x900x24" python ...``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_btf.codec import CompressedBTF, FitSettings
from napari_btf.codec.storage import load
from napari_btf.export.movies import write_movie
from napari_btf.progress import finish
from napari_btf.samples import open_sample
from napari_btf.training import train

#: Pixels of the window, and how much smaller the recording is.
SIZE, SHRINK = (1180, 780), 0.5
FRAMES, FPS = 28, 10
#: Where canvas and dock begin, pixels from the left.
LEFT = 330


class Hand:
    """A window with the dock, and a mouse in it."""

    def __init__(self, model: CompressedBTF) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        from napari_btf.plugin.viewer.workspace import workspace_of

        self.viewer = napari.Viewer(show_welcome_screen=False, title="napari-btf")
        self.viewer.window.resize(*SIZE)
        self.app: Any = QApplication.instance()
        self.viewer.open_sample("napari-btf", "weave")
        _, self.dock = self.viewer.window.add_plugin_dock_widget("napari-btf", "Relight")
        workspace_of(self.viewer).model = model
        self.dock.photograph.box.setChecked(True)
        self.rest(2.0)

    def rest(self, seconds: float) -> None:
        """Let the window work."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or self.dock.renderer.busy:
            self.app.processEvents()
            time.sleep(0.002)

    def drag(self, theta: float, phi: float) -> None:
        """Move the mouse, which holds the handle, to a direction."""
        from qtpy.QtTest import QTest

        QTest.mouseMove(self.dock.light_box.disk, self._place(theta, phi))
        self.rest(0.05)

    def press(self, theta: float, phi: float) -> None:
        """Take hold of the handle; it comes to the mouse."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mousePress(
            self.dock.light_box.disk, Qt.MouseButton.LeftButton, pos=self._place(theta, phi)
        )

    def release(self, theta: float, phi: float) -> None:
        """Let go of it."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseRelease(
            self.dock.light_box.disk, Qt.MouseButton.LeftButton, pos=self._place(theta, phi)
        )
        self.rest(0.5)

    def _place(self, theta: float, phi: float) -> Any:
        return self.dock.light_box.disk.place_at(theta, phi).toPoint()

    def picture(self) -> np.ndarray:
        """The window as it is, (H, W, 3)."""
        return self.viewer.screenshot(canvas_only=False, flash=False)[..., :3]


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write a picture and say how large it is."""
    Image.fromarray(pixels).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1024:.0f} kB")


def record(hand: Hand) -> list[np.ndarray]:
    """Drag the light around and in; a picture at each step, smaller."""
    pictures = []
    hand.press(55, 150)
    for i in range(FRAMES):
        share = i / FRAMES
        hand.drag(40 + 20 * np.cos(2 * np.pi * share), 150 + 360 * share)
        image = Image.fromarray(hand.picture()[:, LEFT:])
        size = (int(image.width * SHRINK), int(image.height * SHRINK))
        pictures.append(np.asarray(image.resize(size, Image.Resampling.LANCZOS)))
    hand.release(60, 150)
    return pictures


def main() -> None:
    """Make all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--model", help="in place of one that is trained now")
    arguments = parser.parse_args()
    if arguments.model:
        model = load(arguments.model)
    else:
        model, _ = finish(train(open_sample(), settings=FitSettings(32)))
    hand = Hand(model)
    pictures = record(hand)
    path = arguments.out / "relight.gif"
    finish(write_movie(path, pictures, len(pictures), FPS))
    print(f"{path}: {path.stat().st_size / 1024:.0f} kB")
    write_png(arguments.out / "relight.png", hand.picture())

    from qtpy.QtGui import QColor
    from superqt import QCollapsible

    dock = hand.dock
    dock.lights.add.click()
    dock.lights.set_colour(QColor(255, 170, 90))
    hand.press(55, 330)
    hand.release(55, 330)
    for section in dock.findChildren(QCollapsible):
        section.expand(animate=False)
    hand.rest(1.0)
    write_png(arguments.out / "relight_lights.png", hand.picture())
    hand.viewer.close()


if __name__ == "__main__":
    main()
