"""Milliseconds per relit frame, next to the predecessor's per-texel decoder.

    python benchmarks/decode.py [--latents 16]

The linear decoder is timed as `napari_btf.relight` runs it, to 8 bits, on the shipped sample tiled
to each size. The network it is compared with has 4 layers of 106 units on 8 latents and 4
direction coordinates, evaluated for every texel by torch, in chunks that fit the cache.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings
from napari_btf.codec.latent_coding import code_latents
from napari_btf.codec.neural_basis import NeuralBasisBTF
from napari_btf.progress import finish
from napari_btf.relighting import relight
from napari_btf.samples import open_sample
from napari_btf.training import train


def median_ms(call: Callable[[int], object], runs: int) -> float:
    times = []
    for i in range(runs + 1):
        start = time.perf_counter()
        call(i)
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]) * 1e3)


def tiled(model: CompressedBTF, size: int) -> CompressedBTF:
    assert isinstance(model, NeuralBasisBTF)
    latents = np.tile(model.latent_map, (size // model.height, size // model.width, 1))
    large = replace(model, coded=code_latents(latents, model.coded.step))
    # Decoded from the file's form once, not with the first frame.
    assert large.latent_map.shape == latents.shape
    return large


@torch.no_grad()
def per_texel(net: torch.nn.Module, latents: torch.Tensor, i: int) -> torch.Tensor:
    direction = torch.full((4,), 0.01 * i)
    out = []
    for chunk in latents.split(4096):
        out.append(net(torch.cat([chunk, direction.expand(len(chunk), 4)], dim=1)))
    return (torch.cat(out).clamp(0, 1) * 255).to(torch.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latents", type=int, default=16)
    arguments = parser.parse_args()
    settings = FitSettings(arguments.latents, NetworkSettings(epochs=50))
    model, _ = finish(train(open_sample(), settings=settings))
    widths = (12, 106, 106, 106, 106)
    layers: list[torch.nn.Module] = []
    for a, b in pairwise(widths):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(106, 3))

    print(f"{torch.get_num_threads()} threads, {arguments.latents} latents")
    print(f"{'size':>6}{'neural-basis ms':>18}{'4 x 106 per texel ms':>23}{'ratio':>8}")
    for size in (256, 512, 1024):
        large = tiled(model, size)
        ours = median_ms(lambda i, m=large: relight(m, (30, 3.6 * i), (10, 20)), 30)
        latents = torch.rand(size * size, 8)
        theirs = median_ms(lambda i, z=latents: per_texel(net, z, i), 5)
        print(f"{size:>6}{ours:>18.2f}{theirs:>23.1f}{theirs / ours:>8.0f}")


if __name__ == "__main__":
    main()
