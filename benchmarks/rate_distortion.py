"""Quality against size: the codec compared with classical methods at the same number of bytes.

    python benchmarks/rate_distortion.py [NAME ...] [--bytes 4 8 16 32] [--seconds S]
                                         [--results FILE.json] [--write]

The data sets are in the folder NAPARI_BTF_DATA (or --data); the default is to run all of them. For
each data set and each number of bytes per texel (plus 64 KiB), a model is trained, and each
baseline is fitted to the same observations with the same number of bytes. ``--results`` stores the
rows in a file, so that data sets can be run one at a time. ``--write`` makes docs/benchmarks.md and
docs/images/rate_distortion.png from all rows.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from rate_distortion_page import MODEL, Row, figure, page, plot

from napari_btf.baselines import BASELINES
from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.codec.fitting.settings import FREE_BYTES
from napari_btf.errors import UsageError
from napari_btf.evaluate import evaluate, score
from napari_btf.formats import read
from napari_btf.progress import finish

ROOT = Path(__file__).parents[1]
#: Baselines that interpolate photographs; they are also measured with all photographs.
PHOTOGRAPHS = ("nearest", "inverse distance", "thin-plate")

#: A capture, and which of its observations are held out.
DataSet = tuple[BTF, np.ndarray]


def wallpaper(data: Path) -> DataSet:
    btf = read(data / "ubo2003-wallpaper" / "tv000_pv000").in_memory()
    return btf, np.zeros(len(btf), dtype=bool)


def wallpaper_held(data: Path) -> DataSet:
    btf, held = wallpaper(data)
    held[np.random.RandomState(1).permutation(81)[:16]] = True
    return btf, held


def joined(fitted: Path, scored: Path) -> DataSet:
    """Join two folders to one capture, in which the second folder is held out."""
    a, b = read(fitted).in_memory(), read(scored).in_memory()
    frames = np.concatenate([a.frames, b.frames])
    light, view = np.concatenate([a.light, b.light]), np.concatenate([a.view, b.view])
    return BTF(frames, light, view, a.source, a.format), np.arange(len(frames)) >= len(a)


def synthrti(name: str) -> Callable[[Path], DataSet]:
    def load(data: Path) -> DataSet:
        folder = data / "rti" / "synthrti" / name
        return joined(folder / "Dome", folder / "Test")

    return load


def every_sixth(*folder: str) -> Callable[[Path], DataSet]:
    def load(data: Path) -> DataSet:
        btf = read(data.joinpath("rti", *folder)).in_memory()
        return btf, np.arange(len(btf)) % 6 == 5

    return load


def weave(data: Path) -> DataSet:
    return joined(data / "weave" / "grid64", data / "weave" / "offgrid64")


DATA_SETS: dict[str, tuple[str, Callable[[Path], DataSet]]] = {
    "wallpaper": ("UBO2003 wallpaper, all lights", wallpaper),
    "wallpaper-held": ("UBO2003 wallpaper, 16 lights held out", wallpaper_held),
    "weave": ("weave, 81 views × 81 lights, 100 pairs off the grid", weave),
    "single1": (
        "SynthRTI Single, object 1, material 1",
        synthrti("Single/Object1/material1"),
    ),
    "single5": (
        "SynthRTI Single, object 1, material 5",
        synthrti("Single/Object1/material5"),
    ),
    "multi1": (
        "SynthRTI Multi, object 1, material 1",
        synthrti("Multi/Object1/material1"),
    ),
    "item1": ("RealRTI item 1, every 6th light held out", every_sixth("realrti", "item1")),
    "item11": ("RealRTI item 11, every 6th light held out", every_sixth("realrti", "item11")),
    "loewenkopf": ("loewenkopf, every 6th light held out", every_sixth("loewenkopf", "data")),
}


def measure(
    name: str, data_set: DataSet, sizes: Iterable[int], seconds: float | None
) -> Iterator[Row]:
    """Yield a row for each method and size; a baseline of the same size is scored only once."""
    btf, held = data_set
    seen = btf.select(~held)
    facts = {"data": name, "bytes_capture": btf.nbytes, "texels": btf.height * btf.width}
    done: dict[tuple[str, int], Row] = {}
    for size in sizes:
        start = time.perf_counter()
        settings = FitSettings(network=NetworkSettings(seconds=seconds), bytes_per_texel=size)
        model = finish(fit(seen, settings=settings))
        spent = time.perf_counter() - start
        found = finish(evaluate(model, btf, held, baselines=False))
        # The allowed size, which a model of parallax does not always use.
        budget = int(size * btf.height * btf.width) + FREE_BYTES
        yield facts | {
            "method": MODEL,
            "note": f"{model.architecture}, K = {model.latent_count}",
            "bytes": found.bytes_model,
            "budget": budget,
            "seconds": spent,
            "training": seconds,
            **found.scores.totals(),
        }
        for method in BASELINES:
            row = _baseline(method, budget, btf, held, seen, done)
            if row is not None:
                yield facts | row | {"budget": budget}
    for method in PHOTOGRAPHS:
        row = _baseline(method, None, btf, held, seen, done)
        if row is not None:
            yield facts | row | {"budget": None}


def _baseline(
    method: str,
    budget: int | None,
    btf: BTF,
    held: np.ndarray,
    seen: BTF,
    done: dict[tuple[str, int], Row],
) -> Row | None:
    start = time.perf_counter()
    try:
        fitted = finish(BASELINES[method](seen, budget))
    except UsageError:
        return None
    spent = time.perf_counter() - start
    if (method, fitted.nbytes) not in done:
        peak = 1.0  # all data sets here are of 8 bits
        scores, _ = finish(score(fitted, btf, ~held, peak))
        done[method, fitted.nbytes] = {
            "method": method,
            "note": fitted.note,
            "bytes": fitted.nbytes,
            "seconds": spent,
            **scores.totals(),
        }
    return done[method, fitted.nbytes]


def print_row(row: Row) -> None:
    print(
        f"{row['data']:<16}{row['method']:<18}{row['note']:<28}{row['bytes'] / 1e3:>9.0f}"
        f"{row['bytes_capture'] / row['bytes']:>8.1f}{figure(row['psnr_seen']):>8}"
        f"{figure(row['psnr_unseen']):>8}{figure(row['ssim_seen'], 3):>8}"
        f"{figure(row['ssim_unseen'], 3):>8}{row['seconds']:>7.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = os.environ.get("NAPARI_BTF_DATA", str(ROOT.parent / "shared/data"))
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(DATA_SETS))
    parser.add_argument("--data", type=Path, default=Path(folder))
    parser.add_argument("--bytes", type=float, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument(
        "--seconds", type=float, help="training time (default: chosen by the codec)"
    )
    parser.add_argument("--results", type=Path, help="file of rows to read and to extend")
    parser.add_argument("--write", action="store_true", help="write the page and the plot")
    parser.add_argument("--no-run", action="store_true", help="only use the rows of --results")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(DATA_SETS)
    if unknown:
        parser.error(f"no such data set: {', '.join(sorted(unknown))}")

    rows: list[Row] = []
    if arguments.results and arguments.results.exists():
        rows = json.loads(arguments.results.read_text())
    for name in () if arguments.no_run else arguments.names or DATA_SETS:
        try:
            data_set = DATA_SETS[name][1](arguments.data)
        except Exception as error:
            print(f"({name} is skipped: {error})")
            continue
        rows = [row for row in rows if row["data"] != name]
        for row in measure(name, data_set, arguments.bytes, arguments.seconds):
            print_row(row)
            rows.append(row)
        if arguments.results:
            arguments.results.write_text(json.dumps(rows))
    if arguments.write:
        titles = {name: title for name, (title, _) in DATA_SETS.items()}
        text = page(rows, titles)
        (ROOT / "docs" / "benchmarks.md").write_text(text, "utf-8")
        plot(rows, titles, ROOT / "docs" / "images" / "rate_distortion.png")


if __name__ == "__main__":
    main()
