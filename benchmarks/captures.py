"""Time and memory to open large captures, compared with napari's folder reader and Pillow.

    python benchmarks/captures.py [CAPTURE] [--images 22801] [--share 0.02]

The default capture is weave/grid64 (6,561 images) in the data folder NAPARI_BTF_DATA, or the
sample of the package if this folder does not exist. The second part generates a capture of 512 x
512 JPEG images. It has ``--images`` file names, but only a ``--share`` of them are different
images, and the others are links to these. Slow operations, such as the conversion, run on the
different images only, and their times are extrapolated. Each row runs in its own process, so that
peak memory is measured separately. All files are in the file cache of the operating system.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from napari_btf.samples import write_sample

Facts = dict[str, float]
ROWS: dict[str, Callable[[Path, int], Facts]] = {}
OURS_FIRST, OURS_ALL = "open, first frame", "open, read all"
THEIRS_FIRST, THEIRS_ALL = "napari's reader, first frame", "napari's reader, read all"
CONVERT, GATHER, GATHER_IMAGES = "convert", "1,000 texels, store", "1,000 texels, images"


def row(name: str) -> Callable[[Callable[[Path, int], Facts]], Callable[[Path, int], Facts]]:
    """Register a function of (capture, count) as a row of the table."""

    def register(function: Callable[[Path, int], Facts]) -> Callable[[Path, int], Facts]:
        ROWS[name] = function
        return function

    return register


class Clock:
    """A stopwatch: calling it returns the seconds since its creation."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    def __call__(self) -> float:
        return time.perf_counter() - self.start


@row(OURS_FIRST)
def open_first(folder: Path, count: int) -> Facts:
    from napari_btf.formats import read

    clock = Clock()
    btf = read(folder)
    opened = clock()
    btf.frame(0)
    return {"seconds": clock(), "open_ms": 1e3 * opened}


@row(OURS_ALL)
def open_all(folder: Path, count: int) -> Facts:
    from napari_btf.formats import read

    clock = Clock()
    btf = read(folder)
    opened = clock()
    for _ in btf.iter_frames():
        pass
    return {"seconds": clock(), "images_per_second_once_open": len(btf) / (clock() - opened)}


@row("layer, first frame")
def layer_first(folder: Path, count: int) -> Facts:
    import dask.array
    import napari.utils.notifications

    from napari_btf.plugin.reader import read_capture

    assert dask.array is not None
    assert napari.utils.notifications is not None
    clock = Clock()
    data, *_ = read_capture(str(folder))[0]
    np.asarray(data[(0,) * (data.ndim - 3)])
    return {"seconds": clock()}


@row("layer, one of 40 slider steps")
def layer_steps(folder: Path, count: int) -> Facts:
    from napari_btf.formats import frames as _frames
    from napari_btf.plugin.reader import read_capture

    read = [0]
    decode = _frames.decode

    def counted(content: bytes) -> np.ndarray:
        read[0] += 1
        return decode(content)

    _frames.decode = counted
    data, *_ = read_capture(str(folder))[0]
    sliders = data.shape[:-3]
    clock = Clock()
    for i in range(40):
        np.asarray(data[np.unravel_index(i * 7919 % int(np.prod(sliders)), sliders)])
    return {"seconds": clock() / 40, "images_read_per_step": read[0] / 40}


@row(THEIRS_FIRST)
def napari_first(folder: Path, count: int) -> Facts:
    from napari_builtins.io import magic_imread

    clock = Clock()
    np.asarray(magic_imread(sorted(folder.rglob("*.*")))[0])
    return {"seconds": clock()}


@row(THEIRS_ALL)
def napari_all(folder: Path, count: int) -> Facts:
    from napari_builtins.io import magic_imread

    clock = Clock()
    np.asarray(magic_imread(sorted(folder.rglob("*.*"))))
    return {"seconds": clock()}


@row("Pillow loop, read all")
def pillow_all(folder: Path, count: int) -> Facts:
    clock = Clock()
    paths = sorted(folder.rglob("*.*"))
    for path in paths:
        np.asarray(Image.open(path).convert("RGB"))
    return {"seconds": clock(), "images_per_second_once_open": len(paths) / clock()}


@row(CONVERT)
def convert_some(folder: Path, count: int) -> Facts:
    from napari_btf import convert, read

    btf = read(folder).select(range(count))
    clock = Clock()
    convert(btf, folder.parent / f"{count}.zarr", progress=False)
    return {"seconds": clock(), "ms_per_image": 1e3 * clock() / count}


@row(GATHER)
def gather_store(folder: Path, count: int) -> Facts:
    return gather(folder.parent / f"{count}.zarr", count)


@row(GATHER_IMAGES)
def gather(folder: Path, count: int) -> Facts:
    from napari_btf import read
    from napari_btf.texels.sampling import all_texels, random_texels

    btf = read(folder).select(range(count))
    coords = random_texels(all_texels(btf.height, btf.width), 1000)
    clock = Clock()
    btf.texels(coords)
    return {"seconds": clock(), "ms_per_image": 1e3 * clock() / count}


def run(name: str, folder: Path, count: int = 0) -> Facts:
    """Measure a row in a separate process."""
    command = [sys.executable, __file__, str(folder), "--row", name, "--images", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    facts: Facts = json.loads(done.stdout.splitlines()[-1])
    return facts


def show(name: str, facts: Facts) -> None:
    more = {k: v for k, v in facts.items() if k not in ("seconds", "peak_mib")}
    print(
        f"{name:<32}{1e3 * facts['seconds']:12.1f} ms{facts['peak_mib']:9.0f} MiB   "
        + ", ".join(f"{key.replace('_', ' ')} {value:,.4g}" for key, value in more.items())
    )


def real_capture(folder: Path) -> None:
    images = sum(1 for path in folder.rglob("*.*") if path.is_file())
    print(f"{folder.name}: {images:,} images\n{'':<32}{'time':>15}{'peak memory':>13}")
    facts = {}
    for name in list(ROWS)[:7]:
        # The first run fills the file cache.
        facts[name] = min((run(name, folder) for _ in range(3)), key=lambda f: f["seconds"])
        show(name, facts[name])
    for name in (OURS_ALL, THEIRS_ALL):
        ratio = facts[name]["seconds"] / facts[OURS_FIRST]["seconds"]
        print(f'"{OURS_FIRST}" is {ratio:.1f} times as fast as "{name}"')


def make(folder: Path, images: int, share: float) -> int:
    """Write a grid of 512 x 512 images, and return how many of them are different images."""
    side = round(images**0.5)
    own = max(8, min(images, round(images * share)))
    texture = np.random.default_rng(0).normal(128, 40, (512, 512, 3))
    shade = np.linspace(0.4, 1.0, 512)[:, None, None]

    def write(i: int) -> Path:
        view, light = divmod(i, side)
        theta, phi = 75.0 * light / side, 137.5 * light % 360
        path = folder / f"tv{75 * view / side:06.2f}_pv{137.5 * view % 360:06.2f}"
        path.mkdir(exist_ok=True)
        path = path / f"tl{theta:06.2f}_pl{phi:06.2f}.jpg"
        if i < own:
            pixels = texture * np.roll(shade, 3 * i, axis=0) * (0.6 + 0.4 * light / side)
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=90)
        return path

    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(write, range(images)))
    for i in range(own, images):
        os.link(paths[i % own], paths[i])
    return own


def generated_capture(images: int, share: float) -> None:
    base = Path(tempfile.mkdtemp(prefix="napari-btf-benchmark-"))
    try:
        folder = base / "capture"
        folder.mkdir()
        start = time.perf_counter()
        own = make(folder, images, share)
        print(
            f"\ngenerated capture: {images:,} images of 512 x 512, {own} of them different "
            f"(written in {time.perf_counter() - start:.0f} s)"
        )
        show(OURS_FIRST, run(OURS_FIRST, folder))
        counts = own // 4, own // 2, own
        for name in (CONVERT, GATHER, GATHER_IMAGES):
            for count in counts:
                facts = run(name, folder, count)
                show(f"{name}, {count} of them", facts)
            whole = facts["ms_per_image"] * images / 1e3
            print(f"{'':<32}{whole:12.0f} s for all {images:,}, extrapolated")
    finally:
        shutil.rmtree(base)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", nargs="?", type=Path)
    parser.add_argument("--images", type=int, default=151 * 151)
    parser.add_argument("--share", type=float, default=0.02)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        facts = ROWS[options.row](options.capture, options.images)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(facts | {"peak_mib": peak}))
        return
    data = Path(os.environ.get("NAPARI_BTF_DATA", "")) / "weave" / "grid64"
    with tempfile.TemporaryDirectory() as sample:
        if options.capture is None and not data.is_dir():
            write_sample(sample)
        real_capture(options.capture or (data if data.is_dir() else Path(sample)))
    generated_capture(options.images, options.share)


if __name__ == "__main__":
    main()
