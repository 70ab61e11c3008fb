"""Few or badly spread lights: neural-basis next to the classical codecs on lights held out.

    python benchmarks/few_lights.py [CAPTURE ...] [--counts 3,4,5,6,8,10,12,16] [--size 48]

Without captures it uses three synthetic surfaces (matte, glossy, rough). Of each, some lights are
kept, spread evenly, as the ring nearest to 45 degrees, and as an arc of it; the others are held
out. It prints the PSNR in dB of each codec over the held-out lights, and the lead of neural-basis
over the best of the others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from napari_btf.baselines import BASELINES
from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, fit
from napari_btf.directions import angles_to_vectors, vectors_to_angles
from napari_btf.errors import UsageError
from napari_btf.formats import read
from napari_btf.interpolation.points import spread_subset
from napari_btf.progress import finish

#: Rings of the synthetic captures: theta, and number of lights.
RINGS = ((0, 1), (15, 6), (30, 12), (45, 16), (60, 16))


def synthetic(kind: str, size: int) -> BTF:
    """A bumpy surface with two albedos, under the lights of a dome."""
    y, x = np.mgrid[:size, :size]
    bumps = [-0.35 * np.sin(x / 5) * np.cos(y / 7), 0.35 * np.cos(x / 6) * np.sin(y / 4)]
    normal = np.dstack([*bumps, np.ones((size, size))])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    albedo = np.where((x // 12 + y // 12)[..., None] % 2, (0.55, 0.5, 0.45), (0.7, 0.15, 0.1))
    angles = [(t, 360 * i / n) for t, n in RINGS for i in range(n)]
    light = angles_to_vectors(*np.transpose(angles))
    view = np.tile([0.0, 0.0, 1.0], (len(light), 1))
    frames = []
    for one in light:
        lit = np.clip(normal @ one, 0, 1)[..., None]
        if kind == "rough":
            lit = lit**0.6
        value = albedo * lit
        if kind == "glossy":
            half = one + np.array([0.0, 0.0, 1.0])
            half /= np.linalg.norm(half)
            value = 0.7 * value + 0.3 * np.clip(normal @ half, 0, 1)[..., None] ** 30
        frames.append(np.rint(255 * np.clip(value, 0, 1) ** (1 / 2.2)).astype(np.uint8))
    return BTF(np.stack(frames), light, view, source=kind, format="synthetic")


def opened(path: str, size: int) -> BTF:
    """A capture, of which about size x size texels are kept."""
    btf = read(Path(path))
    first = btf.select(np.flatnonzero((btf.view == btf.view[0]).all(axis=1)))
    step = max(1, min(first.height, first.width) // size)
    frames = np.stack([first.frame(i)[::step, ::step] for i in range(len(first))])
    return BTF(frames, first.light, first.view, source=str(path), format="stack")


def choices(light: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Which lights are kept: spread, on a ring, on an arc of 120 degrees."""
    theta, phi = vectors_to_angles(light)
    ring = np.flatnonzero(np.abs(theta - 45) < 6)
    ring = ring[np.argsort(phi[ring])]
    arc = ring[(phi[ring] % 360) < 120]
    disk = light[:, :2] / (1 + light[:, 2:])
    found = {"spread": spread_subset(disk, count)}
    for name, of in (("ring", ring), ("arc", arc)):
        if len(of) >= count:
            found[name] = of[np.arange(count) * len(of) // count]
    return found


def quality(codec: object, held: BTF) -> float:
    """PSNR over held-out lights."""
    largest, missed = 0.0, []
    images = codec.shaded(held.light, held.view)  # type: ignore[attr-defined]
    for i, image in enumerate(images):
        truth = held.values.encode(held.frame(i))
        largest = max(largest, float(truth.max()))
        top = largest if held.values.is_float else 1.0
        missed.append(np.mean((np.clip(image, 0, top) - truth) ** 2))
    peak = largest if held.values.is_float else 1.0
    return float(10 * np.log10(peak**2 / max(np.mean(missed), 1e-12)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("captures", nargs="*")
    parser.add_argument("--counts", default="3,4,5,6,8,10,12,16")
    parser.add_argument("--size", type=int, default=48)
    asked = parser.parse_args()
    kinds = ("matte", "glossy", "rough")
    captures = [opened(path, asked.size) for path in asked.captures]
    for btf in captures or [synthetic(kind, asked.size) for kind in kinds]:
        print(f"\n{btf.source}: {len(btf)} lights, {btf.height} x {btf.width}")
        for count in map(int, asked.counts.split(",")):
            for name, kept in choices(btf.light, count).items():
                some = btf.select(kept)
                held = btf.select(np.setdiff1d(np.arange(len(btf)), kept))
                latents = min(12, count * btf.channels)
                model = finish(fit(some, settings=FitSettings(latents, codec="neural-basis")))
                ours, others = quality(model, held), {}
                for baseline in BASELINES.values():
                    try:
                        made = finish(baseline(some))
                        others[made.name] = quality(made, held)
                    except UsageError:
                        continue
                line = "  ".join(f"{n} {v:5.2f}" for n, v in others.items())
                lead = ours - max(others.values())
                print(f"{count:3} {name:6} neural-basis {ours:5.2f} ({lead:+5.2f})  {line}")


if __name__ == "__main__":
    main()
