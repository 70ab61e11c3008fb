"""The codec next to the classical baselines, on real captures.

    python benchmarks/codec.py [--data FOLDER] [--seconds 5]

Prints a table: PSNR on the directions trained on and on directions held out, bytes of the
model, seconds. Baselines in the same run and at the same number of latents: PCA of the texels
(float32, captured directions only), and its components interpolated over the stereographic
disks by a thin-plate spline (smoothing 0.01). The folder is described in docs/codec.md; without
it only the sample that ships with the package is measured.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator
from sklearn.decomposition import PCA

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings
from napari_btf.directions import group_directions, vectors_to_disk
from napari_btf.evaluate import psnr, psnr_over
from napari_btf.formats import read
from napari_btf.progress import finish
from napari_btf.samples import open_sample
from napari_btf.training import train


def held_out_lights(btf: BTF) -> np.ndarray:
    """Sixteen of the lights, the same ones as in the published figures."""
    lights = group_directions(btf.light)
    if len(btf.grid.views) == 1:
        chosen = lights.member_of[np.random.RandomState(1).permutation(len(btf))[:16]]
    else:
        chosen = np.random.RandomState(1).permutation(len(lights.vectors))[:16]
    return np.isin(lights.member_of, chosen)


def baselines(
    btf: BTF, held: np.ndarray, latents: int
) -> list[tuple[str, float, float, int, float]]:
    """PCA, and PCA with a thin-plate spline over directions."""
    start = time.perf_counter()
    values = np.asarray(btf.frames).reshape(len(btf), -1, btf.channels).transpose(1, 0, 2) / 255
    seen = values[:, ~held].reshape(len(values), -1).astype(np.float32)
    pca = PCA(latents, random_state=0).fit(seen)
    latent = pca.transform(seen)
    pca_seconds = time.perf_counter() - start
    pca_psnr = psnr(np.clip(pca.inverse_transform(latent), 0, 1), seen)

    table = np.concatenate([pca.mean_[None], pca.components_])
    table = table.reshape(latents + 1, -1, btf.channels).transpose(1, 0, 2)
    points = np.concatenate([vectors_to_disk(btf.light), vectors_to_disk(btf.view)], axis=1)
    points = points[:, np.ptp(points, axis=0) > 1e-6]
    spline = RBFInterpolator(
        points[~held], table.reshape(len(table), -1), kernel="thin_plate_spline", smoothing=0.01
    )
    ones = np.concatenate([np.ones((len(latent), 1)), latent], axis=1)

    def score(which: np.ndarray) -> float:
        basis = spline(points[which]).reshape(-1, latents + 1, btf.channels)
        decoded = np.einsum("tk,nkc->tnc", ones, basis)
        return psnr(np.clip(decoded, 0, 1), values[:, which])

    size = 4 * (latent.size + table.size)
    spline_row = ("PCA + thin-plate", score(~held), score(held), size)
    return [
        ("PCA", pca_psnr, np.nan, size, pca_seconds),
        (*spline_row, time.perf_counter() - start),
    ]


def print_row(
    name: str,
    latents: int,
    nbytes: int,
    method: str,
    seen: float,
    unseen: float,
    size: int,
    seconds: float,
) -> None:
    held = "-" if np.isnan(unseen) else f"{unseen:.2f}"
    print(
        f"{name:<16}{latents:>3}  {method:<18}{seen:>8.2f}{held:>8}"
        f"{size / 1e3:>7.0f}{nbytes / size:>7.1f}{seconds:>7.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = os.environ.get("NAPARI_BTF_DATA", str(Path(__file__).parents[2] / "shared/data"))
    parser.add_argument("--data", type=Path, default=Path(folder))
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()

    captures = {"weave sample": open_sample().in_memory()}
    wallpaper = arguments.data / "ubo2003-wallpaper" / "tv000_pv000"
    if wallpaper.is_dir():
        captures["wallpaper"] = read(wallpaper).in_memory()
    else:
        print(f"(no wallpaper in {arguments.data}: only the sample is measured)")

    print(f"{'capture':<16}{'K':>3}  {'method':<18}{'seen dB':>8}{'held dB':>8}", end="")
    print(f"{'kB':>7}{'ratio':>7}{'s':>7}")
    for name, btf in captures.items():
        held = held_out_lights(btf)
        for latents in (8, 16, 32):
            rows = baselines(btf, held, latents)
            settings = FitSettings(latents, NetworkSettings(seconds=arguments.seconds))
            model, report = finish(train(btf, settings=settings, held_out=held))
            rows.append(
                (
                    "neural-basis",
                    report.psnr_train,
                    report.psnr_held_out or np.nan,
                    model.file_size,
                    report.seconds,
                )
            )
            for row in rows:
                print_row(name, latents, btf.nbytes, *row)
    grid, off = arguments.data / "weave" / "grid64", arguments.data / "weave" / "offgrid64"
    if grid.is_dir() and off.is_dir():
        # All 81 x 81 directions: far beyond a linear codec, and said so in docs/codec.md.
        btf = read(grid).in_memory()
        settings = FitSettings(8, NetworkSettings(seconds=arguments.seconds))
        model, report = finish(train(btf, settings=settings))
        unseen = finish(psnr_over(model, read(off)))
        figures = (report.psnr_train, unseen, model.file_size, report.seconds)
        print_row("weave, off-grid", 8, btf.nbytes, "neural-basis", *figures)


if __name__ == "__main__":
    main()
