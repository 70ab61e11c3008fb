"""Speed of a training step of the codec parallax: torch, machine code, and one large product.

    python benchmarks/training_speed.py [--data FOLDER] [--seconds 3] [--sides 64 256 512]

The data folder contains ``weave/grid64``, which is tiled to the larger sides. The trainings take
turns, so that other work on the machine slows both down alike. GFLOP/s count the products of the
networks alone: 6 operations for each weight and value.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from napari_btf.btf import BTF
from napari_btf.codec.parallax.batches import load_pool, load_probe
from napari_btf.codec.parallax.machine.compiled import Compilation
from napari_btf.codec.parallax.machine.task import MachineTask
from napari_btf.codec.parallax.settings import ParallaxSettings
from napari_btf.codec.parallax.steps import SurfaceTask
from napari_btf.codec.parallax.surface import Surface
from napari_btf.formats import read
from napari_btf.progress import finish
from napari_btf.running.ranks import cores

ROUNDS, OBSERVATIONS = 3, 81
ROW = "{:<16}{:>9}{:>12}{:>14}{:>10}{:>8}"


def product_gflops(seconds: float) -> float:
    """Return the speed of a large product of matrices."""
    matrix = np.random.default_rng(0).random((1536, 1536), dtype=np.float32)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        matrix @ matrix
        count += 1
    return count * 2 * 1536**3 / (time.perf_counter() - start) / 1e9


def tiled(grid: BTF, side: int) -> BTF:
    """Return some observations of a capture, repeated to a larger surface."""
    some = grid.select(range(0, len(grid), len(grid) // OBSERVATIONS)).in_memory()
    times = side // some.height
    frames = np.tile(np.asarray(some.frames), (1, times, times, 1))
    return BTF(frames, some.light, some.view)


def task_of(btf: BTF, by_machine_code: bool) -> SurfaceTask:
    pool = finish(load_pool(btf, np.arange(len(btf)), seed=0))
    texels, s = np.arange(btf.height * btf.width), ParallaxSettings()
    surface = Surface(btf, s.latents, s.depth_latents, s.light_latents, s.hidden, True, "cpu", 0)
    surface.centre(pool)
    given: tuple[Any, ...] = (
        surface, pool, load_probe(btf, np.arange(2), texels, 0), surface.parameters, texels, 0
    )  # fmt: skip
    if not by_machine_code:
        return SurfaceTask(*given)
    code = finish(Compilation("cpu", pool.dtype).result())
    if code is None:
        raise SystemExit("numba makes no machine code here")
    return MachineTask(code, *given)


def steps_a_second(task: SurfaceTask, seconds: float) -> float:
    from napari_btf.codec.fitting.settings import one_core

    optimizer, count = task.optimizer(), 0
    with one_core():
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            optimizer.zero_grad()
            task.gradients()
            optimizer.step([1e-4 * rate for rate in optimizer.rates])
            count += 1
    return count / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 256, 512])
    given = parser.parse_args()
    grid = read(given.data / "weave" / "grid64")
    print(f"{cores()} cores; a product of 1536 x 1536: {product_gflops(1.0):.0f} GFLOP/s")
    print(ROW.format("texels", "", "steps/s", "values/s", "GFLOP/s", "times"))
    for side in given.sides:
        btf = tiled(grid, side)
        tasks = {"torch": task_of(btf, False), "machine code": task_of(btf, True)}
        rates: dict[str, list[float]] = {name: [] for name in tasks}
        with tasks["torch"], tasks["machine code"]:
            for _ in range(ROUNDS):
                for name, task in tasks.items():
                    rates[name].append(steps_a_second(task, given.seconds))
        networks = tasks["torch"].surface.networks
        weights = sum(
            w.numel() for name in ("depth", "shift", "shade") for w in networks[name][::2]
        )
        for name, found in rates.items():
            rate, values = float(np.median(found)), tasks[name].values
            times = rate / float(np.median(rates["torch"]))
            columns = (
                f"{rate:.1f}",
                f"{rate * values:,.0f}",
                f"{6e-9 * weights * rate * values:.1f}",
            )
            print(ROW.format(f"{side} x {side}", "", *columns, f"{times:.1f}") + f"  {name}")


if __name__ == "__main__":
    main()
