"""Time of typical reads of a capture, from its images and from its texel store.

    python benchmarks/texel_store.py [CAPTURE]

The default capture is weave/grid64 (6,561 images) in the data folder NAPARI_BTF_DATA, or the
sample of the package if this folder does not exist. Reads of both alternate in one run, and all
files are in the file cache of the operating system.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_btf import read
from napari_btf.btf import BTF
from napari_btf.formats.conversion import convert
from napari_btf.progress import finish
from napari_btf.samples import sample_path
from napari_btf.texels.sampling import all_texels, random_texels

Task = Callable[[BTF, int], object]


def texels_of(coords: np.ndarray) -> Task:
    return lambda btf, i: btf.texels(coords)


def tasks(btf: BTF) -> dict[str, tuple[Task, int]]:
    """Return the operations to measure, with the number of repetitions of each."""
    y, x = min(20, btf.height - 1), min(20, btf.width - 1)
    inside = np.ones((min(16, btf.height - y), min(16, btf.width - x)))
    tile = np.argwhere(inside) + np.array([y, x])
    some = random_texels(all_texels(btf.height, btf.width), 1000)
    step = max(1, len(btf) // 40)
    return {
        "slider step": (lambda btf, i: btf.frame(i * step % len(btf)), 40),
        f"texels of one {inside.shape[0]} x {inside.shape[1]} tile": (texels_of(tile), 3),
        f"{len(some):,} texels at random": (texels_of(some), 3),
        "all images": (lambda btf, i: [None for _ in btf.iter_frames()], 2),
    }


def ms(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def default_capture() -> Path:
    weave = Path(os.environ.get("NAPARI_BTF_DATA", "")) / "weave" / "grid64"
    return weave if weave.is_dir() else sample_path()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", nargs="?", type=Path, default=None)
    capture = parser.parse_args().capture or default_capture()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "capture.zarr"
        seconds = ms(lambda: finish(convert(read(capture), store))) / 1e3
        kinds = (capture, store)
        read(store)  # Importing zarr, once.
        rows = {
            "open": [float(np.median([ms(lambda p=p: read(p)) for _ in range(5)])) for p in kinds]
        }
        btfs = [read(path) for path in kinds]
        rows["open and show the first"] = [ms(lambda p=p: read(p).frame(0)) for p in kinds]
        for name, (task, runs) in tasks(btfs[0]).items():
            times = [
                [ms(lambda b=b, i=i, task=task: task(b, i)) for b in btfs] for i in range(runs)
            ]
            rows[name] = np.median(times, axis=0).tolist()
        same = np.array_equal(btfs[0].texels([[1, 2]]), btfs[1].texels([[1, 2]]))

        megabytes = [size(path) / 1e6 for path in kinds]

    print(f"{btfs[0]!r}, {btfs[0].format}")
    print(
        f"converted in {seconds:.1f} s; {btfs[0].nbytes / 1e6:.1f} MB of pixels, "
        f"images {megabytes[0]:.1f} MB, store {megabytes[1]:.1f} MB"
    )
    print(f"both give the same values: {'yes' if same else 'NO'}")
    print(f"{'milliseconds':<30}{'images':>12}{'store':>12}{'ratio':>9}")
    for name, (images, stored) in rows.items():
        print(f"{name:<30}{images:>12.1f}{stored:>12.1f}{images / stored:>9.1f}")


if __name__ == "__main__":
    main()
