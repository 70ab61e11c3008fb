"""Time and quality of t-SNE compared with scikit-learn, and time of a lasso and of a hover.

    python benchmarks/latent_space.py [--data FOLDER] [--texels N] [--without-sklearn]

The latents are those of a model that `train` makes of the wallpaper, or of the sample of the
package if the data folder does not exist. scikit-learn runs with perplexity 30, 1000 iterations and
a learning rate of 200, and takes many minutes. The columns are *first*, the time until the first
preview; *wall*, the total time; *cpu*, the processor time of all cores; and *trust*, the
trustworthiness with 30 neighbours (Venna and Kaski, 2001) over 5,000 random texels. A surface with
four times the texels (a tile of 2 x 2, with noise of a hundredth of the latents' standard
deviation) runs in its own process, so that its *peak* memory is measured separately.

With --texels, only the methods are compared, on this number of random texels.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from napari_btf.codec import CompressedBTF
from napari_btf.codec.storage import load
from napari_btf.embedding import PointIndex, embed, in_polygon
from napari_btf.formats import read
from napari_btf.progress import finish
from napari_btf.samples import open_sample
from napari_btf.texels.sampling import all_texels
from napari_btf.training import train

ROW = "{:<46}{:>9}{:>9}{:>9}{:>10}{:>9}"
TRUSTED, NEIGHBOURS = 5_000, 30


def trained(data: Path) -> CompressedBTF:
    folder = data / "ubo2003-wallpaper" / "tv000_pv000"
    model, _ = finish(train(read(folder) if folder.is_dir() else open_sample()))
    return model


def trust(latents: NDArray[np.float32], points: NDArray[np.float64]) -> float:
    from sklearn.manifold import trustworthiness

    some = np.random.default_rng(0).choice(len(points), min(TRUSTED, len(points)), replace=False)
    return float(trustworthiness(latents[some], points[some], n_neighbors=NEIGHBOURS))


def show(name: str, first: float | None, wall: float, cpu: float, *last: str) -> None:
    shown = "" if first is None else f"{first:.1f}"
    print(ROW.format(name, shown, f"{wall:.1f}", f"{cpu:.1f}", *last), flush=True)


def run(
    model: CompressedBTF, budget: int | None, coords: NDArray[np.intp] | None = None
) -> tuple[NDArray[np.float64], float, float, float]:
    """Return the points, and the seconds until the first preview, in total, and of the CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    job = embed(model, coords=coords, budget=budget)
    picture = next(job).preview
    assert picture is not None
    assert np.isfinite(picture()).all()
    first = time.perf_counter() - start
    points = finish(job)
    return points, first, time.perf_counter() - start, time.process_time() - cpu


def with_sklearn(latents: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, float]:
    from sklearn.manifold import TSNE

    start, cpu = time.perf_counter(), time.process_time()
    points = TSNE(
        perplexity=30, max_iter=1000, learning_rate=200.0, n_jobs=-1, random_state=0
    ).fit_transform(latents)
    return points, time.perf_counter() - start, time.process_time() - cpu


def large(path: str, budget: int) -> None:
    """Embed a surface with four times the texels; this runs in its own process."""
    model = load(path)
    spread = model.latent_map.std(axis=(0, 1))
    tiled = np.tile(model.latent_map, (2, 2, 1))
    tiled += np.random.default_rng(0).normal(0, 0.01, tiled.shape).astype(np.float32) * spread
    bigger = model.with_latents(tiled)
    points, first, wall, cpu = run(bigger, budget)
    # ru_maxrss is in KiB on Linux.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    trusted = trust(bigger.latent_map.reshape(len(points), -1), points)
    name = f"{len(points):,} texels, {budget:,} fitted"
    show(name, first, wall, cpu, f"{trusted:.4f}", f"{peak:.1f} GiB")


def median_ms(call: Callable[[int], object], runs: int = 31) -> float:
    times = []
    for i in range(runs):
        start = time.perf_counter()
        call(i)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


def interaction(points: NDArray[np.float64], shape: tuple[int, int]) -> None:
    """Measure a lasso and a hover without a window."""
    low, high = np.percentile(points, (5, 95), axis=0)
    angle = np.linspace(0, 2 * np.pi, 300)
    wave = (1 + 0.2 * np.sin(7 * angle))[:, np.newaxis]
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lasso = (low + high) / 2 + circle * wave * (high - low) / 2
    index = PointIndex(points)
    places = np.random.default_rng(0).uniform(low, high, (1000, 2))

    def highlight(_: int) -> NDArray[np.uint8]:
        image = np.zeros((*shape, 4), dtype=np.uint8)
        image[in_polygon(points, lasso).reshape(shape)] = (255, 200, 0, 160)
        return image

    print()
    print(f"lasso of 300 corners to highlighted image: {median_ms(highlight):.1f} ms")
    print(f"hover to the nearest point: {median_ms(lambda i: index.nearest(places[i])):.3f} ms")


def compare(model: CompressedBTF, coords: NDArray[np.intp], sklearn: bool) -> NDArray[np.float64]:
    """Print a row for fits of 1/8, 1/4, 1/2 and all of the texels, and one for scikit-learn.

    Return the points of the fit of a quarter.
    """
    latents = model.latent_map[tuple(coords.T)]
    count = len(coords)
    placed: list[NDArray[np.float64]] = []
    for budget in (count // 8, count // 4, count // 2, None):
        points, first, wall, cpu = run(model, budget, coords)
        name = "all fitted (exact)" if budget is None else f"{budget:,} fitted, the others placed"
        show(name, first, wall, cpu, f"{trust(latents, points):.4f}", "")
        placed.append(points)
    if sklearn:
        points, wall, cpu = with_sklearn(latents)
        show("scikit-learn", None, wall, cpu, f"{trust(latents, points):.4f}", "")
    return placed[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--texels", type=int)
    parser.add_argument("--without-sklearn", action="store_true")
    options = parser.parse_args()

    model = trained(options.data)
    coords = all_texels(model.height, model.width)
    if options.texels is not None:
        some = np.random.default_rng(0).choice(len(coords), options.texels, replace=False)
        coords = coords[some]
    print(f"{len(coords):,} texels, {model.latent_count} latents; seconds\n")
    print(ROW.format("", "first", "wall", "cpu", "trust", "peak"))
    points = compare(model, coords, not options.without_sklearn)
    if options.texels is not None:
        return
    with TemporaryDirectory() as folder:
        path = str(model.save(Path(folder) / "model.safetensors"))
        own = multiprocessing.get_context("spawn").Process(target=large, args=(path, 16_384))
        own.start()
        own.join()
    interaction(points, (model.height, model.width))


if __name__ == "__main__":
    main()
