"""Time and quality of the program from which this one was developed, compared with this program.

    python benchmarks/predecessor.py [--data FOLDER] [--quick] [--weave SECONDS]

The first part trains the autoencoder of the predecessor as published, on ``ubo2003-wallpaper`` (81
lights): 2,500 random texels, 10 epochs of Adam with a learning rate of 0.005, and batches of 256
(texel, light) pairs from a torch DataLoader. The encoder is evaluated once for each pair. A random
fifth of the pairs is held out. Then it trains the codecs of this package. Their time is measured
from opening the capture until the model is complete, and their error on the same held-out pairs.
(All encoders see these pairs, because the encoder of the predecessor takes all lights of a texel.)
``--quick`` takes a hundredth of the work.

With ``--weave SECONDS``, the second part trains the decoder of the predecessor (8 latents, 4 layers
of 106 units, 4 coordinates of directions) on ``weave`` for this time. Its latents are free
parameters, because its encoder works only for a single view. It gets the same initial learning
rate, but a cosine schedule and batches of 8,192 pairs, which improves it over the published
training. The codec parallax is trained for the same time. The PSNR is measured on 400 random
observations of the grid, and on all observations off the grid.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset, random_split

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.directions import vectors_to_disk
from napari_btf.formats import read
from napari_btf.progress import finish

ROW = "{:<42}{:>9}{:>14}{:>10}{:>10}{:>9}"
LATENTS, UNITS, RATE, EPSILON = 8, 106, 5e-3, 1e-7
PIXELS, EPOCHS, BATCH = 2500, 10, 256
WEAVE_BATCH = 8192


class Autoencoder(nn.Module):
    """An encoder with one convolution along the lights of a texel, and a decoder.

    The decoder takes the latents and the direction of the light.
    """

    def __init__(self, observations: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(3, 128, 3, padding="same"),
            nn.BatchNorm1d(128),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Flatten(),
            nn.Linear(128 * (observations // 2), LATENTS),
        )
        self.decoder = decoder(2)
        self.apply(start)

    def forward(self, abrdf: torch.Tensor, light: torch.Tensor) -> torch.Tensor:
        latents = self.encoder(abrdf.permute(0, 2, 1))
        return self.decoder(torch.cat([latents, light], dim=-1))


def decoder(coordinates: int) -> nn.Sequential:
    widths = (LATENTS + coordinates, *(UNITS,) * 4)
    layers = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(UNITS, 3))


def start(part: nn.Module) -> None:
    if isinstance(part, nn.Linear | nn.Conv1d):
        nn.init.xavier_uniform_(part.weight)
        nn.init.zeros_(part.bias)


def db(error: float) -> float:
    return float(-10 * np.log10(error))


@dataclass
class Held:
    """The pairs that the predecessor held out: rows (y, x), observations and captured colours."""

    yx: np.ndarray
    observation: np.ndarray
    colour: np.ndarray

    def error(self, images: Callable[[int], np.ndarray]) -> float:
        """Return the mean squared error at the pairs; ``images`` maps observations to images."""
        total = 0.0
        for i in np.unique(self.observation):
            at = self.observation == i
            colours = images(int(i))[self.yx[at, 0], self.yx[at, 1]]
            total += float(np.sum((colours - self.colour[at]) ** 2))
        return total / self.colour.size


def abrdfs_of(btf: BTF, yx: np.ndarray) -> np.ndarray:
    """Return ABRDFs (T, N, C) in 0..1, in double precision as in the predecessor."""
    return btf.texels(yx) / 255.0


def predecessor(folder: Path, pixels: int, epochs: int) -> tuple[float, Held]:
    """Train the predecessor as published, print a row, and return seconds and held-out pairs."""
    torch.manual_seed(42)
    began = time.monotonic()
    btf = read(folder)
    chosen = np.random.RandomState(42).choice(btf.height * btf.width, pixels, replace=False)
    yx = np.stack([chosen // btf.width, chosen % btf.width], axis=1)
    abrdfs, count = abrdfs_of(btf, yx), len(btf)
    items = TensorDataset(
        # The ABRDF of a texel is repeated for each light, because each item contains it.
        torch.from_numpy(np.repeat(abrdfs, count, axis=0)).float(),
        torch.from_numpy(np.tile(vectors_to_disk(btf.light), (pixels, 1))).float(),
        torch.from_numpy(abrdfs.reshape(-1, 3)).float(),
    )
    used, held = random_split(items, [int(0.8 * len(items)), len(items) - int(0.8 * len(items))])
    loader = DataLoader(used, batch_size=BATCH, shuffle=True)
    model, loss_of = Autoencoder(count), nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, eps=EPSILON)
    errors = []
    for epoch in range(epochs):
        model.train()
        for abrdf, light, colour in loader:
            optimizer.zero_grad()
            loss = loss_of(model(abrdf, light), colour)
            loss.backward()
            optimizer.step()
        errors.append(validation(model, held))
        print(
            f"  epoch {epoch + 1}: {time.monotonic() - began:.0f} s, {errors[-1]:.5f}", flush=True
        )
    model.eval()
    with torch.no_grad():
        every = abrdfs_of(btf, np.indices((btf.height, btf.width)).reshape(2, -1).T)
        latents = torch.cat(
            [
                model.encoder(torch.from_numpy(part).float().permute(0, 2, 1))
                for part in np.array_split(every, len(every) // 512)
            ]
        )
        seconds = time.monotonic() - began
        total = 0.0
        for i, light in enumerate(vectors_to_disk(btf.light)):
            place = torch.from_numpy(light).float().expand(len(latents), 2)
            image = model.decoder(torch.cat([latents, place], dim=-1)).clamp(0, 1).numpy()
            total += float(np.mean((image - every[:, i]) ** 2)) / count
    index = np.array(held.indices)
    pairs = Held(yx[index // count], index % count, items.tensors[2].numpy()[index])
    size = 4 * (latents.numel() + sum(part.numel() for part in model.decoder.parameters()))
    name = f"predecessor, {pixels} texels, {epochs} epochs"
    print(
        ROW.format(name, f"{seconds:.1f}", f"{errors[-1]:.5f}", f"{db(total):.2f}", size, "1"),
        flush=True,
    )
    print(f"  (its best epoch: validation MSE {min(errors):.5f})")
    return seconds, pairs


def validation(model: nn.Module, held: Subset[tuple[torch.Tensor, ...]]) -> float:
    model.eval()
    total = 0.0
    with torch.no_grad():
        for abrdf, light, colour in DataLoader(held, batch_size=BATCH):
            total += float(((model(abrdf, light) - colour) ** 2).sum())
    return total / (3 * len(held))


def ours(folder: Path, name: str, settings: FitSettings, theirs: float, held: Held) -> None:
    """Train a codec of this package and print a row; the time includes opening the capture."""
    began = time.monotonic()
    btf = read(folder).in_memory()
    coords = None
    if settings.codec == "abrdf-conv":
        chosen = np.random.RandomState(42).choice(btf.height * btf.width, PIXELS, replace=False)
        coords = np.stack([chosen // btf.width, chosen % btf.width], axis=1)
    model = finish(fit(btf, coords, settings))
    seconds = time.monotonic() - began
    validated = held.error(lambda i: model.decode(btf.light[i], btf.view[i]))
    figures = f"{seconds:.2f}", f"{validated:.5f}", f"{score(model, btf):.2f}", model.file_size
    print(ROW.format(name, *figures, f"1/{theirs / seconds:.0f}"), flush=True)


def score(model: CompressedBTF, btf: BTF, some: np.ndarray | None = None) -> float:
    """Return the PSNR of the mean squared error of clipped images over observations."""
    which = np.arange(len(btf)) if some is None else some
    error = 0.0
    for i, image in zip(which, model.shaded(btf.light[which], btf.view[which]), strict=True):
        captured = btf.values.encode(btf.frame(int(i)))
        error += float(np.mean((np.clip(image, 0, 1) - captured) ** 2))
    return db(error / len(which))


def wallpaper(folder: Path, quick: bool) -> None:
    pixels, epochs = (250, 1) if quick else (PIXELS, EPOCHS)
    header = "wallpaper", "wall s", "held-out MSE", "PSNR dB", "bytes", "time"
    print(ROW.format(*header))
    seconds, held = predecessor(folder, pixels, epochs)
    short = NetworkSettings(epochs=1)
    for name, settings in (
        ("neural-basis, default settings", FitSettings()),
        ("neural-basis, 3 bytes per texel", FitSettings(bytes_per_texel=3.0)),
        ("neural-basis, 8 latents, 1 epoch", FitSettings(8, short)),
        (
            "abrdf-conv, the same texels and epochs",
            FitSettings(network=NetworkSettings(epochs=epochs), codec="abrdf-conv"),
        ),
        ("mlp", FitSettings(network=short if quick else NetworkSettings(), codec="mlp")),
    ):
        ours(folder, name, settings, seconds, held)


def free_latents(btf: BTF, seconds: float) -> Callable[[BTF, np.ndarray], float]:
    """Train the predecessor's decoder with a free latent vector per texel.

    Return a function of a capture and some of its observations, which gives the PSNR.
    """
    torch.manual_seed(42)
    rng = np.random.default_rng(42)
    texels, count = btf.height * btf.width, len(btf)
    values = torch.from_numpy(np.stack([btf.frame(i).reshape(-1, 3) for i in range(count)]))
    places = directions(btf)
    net = decoder(4)
    net.apply(start)
    latents = nn.Parameter(0.1 * torch.randn(texels, LATENTS))
    optimizer = torch.optim.Adam([latents, *net.parameters()], lr=RATE, eps=EPSILON)
    began = time.monotonic()
    while (done := (time.monotonic() - began) / seconds) < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1.0 + np.cos(np.pi * done))
        i = torch.from_numpy(rng.integers(count, size=WEAVE_BATCH))
        t = torch.from_numpy(rng.integers(texels, size=WEAVE_BATCH))
        colours = net(torch.cat([latents[t], places[i]], dim=-1))
        loss = ((colours - values[i, t].float() / 255.0) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    @torch.no_grad()
    def scored(other: BTF, some: np.ndarray) -> float:
        error, at = 0.0, directions(other)
        for i in some:
            image = net(torch.cat([latents, at[int(i)].expand(texels, 4)], dim=-1)).clamp(0, 1)
            captured = other.values.encode(other.frame(int(i))).reshape(-1, 3)
            error += float(np.mean((image.numpy() - captured) ** 2))
        return db(error / len(some))

    return scored


def directions(btf: BTF) -> torch.Tensor:
    disks = np.concatenate([vectors_to_disk(btf.light), vectors_to_disk(btf.view)], axis=1)
    return torch.from_numpy(disks.astype(np.float32))


def weave(folder: Path, seconds: float, sizes: list[float]) -> None:
    grid, off = read(folder / "grid64").in_memory(), read(folder / "offgrid64").in_memory()
    some = np.random.default_rng(0).choice(len(grid), min(400, len(grid)), replace=False)
    row = "{:<42}{:>9}{:>12}{:>12}{:>10}"
    print("\n" + row.format("weave", "wall s", "on grid dB", "off grid dB", "bytes"))
    began = time.monotonic()
    scored = free_latents(grid, seconds)
    spent = time.monotonic() - began
    theirs = scored(grid, some), scored(off, np.arange(len(off)))
    figures = (f"{value:.2f}" for value in theirs)
    name = "predecessor's decoder, free latents"
    weights = sum(part.numel() for part in decoder(4).parameters())
    size = 4 * (LATENTS * grid.height * grid.width + weights)
    print(row.format(name, f"{spent:.0f}", *figures, size), flush=True)
    for size in sizes:
        began = time.monotonic()
        settings = FitSettings(None, NetworkSettings(seconds=seconds), size, codec="parallax")
        model = finish(fit(grid, settings=settings))
        spent = time.monotonic() - began
        own = score(model, grid, some), score(model, off)
        figures = (f"{value:.2f}" for value in own)
        name = f"parallax, {size:g} bytes per texel"
        print(row.format(name, f"{spent:.0f}", *figures, model.file_size))
        gain = (f"{a - b:+.2f}" for a, b in zip(own, theirs, strict=True))
        print(row.format("difference", "", *gain, ""), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = os.environ.get("NAPARI_BTF_DATA", str(Path(__file__).parents[2] / "shared/data"))
    parser.add_argument("--data", type=Path, default=Path(folder))
    parser.add_argument(
        "--quick", action="store_true", help="take a hundredth of the work, to test"
    )
    parser.add_argument("--weave", type=float, metavar="SECONDS", help="also train on weave")
    parser.add_argument("--bytes", type=float, nargs="+", default=[32.0], help="per texel of weave")
    arguments = parser.parse_args()
    images = arguments.data / "ubo2003-wallpaper" / "tv000_pv000"
    if not images.is_dir():
        raise SystemExit(f"{arguments.data} has no ubo2003-wallpaper: name its folder with --data")
    print(f"torch uses {torch.get_num_threads()} threads\n")
    wallpaper(images, arguments.quick)
    if arguments.weave:
        weave(arguments.data / "weave", arguments.weave, arguments.bytes)


if __name__ == "__main__":
    main()
