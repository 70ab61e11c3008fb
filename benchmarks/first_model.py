"""Time until a training gives its first usable model, and time of each phase of the training.

    python benchmarks/first_model.py [CAPTURE ...] [--codec auto]

The default capture is the wallpaper in the data folder NAPARI_BTF_DATA. The time is measured from
before the capture is opened until the first preview of the training has been decoded once.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from napari_btf.codec import CompressedBTF, FitSettings
from napari_btf.evaluate import psnr_over
from napari_btf.formats import read
from napari_btf.progress import finish
from napari_btf.training import TrainingReport, train


def measure(capture: Path, codec: str) -> None:
    began = time.monotonic()
    btf = read(capture)
    job = train(btf, settings=FitSettings(codec=codec))
    first: CompressedBTF | None = None
    there = 0.0
    report: TrainingReport
    while True:
        try:
            progress = next(job)
        except StopIteration as stop:
            model, report = stop.value
            break
        if first is None and progress.preview is not None:
            first = progress.preview()
            first.decode(btf.light[0], btf.view[0])
            there = time.monotonic() - began
    print(f"{capture.name}: {model!r}")
    if first is not None:
        quality = finish(psnr_over(first, btf.in_memory()))
        print(f"  first model after {there:.2f} s: {quality:.2f} dB, {first.file_size:,} bytes")
    print(f"  final model {report.psnr_train:.2f} dB, {model.file_size:,} bytes; seconds by phase:")
    for phase, seconds in report.phases.items():
        print(f"    {phase:<12}{seconds:>7.2f}")
    print(f"    {'total':<12}{report.seconds:>7.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = Path(os.environ.get("NAPARI_BTF_DATA", str(Path(__file__).parents[2] / "shared/data")))
    usual = data / "ubo2003-wallpaper" / "tv000_pv000"
    parser.add_argument("captures", nargs="*", type=Path, default=[usual], metavar="CAPTURE")
    parser.add_argument("--codec", default="auto")
    arguments = parser.parse_args()
    for capture in arguments.captures:
        measure(capture, arguments.codec)


if __name__ == "__main__":
    main()
