"""How long the window freezes during a training, and how much the window slows the training down.

    xvfb-run -a -s "-screen 0 1600x1000x24 +extension GLX" \\
        python benchmarks/responsiveness.py CAPTURE

Trains on a capture (for example, the 256 x 256 wallpaper) with the dock *Train* and its preview in
a window of napari, and again without a window, and prints a table. ``--seconds`` is the duration of
the training with the codec parallax; neural-basis ends by itself.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import napari_btf
from napari_btf.codec import FitSettings, NetworkSettings
from napari_btf.codec.parallax.steps import SurfaceTask
from napari_btf.progress import finish
from napari_btf.training import train

if TYPE_CHECKING:
    from collections.abc import Callable

#: Milliseconds between the ticks of a timer in an idle window.
TICK = 5
LATENTS = 16


@dataclass
class Steps:
    """Counts the steps of all trainings of the codec parallax in this process."""

    count: int = 0

    def watch(self) -> None:
        gradients = SurfaceTask.gradients

        def counted(task: SurfaceTask) -> float:
            self.count += 1
            return gradients(task)

        SurfaceTask.gradients = counted  # type: ignore[method-assign]


def settings(codec: str, seconds: float) -> FitSettings:
    network = NetworkSettings(seconds=seconds if codec == "parallax" else None)
    return FitSettings(LATENTS, network, codec=codec)


def without_window(capture: str, codec: str, seconds: float, steps: Steps) -> tuple[int, float]:
    """Return steps and seconds of a training, after a short one that imports torch."""
    for length in (0.5, seconds):
        steps.count, start = 0, time.monotonic()
        finish(train(napari_btf.read(capture), settings=settings(codec, length)))
    return steps.count, time.monotonic() - start


def in_a_process(capture: str, codec: str, seconds: float) -> tuple[int, float]:
    """Run `without_window` in its own process, which has never had a window."""
    command = [sys.executable, __file__, capture, "--seconds", str(seconds), "--alone", codec]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, took = done.stdout.split()
    return int(count), float(took)


class Window:
    """A window of napari with the capture and the dock *Train*."""

    def __init__(self, capture: str) -> None:
        import napari

        self.viewer = napari.Viewer(show_welcome_screen=False)
        self.viewer.window.resize(1400, 900)
        self.viewer.open(capture, plugin="napari-btf")
        _, self.dock = self.viewer.window.add_plugin_dock_widget("napari-btf", "Train")
        self.run_until(self.dock.isVisible)
        self.rest(2.0)

    def run_until(self, condition: Callable[[], Any]) -> None:
        from qtpy.QtCore import QEventLoop, QTimer

        loop, timer = QEventLoop(), QTimer()
        timer.timeout.connect(lambda: loop.quit() if condition() else None)
        timer.start(20)
        loop.exec()

    def rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.run_until(lambda: time.monotonic() >= end)

    def gaps(self, condition: Callable[[], Any]) -> np.ndarray:
        """Return the milliseconds between ticks of a timer until a condition holds."""
        from qtpy.QtCore import Qt, QTimer

        ticks = [time.perf_counter()]
        timer = QTimer()
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
        timer.start(TICK)
        self.run_until(condition)
        timer.stop()
        return 1000 * np.diff(ticks)

    def train(
        self, codec: str, seconds: float, steps: Steps, slide: bool
    ) -> tuple[np.ndarray, int, float]:
        """Train in the dock, and return gaps, steps and seconds; with ``slide``, a slider moves."""
        from qtpy.QtCore import QTimer

        form = self.dock.form
        form.budget.setCurrentText("latents per texel")
        form.amount.setValue(LATENTS)
        form.seconds.setValue(seconds if codec == "parallax" else 0.0)
        form.codec.setCurrentText(codec)
        steps.count, start = 0, time.monotonic()
        slider = QTimer()
        axis = self.viewer.dims.ndim - 3
        slider.timeout.connect(
            lambda: self.viewer.dims.set_current_step(
                axis, (self.viewer.dims.current_step[axis] + 1) % int(self.viewer.dims.nsteps[axis])
            )
        )
        if slide:
            slider.start(200)
        self.dock.start()
        gaps = self.gaps(lambda: not self.dock.running)
        took = time.monotonic() - start
        slider.stop()
        return gaps, steps.count, took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("capture")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    options = parser.parse_args()
    steps = Steps()
    steps.watch()
    if options.alone:
        print(*without_window(options.capture, options.alone, options.seconds, steps))
        return
    codecs = ("parallax", "neural-basis")
    alone = {codec: in_a_process(options.capture, codec, options.seconds) for codec in codecs}
    window = Window(options.capture)
    # This training imports torch before anything is measured.
    window.train("parallax", 0.5, steps, slide=False)
    idle_end = time.monotonic() + 5
    rows = [("no training", window.gaps(lambda: time.monotonic() >= idle_end), "")]
    measured = {
        (codec, slide): window.train(codec, options.seconds, steps, slide)
        for codec, slide in (("parallax", False), ("parallax", True), ("neural-basis", False))
    }
    window.viewer.close()
    # The mean of a run before and a run after, because the load of the machine varies.
    for codec in codecs:
        again = in_a_process(options.capture, codec, options.seconds)
        alone[codec] = (round((alone[codec][0] + again[0]) / 2), (alone[codec][1] + again[1]) / 2)
    for (codec, slide), (gaps, count, took) in measured.items():
        before = alone[codec]
        if codec == "parallax":
            share = f"{count / before[0]:.2f} ({count} of {before[0]} steps)"
        else:
            share = f"{before[1] / took:.2f} ({took:.1f} s instead of {before[1]:.1f} s)"
        rows.append((f"{codec}{', sliding' if slide else ''}", gaps, share))
    print(f"Milliseconds between the ticks of a {TICK} ms timer in the thread of the window:\n")
    print("| training | median | 99 % | max | over 50 ms | speed relative to no window |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for name, gaps, share in rows:
        late = int(np.count_nonzero(gaps > 50))
        figures = f"{np.median(gaps):.1f} | {np.percentile(gaps, 99):.1f} | {gaps.max():.0f}"
        print(f"| {name} | {figures} | {late} of {len(gaps)} | {share} |")


if __name__ == "__main__":
    main()
