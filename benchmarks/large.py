"""Memory and time of training on captures of increasing size.

    python benchmarks/large.py [--codec neural-basis] [--sizes 64 128 256 512] [--observations 6561]

The capture is weave (6,561 images of 64 x 64 texels) in the data folder NAPARI_BTF_DATA, or the
sample of the package if this folder does not exist. It is tiled to each size while it is read;
each tile is a little darker than the one before, so that no two tiles are equal. Each training
runs in its own process. A training step takes the same number of values at every size, while the
other phases take all values. Their time is therefore printed per texel and observation.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_btf import read
from napari_btf.btf import BTF, into_memory
from napari_btf.codec import FitSettings, NetworkSettings
from napari_btf.progress import finish
from napari_btf.samples import sample_path
from napari_btf.training import train

#: Duration of the training of the parallax codec, in seconds.
SECONDS = 20.0


class Tiled:
    """Frames (N, H, W, C) that are tiled to a larger size when they are read, one at a time."""

    def __init__(self, frames: np.ndarray, size: int) -> None:
        self._frames, times = frames, size // frames.shape[1]
        self._times = (times, times, 1)
        shade = np.linspace(1.0, 0.6, times * times).reshape(times, times)
        shade = np.kron(shade, np.ones(frames.shape[1:3]))
        self._shade = np.rint(256 * shade).astype(np.uint16)[..., np.newaxis]
        self.shape = (len(frames), *shade.shape, frames.shape[3])
        self.dtype = frames.dtype

    def __getitem__(self, i: Any) -> np.ndarray:
        if not isinstance(i, (int, np.integer)):
            return np.stack([self[j] for j in np.arange(len(self._frames))[i]])
        tiled = np.tile(self._frames[i], self._times)
        return np.asarray((tiled * self._shade) >> 8, dtype=self.dtype)


def capture() -> BTF:
    weave = Path(os.environ.get("NAPARI_BTF_DATA", "")) / "weave" / "grid64"
    return read(weave if weave.is_dir() else sample_path())


def one(codec: str, size: int, observations: int) -> dict[str, Any]:
    """Train on a capture of one size in this process, and return the numbers of its row."""
    btf = finish(into_memory(capture()))
    if observations < len(btf):
        btf = btf.select(np.sort(np.random.default_rng(0).permutation(len(btf))[:observations]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    large = replace(btf, frames=Tiled(btf.frames, size)) if size > btf.height else btf
    settings = FitSettings(network=NetworkSettings(seconds=SECONDS), codec=codec, latents=24)
    start = time.perf_counter()
    model, report = finish(train(large, settings=settings))
    return {
        "values": large.nbytes,
        "observed": len(large) * large.height * large.width,
        "seconds": time.perf_counter() - start,
        "phases": report.phases,
        "psnr": report.psnr_train,
        "before": before / 2**10,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
        "latents": model.latent_count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codec", nargs="+", default=["neural-basis", "parallax"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 128, 256, 512])
    parser.add_argument("--observations", type=int, default=6561)
    parser.add_argument("--one", nargs=2, metavar=("CODEC", "SIZE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        codec, size = arguments.one
        print(json.dumps(one(codec, int(size), arguments.observations)))
        return
    print(
        f"{'codec':<14}{'texels':>12}{'capture MiB':>13}{'peak MiB':>10}{'s':>8}"
        f"{'ns per texel-observation, by phase':>40}"
    )
    for codec in arguments.codec:
        for size in arguments.sizes:
            command = [sys.executable, __file__, "--one", codec, str(size)]
            command += ["--observations", str(arguments.observations)]
            found = json.loads(subprocess.run(command, check=True, stdout=-1, text=True).stdout)
            each = ", ".join(
                f"{phase} {1e9 * seconds / found['observed']:.1f}"
                for phase, seconds in found["phases"].items()
                if phase not in ("train", "basis")
            )
            print(
                f"{codec:<14}{f'{size} x {size}':>12}{found['values'] / 2**20:>13,.0f}"
                f"{found['peak']:>10,.0f}{found['seconds']:>8.1f}   {each}   "
                f"{found['psnr']:.2f} dB",
                flush=True,
            )


if __name__ == "__main__":
    main()
