"""Quality and speed of the codec parallax, compared with photographs and with neural-basis.

    python benchmarks/parallax.py [--data FOLDER] [--seconds 300]

Prints the size, the PSNR on the captured directions ("on") and between them ("off"), the time of
the training (wall time and processor time), and the time to decode a frame. The data folder
contains ``weave/grid64``, which is trained on, and ``weave/offgrid64``, which is not.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings
from napari_btf.codec.parallax.fit import fit_parallax
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.codec.parallax.settings import ParallaxSettings
from napari_btf.codec.parallax.storage import pack
from napari_btf.directions import angles_to_vectors, vectors_to_disk
from napari_btf.evaluate import psnr_over
from napari_btf.formats import read
from napari_btf.progress import finish
from napari_btf.training import train

ROW = "{:<34}{:>9}{:>8}{:>8}{:>8}{:>8}"


def disks(btf: BTF) -> np.ndarray:
    return np.concatenate([vectors_to_disk(btf.light), vectors_to_disk(btf.view)], axis=1)


def photographs(grid: BTF, off: BTF, count: int) -> float:
    """Return the PSNR of interpolation: ``count`` nearest photographs, inverse square weights."""
    distance, nearest = cKDTree(disks(grid)).query(disks(off), k=range(1, count + 1))
    weight = 1.0 / np.maximum(distance, 1e-9) ** 2
    weight /= weight.sum(axis=1, keepdims=True)
    error = 0.0
    for i in range(len(off)):
        images = grid.values.encode(np.stack([grid.frame(int(j)) for j in nearest[i]]))
        blend = np.tensordot(weight[i], images, axes=1)
        error += float(np.mean((blend - grid.values.encode(off.frame(i))) ** 2))
    return float(-10 * np.log10(error / len(off)))


def score(model: ParallaxBTF, btf: BTF) -> float:
    """Return the PSNR of the mean squared error of clipped images over all observations."""
    error = 0.0
    for i, image in enumerate(model.shaded(btf.light, btf.view)):
        captured = btf.values.encode(btf.frame(i))
        error += float(np.mean((np.clip(image, 0, 1) - captured) ** 2))
    return float(-10 * np.log10(error / len(btf)))


def size(model: ParallaxBTF) -> int:
    return sum(values.nbytes for values in pack(model)[1].values())


def milliseconds(model: ParallaxBTF, side: int, view_moves: bool) -> tuple[float, float]:
    """Return the median wall time and processor time to decode a surface of side x side texels.

    On a busy machine, processor time divided by the number of cores is the better measure.
    """
    tiles = (side // model.height, side // model.width, 1)
    large = replace(
        model, latents=replace(model.latents, codes=np.tile(model.latents.codes, tiles))
    )
    times = []
    for i in range(30):
        light = angles_to_vectors(30.0, 7.0 * i)
        view = angles_to_vectors(40.0, 5.0 * i if view_moves else 20.0)
        start, cpu = time.perf_counter(), time.process_time()
        large.values.store(large.decode(light, view))
        times.append((time.perf_counter() - start, time.process_time() - cpu))
    wall, processor = np.median(times[2:], axis=0) * 1e3
    return float(wall), float(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = os.environ.get("NAPARI_BTF_DATA", str(Path(__file__).parents[2] / "shared/data"))
    parser.add_argument("--data", type=Path, default=Path(folder))
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    weave = arguments.data / "weave"
    if not (weave / "grid64").is_dir():
        raise SystemExit(f"{arguments.data} has no folder weave: name another one with --data")
    grid, off = read(weave / "grid64").in_memory(), read(weave / "offgrid64").in_memory()

    print(ROW.format("method", "bytes", "on dB", "off dB", "wall s", "cpu s"))
    everything = grid.nbytes
    for name, count in (("nearest photograph", 1), ("inverse square distance over 16", 16)):
        print(ROW.format(name, everything, "-", f"{photographs(grid, off, count):.2f}", "-", "-"))

    start, cpu = time.monotonic(), time.process_time()
    settings = ParallaxSettings(seconds=arguments.seconds, seed=arguments.seed)
    model = finish(fit_parallax(grid, settings=settings))
    wall, cpu = time.monotonic() - start, time.process_time() - cpu
    figures = f"{score(model, grid):.2f}", f"{score(model, off):.2f}"
    print(ROW.format("parallax", size(model), *figures, f"{wall:.0f}", f"{cpu:.0f}"), flush=True)

    # A latent of neural-basis takes about a byte per texel; the size of its decoder is added.
    latents = size(model) // (grid.height * grid.width)
    start, cpu = time.monotonic(), time.process_time()
    linear, report = finish(train(grid, settings=FitSettings(latents, NetworkSettings(seconds=5))))
    wall, cpu = time.monotonic() - start, time.process_time() - cpu
    figures = f"{report.psnr_train:.2f}", f"{finish(psnr_over(linear, off)):.2f}"
    name = f"neural-basis, {latents} latents"
    print(ROW.format(name, linear.file_size, *figures, f"{wall:.0f}", f"{cpu:.0f}"))

    print(f"\n{'decoded':<12}{'ms':>8}{'cpu ms':>8}{'light moved: ms':>18}{'cpu ms':>8}")
    for side in (64, 256, 512):
        full, kept = (milliseconds(model, side, view_moves) for view_moves in (True, False))
        print(f"{side:>4} x {side:<5}{full[0]:>8.1f}{full[1]:>8.1f}{kept[0]:>18.1f}{kept[1]:>8.1f}")


if __name__ == "__main__":
    main()
