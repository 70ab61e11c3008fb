"""What *Train* promises of a large training, next to what it takes, and how soon it can be ended.

    python benchmarks/promises.py [--height 4000] [--width 6000] [--lights 12]

The capture is made: a bumpy surface under some lights, in JPEG files. The first part prints the
memory and the time of the outlook beside those that were measured. The second part gives up a
training some time after the beginning of some phases, and prints the seconds until its thread
ends. With the default size all takes about eight minutes on two cores.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

import napari_btf
from napari_btf.btf import BTF
from napari_btf.codec import FitSettings
from napari_btf.plugin.train.in_thread import Orders, Plan, outlook_of, work
from napari_btf.progress import GivenUp, set_wanted

#: Phases in which a training is given up, and after how much of their expected seconds.
GIVEN_UP, SHARE = ("read", "encode", "quantise"), 0.2


def main() -> None:
    """Measure one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--height", type=int, default=4000)
    parser.add_argument("--width", type=int, default=6000)
    parser.add_argument("--lights", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_capture(Path(folder), options.height, options.width, options.lights)
        btf = napari_btf.read(folder)
        measure(btf)
        for phase in GIVEN_UP:
            give_up(btf, phase)


def write_capture(folder: Path, height: int, width: int, lights: int) -> None:
    """Write a coloured, bumpy surface under lights on two rings and from above."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    slopes = 0.35 * np.sin(x / 50) * np.cos(y / 70), 0.35 * np.cos(x / 60) * np.sin(y / 40)
    upward = 1 / np.sqrt(1 + slopes[0] ** 2 + slopes[1] ** 2)
    colour = [0.5 + 0.3 * np.sin(x / (300 + 90 * c)) for c in range(3)]
    for i in range(lights):
        theta, phi = (0, 0) if not i else (30 + 25 * (i % 2), 360 * i // lights)
        t, p = np.deg2rad((theta, phi))
        beam = np.sin(t) * np.cos(p), -np.sin(t) * np.sin(p), np.cos(t)
        shade = upward * (beam[2] - slopes[0] * beam[0] - slopes[1] * beam[1])
        image = [np.uint8(255 * np.sqrt(np.clip(shade * c, 0, 1))) for c in colour]
        name = f"tl{theta:03d}_pl{phi:03d}_tv000_pv000.jpg"
        Image.fromarray(np.dstack(image)).save(folder / name, quality=90)


def measure(btf: BTF) -> None:
    """Print promised and taken memory and time."""
    promised = outlook_of(btf, FitSettings())
    print(promised)
    # Making the capture took memory, too, so only what is beyond its peak could be seen otherwise.
    before, start = in_use(), time.monotonic()
    peak, over = [before], threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            peak[0] = max(peak[0], in_use())

    thread = threading.Thread(target=watch)
    thread.start()
    for _ in work(plan_of(btf), Orders()):
        pass
    over.set()
    thread.join()
    taken = (peak[0] - before) / 1e9, time.monotonic() - start
    print(f"{'':10}{'promised':>10}{'taken':>10}{'ratio':>8}")
    rows = ("memory, GB", promised.memory / 1e9), ("time, s", promised.seconds or float("nan"))
    for (name, promise), took in zip(rows, taken, strict=True):
        print(f"{name:10}{promise:10.2f}{took:10.2f}{took / promise:8.2f}")


def give_up(btf: BTF, phase: str) -> None:
    """Print how long a training goes on that is given up in a phase."""
    wait = SHARE * (outlook_of(btf, FitSettings()).phases[phase] or 0.0)
    begun, given_up = threading.Event(), threading.Event()

    def run() -> None:
        set_wanted(lambda: not given_up.is_set())
        try:
            for progress, _ in work(plan_of(btf), Orders()):
                if progress.phase == phase:
                    begun.set()
                if given_up.is_set():
                    return
        except GivenUp:
            return

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    time.sleep(wait)
    start = time.monotonic()
    given_up.set()
    thread.join()
    print(f"given up in {phase!r}: the thread ends after {time.monotonic() - start:.2f} s")


def plan_of(btf: BTF) -> Plan:
    """Return the training with the usual choices."""
    return Plan(btf, None, FitSettings(), np.zeros(len(btf), dtype=bool))


def in_use() -> int:
    """Return the bytes of memory in use now; the peak so far where the system does not say."""
    if sys.platform.startswith("linux"):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
