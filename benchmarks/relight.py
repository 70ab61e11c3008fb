"""Time per relit frame, compared with limits of the machine and with a network per texel.

    python benchmarks/relight.py [--data FOLDER] [--seconds 5]

Frames are made by `napari_btf.relighting.Relighter.frame`, in 8 bits. The columns are *wall*, the
wall time; *cpu*, the processor time of all cores; and *free*, the processor time divided by the
number of cores, which is the wall time on an idle machine. Two lower bounds for this machine are
measured in the same run: *gemm* is the time of the multiplications at the speed of a large matrix
product, *memory* the time to read the latents and to write the image at the speed of a large copy.
*x pred.* is the time of the predecessor's decoder (4 layers of 106 units, evaluated for each
texel) for the same number of texels, divided by *free*.

Frames are decoded by compiled code (`napari_btf.codec.decoding.compiled`) unless a row names NumPy
or torch. The first model is that of the wallpaper with the default codec and size of `train`, or
that of the sample of the package if the data folder does not exist. The second one is a model of
the codec parallax, trained for some seconds on weave; without the data it has random weights of the
default sizes, because the time does not depend on them. Models are tiled to each size. For
comparison, networks with 3 layers of 64 units and 4 layers of 106 units, on 8 latents and 4
coordinates of directions, are evaluated for each texel by torch in chunks that fit the cache.
"""

from __future__ import annotations

import argparse
import os
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, load
from napari_btf.codec.decoding.compiled import load as load_machine_code
from napari_btf.codec.decoding.compiled import numpy_alone
from napari_btf.codec.latents.stored import LATENT_TYPES
from napari_btf.codec.latents.transformed import code_latents
from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.codec.parallax.fit import fit_parallax
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.codec.parallax.settings import ParallaxSettings
from napari_btf.codec.parallax.surface import Surface
from napari_btf.directions import angles_to_vectors
from napari_btf.formats import read
from napari_btf.plugin.jobs.renderer import BUDGET, STEPS
from napari_btf.progress import finish
from napari_btf.relighting import Relighter, find_environment
from napari_btf.running.threads import one_thread
from napari_btf.samples import open_sample
from napari_btf.training import train

CORES = min(2, os.cpu_count() or 1)
ROW = "{:<50}{:>8}{:>8}{:>8}{:>8}{:>8}{:>9}"
#: Time of the predecessor's decoder in milliseconds (*free*) by the number of texels.
predecessor: dict[int, float] = {}


def timed(call: Callable[[int], object], runs: int = 10, rounds: int = 3) -> tuple[float, float]:
    """Return median wall and processor milliseconds of the best of several rounds.

    The best round is taken because other programs may slow the machine down.
    """
    best = np.array([np.inf, np.inf])
    for _ in range(rounds):
        # Threads of other libraries wait actively for a while after their work.
        time.sleep(0.3)
        times = []
        for i in range(runs + 2):
            start, cpu = time.perf_counter(), time.process_time()
            call(i)
            times.append((time.perf_counter() - start, time.process_time() - cpu))
        best = np.minimum(best, np.median(times[2:], axis=0) * 1e3)
    return float(best[0]), float(best[1])


@dataclass(frozen=True)
class Machine:
    """The speed of the machine: operations and bytes per millisecond of all cores together."""

    flops: float
    bytes: float

    @classmethod
    def measured(cls) -> Machine:
        """Measure the speed: the best of several runs, since other programs may be running."""
        a = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
        large = np.ones(1 << 25, dtype=np.float32), np.empty(1 << 25, dtype=np.float32)
        product, copy = [], []
        for _ in range(9):
            with one_thread():
                product.append(timed(lambda _: a @ a, 3, 1)[1])
            start = time.perf_counter()
            # The cores share the memory bandwidth: all of them copy, and the wall time counts.
            with ThreadPoolExecutor(CORES) as pool:
                halves = zip(*(np.array_split(part, CORES) for part in large), strict=True)
                list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), halves))
            copy.append((time.perf_counter() - start) * 1e3)
        return cls(CORES * 2 * 1024**3 / min(product), 2 * large[0].nbytes / min(copy))

    def limits(self, texels: int, products: int, touched: int) -> tuple[float, float]:
        """Return lower bounds in milliseconds: for the multiplications, and for memory access.

        ``products`` and ``touched`` are multiplications and bytes per texel.
        """
        return 2 * products * texels / self.flops, touched * texels / self.bytes


def show(
    name: str,
    times: tuple[float, float],
    limits: tuple[float, float] | None = None,
    texels: int | None = None,
) -> None:
    wall, cpu = times
    free = cpu / CORES
    bounds = ("", "") if limits is None else [f"{limit:.2f}" for limit in limits]
    ratio = f"{predecessor[texels] / free:.1f}" if texels in predecessor else ""
    print(ROW.format(name, f"{wall:.1f}", f"{cpu:.1f}", f"{free:.1f}", *bounds, ratio), flush=True)


def wallpaper(data: Path) -> NeuralBasisBTF:
    folder = data / "ubo2003-wallpaper" / "tv000_pv000"
    model, _ = finish(train(read(folder) if folder.is_dir() else open_sample()))
    assert isinstance(model, NeuralBasisBTF)
    return model


def parallax(data: Path, seconds: float) -> ParallaxBTF:
    settings = ParallaxSettings(seconds=seconds)
    folder = data / "weave" / "grid64"
    if folder.is_dir():
        return finish(fit_parallax(read(folder).in_memory(), settings=settings))
    theta, phi = np.repeat([0.0, 30.0, 60.0], 3), 40.0 * np.arange(9)
    light, view = angles_to_vectors(theta, phi), angles_to_vectors(theta[::-1], 2 * phi)
    sizes = settings.latents, settings.depth_latents, settings.light_latents, settings.hidden
    btf = BTF(np.zeros((9, 64, 64, 3), np.uint8), light, view, source="random")
    return Surface(btf, *sizes, True, "cpu", seed=0).model()


def tiled(model: Any, size: int) -> CompressedBTF:
    tiles = (-(-size // model.height), -(-size // model.width), 1)
    if isinstance(model, NeuralBasisBTF):
        latents = np.tile(model.latent_map, tiles)[:size, :size]
        large = replace(model, coded=code_latents(latents, model.coded.step))
        # This decompresses the latents now instead of during the first measured frame.
        assert large.latent_map.shape[:2] == (size, size)
        return large
    codes = np.tile(model.latents.codes, tiles)[:size, :size]
    return replace(model, latents=replace(model.latents, codes=codes))


def products_of(model: ParallaxBTF, view_moves: bool) -> int:
    """Return the multiplications per texel of the networks that are evaluated."""
    used = [model.shade, model.shift, *([model.depth] if view_moves else [])]
    return sum(weight.size for network in used for weight in network.layers.weights)


def light_of(i: int) -> tuple[float, float]:
    return 30.0, 7.0 * i


def time_linear(data: Path, machine: Machine) -> None:
    model = wallpaper(data)
    for size in (256, 512, 1024):
        large = tiled(model, size)
        relighter, k = Relighter(large), large.latent_count
        limits = machine.limits(size**2, 3 * (k + 1), 4 * k + 3)
        name = f"neural-basis {size}, {k} latents"
        show(name, timed(lambda i, r=relighter: r.frame(light_of(i))), limits, size**2)
        if size == 512:
            with numpy_alone():
                ms = timed(lambda i, r=relighter: r.frame(light_of(i)))
            show(f"{name}, by NumPy", ms, limits, size**2)
            half = machine.limits(256**2, 3 * (k + 1), 4 * k + 3)
            ms = timed(lambda i, r=relighter: r.frame(light_of(i), step=2))
            show(f"{name}, every second texel", ms, half, 256**2)
            time_environment(name, relighter)


def time_environment(name: str, relighter: Relighter) -> None:
    first = timed(lambda _, m=relighter.model: Relighter(m).frame(find_environment("studio")), 3, 1)
    show(f"{name}, 64 lights of an environment", first)
    relighter.frame(find_environment("studio"))
    turned = timed(lambda i: relighter.frame(find_environment("studio", turn=5.0 * i)), 8)
    show(f"{name}, the environment turned", turned)


def time_parallax(data: Path, seconds: float, machine: Machine) -> None:
    model = parallax(data, seconds)
    for size in (256, 512):
        relighter = Relighter(tiled(model, size))
        for step in (1, 2) if size == 512 else (1,):
            for view_moves in (True, False):
                texels = (size // step) ** 2
                limits = machine.limits(texels, products_of(model, view_moves), 100)
                name = f"parallax {size}" + (", every second texel" if step > 1 else "")
                ms = timed(
                    lambda i, v=view_moves, s=step, r=relighter: r.frame(
                        light_of(i), (40.0, 5.0 * i if v else 20.0), step=s
                    )
                )
                show(f"{name}, {'both move' if view_moves else 'light moves'}", ms, limits, texels)
        with numpy_alone():
            ms = timed(lambda i, r=relighter: r.frame(light_of(i), (40.0, 5.0 * i)))
        show(f"parallax {size}, both move, by NumPy", ms, None, size**2)
        if size == 256:
            time_environment(f"parallax {size}", relighter)
            continue
        time_dragging(f"parallax {size}", relighter)
        for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
            by_torch = Relighter(relighter.model.decoded_on(device))
            ms = timed(lambda i, r=by_torch: r.frame(light_of(i), (40.0, 5.0 * i)))
            show(f"parallax {size}, both move, torch on {device}", ms, None, size**2)


def time_dragging(name: str, relighter: Relighter) -> None:
    """Measure a frame while the light is dragged: the dock decodes as many texels as it can."""
    whole = timed(lambda i: relighter.frame(light_of(i), (40.0, 5.0 * i)), 8)[0] / 1e3
    step = next((step for step in STEPS if whole / step**2 <= BUDGET), STEPS[-1])
    ms = timed(lambda i: relighter.frame(light_of(i), (40.0, 5.0 * i), step=step))
    show(f"{name}, light dragged, step {step}", ms)


@torch.no_grad()
def per_texel(net: torch.nn.Module, latents: torch.Tensor, i: int) -> torch.Tensor:
    direction = torch.full((4,), 0.01 * i)
    out = []
    for chunk in latents.split(4096):
        out.append(net(torch.cat([chunk, direction.expand(len(chunk), 4)], dim=1)))
    return (torch.cat(out).clamp(0, 1) * 255).to(torch.uint8)


def time_small_latents(name: str, model: CompressedBTF) -> None:
    """Measure time and memory of a model with latents of each data type (memory of NumPy)."""
    print()
    for kind in LATENT_TYPES:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        relighter = Relighter(load(model.path or "", kind))
        image = relighter.frame(light_of(0), (20.0, 10.0)).astype(float)
        kept = tracemalloc.get_traced_memory()[0] - before - image.nbytes
        tracemalloc.stop()
        ms = timed(lambda i, r=relighter: r.frame(light_of(i), (40.0, 5.0 * i)))
        exact = Relighter(load(model.path or "")).frame(light_of(0), (20.0, 10.0))
        error = 10 * np.log10(255**2 / max(np.mean((image - exact) ** 2), 1e-9))
        off = "" if kind == "float32" else f", PSNR {error:.0f} dB"
        show(f"{name}, {kind}, {kept / 2**20:.0f} MiB kept{off}", ms)


def time_per_texel(machine: Machine, count: int, units: int, sizes: tuple[int, ...]) -> None:
    """Measure a network per texel, with ``count`` layers of ``units`` units."""
    layers: list[torch.nn.Module] = []
    widths = (12, *(units,) * count)
    for a, b in pairwise(widths):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(units, 3))
    products = sum(a * b for a, b in pairwise((*widths, 3)))
    for size in sizes:
        latents = torch.rand(size * size, 8)
        limits = machine.limits(size**2, products, 4 * 8 + 3)
        ms = timed(lambda i, z=latents: per_texel(net, z, i), 4, 2)
        if (count, units) == (4, 106):
            predecessor[size**2] = ms[1] / CORES
        show(f"{count} x {units} units per texel, torch, {size}", ms, limits, size**2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = os.environ.get("NAPARI_BTF_DATA", str(Path(__file__).parents[2] / "shared/data"))
    parser.add_argument("--data", type=Path, default=Path(folder))
    parser.add_argument("--seconds", type=float, default=5.0, help="training time of parallax")
    arguments = parser.parse_args()
    torch.set_num_threads(CORES)
    if not load_machine_code():
        raise SystemExit("numba cannot compile on this machine: see the warning")
    machine = Machine.measured()
    print(
        f"{CORES} cores: {machine.flops / 1e6:.0f} GFLOP/s in a product of 1024 x 1024, "
        f"{machine.bytes / 1e6:.1f} GB/s in a copy\n"
    )
    print(ROW.format("milliseconds", "wall", "cpu", "free", "gemm", "memory", "x pred."))
    time_per_texel(machine, 4, 106, (256, 512, 1024))
    time_per_texel(machine, 3, 64, (512,))
    time_linear(arguments.data, machine)
    time_parallax(arguments.data, arguments.seconds, machine)
    with TemporaryDirectory() as folder:
        for name, model in (
            ("neural-basis 512", tiled(wallpaper(arguments.data), 512)),
            ("parallax 512", tiled(parallax(arguments.data, arguments.seconds), 512)),
        ):
            model.save(Path(folder) / "model.safetensors")
            time_small_latents(name, load(Path(folder) / "model.safetensors"))


if __name__ == "__main__":
    main()
