"""Drag the light of the dock *Relight* by simulated mouse events, and record the window.

    python examples/record_relight.py [--out FOLDER] [--model MODEL.safetensors]

Opens napari with the sample of the package, trains a model of it (some seconds), and writes three
files into a folder, by default `docs/images`: ``relight.png`` (after the drag),
``relight_lights.png`` (two lights, and the controls of an environment) and ``relight.gif`` (a
short recording of the drag). On Linux without a display, run
``xvfb-run -a -s "-screen 0 1400x900x24" python ...``.
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

#: Size of the window in pixels, and scale of the recording.
SIZE, SHRINK = (1180, 780), 0.5
FRAMES, FPS = 28, 10
#: Left edge of the recorded part (canvas and dock) in pixels.
LEFT = 330


class Hand:
    """A window with the dock *Relight*, and a simulated mouse."""

    def __init__(self, model: CompressedBTF) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        from napari_btf.plugin.viewer.workspace import workspace_of

        self.viewer = napari.Viewer(show_welcome_screen=False, title="napari-btf")
        self.viewer.window.resize(*SIZE)
        self.app: Any = QApplication.instance()
        self.viewer.open_sample("napari-btf", "weave")
        _, self.dock = self.viewer.window.add_plugin_dock_widget("napari-btf", "Relight")
        workspace_of(self.viewer).models.current = model
        self.dock.photograph.box.setChecked(True)
        self.rest(2.0)

    def rest(self, seconds: float) -> None:
        """Process events for some seconds, and until the frame is complete."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or self.dock.renderer.busy:
            self.app.processEvents()
            time.sleep(0.002)

    def drag(self, theta: float, phi: float) -> None:
        """Move the pressed mouse, and with it the handle, to a direction."""
        from qtpy.QtTest import QTest

        QTest.mouseMove(self.dock.light_box.disk, self._place(theta, phi))
        self.rest(0.05)

    def press(self, theta: float, phi: float) -> None:
        """Press the mouse at a direction; the handle moves there."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mousePress(
            self.dock.light_box.disk, Qt.MouseButton.LeftButton, pos=self._place(theta, phi)
        )

    def release(self, theta: float, phi: float) -> None:
        """Release the mouse at a direction."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseRelease(
            self.dock.light_box.disk, Qt.MouseButton.LeftButton, pos=self._place(theta, phi)
        )
        self.rest(0.5)

    def _place(self, theta: float, phi: float) -> Any:
        return self.dock.light_box.disk.place_at(theta, phi).toPoint()

    def picture(self) -> np.ndarray:
        """Return a screenshot of the window, (H, W, 3)."""
        return self.viewer.screenshot(canvas_only=False, flash=False)[..., :3]


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write a PNG file, and print its size."""
    Image.fromarray(pixels).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1024:.0f} kB")


def record(hand: Hand) -> list[np.ndarray]:
    """Drag the light around the disk, and return a scaled screenshot of each step."""
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
    """Write all three files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--model", help="use this model instead of training one")
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
