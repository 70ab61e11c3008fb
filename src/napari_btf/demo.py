"""The demo: compress the sample capture, embed its latents with t-SNE, and relight it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_btf.codec import CompressedBTF, FitSettings
from napari_btf.embedding import embed, write_embedding
from napari_btf.errors import UsageError
from napari_btf.export.images import write_image
from napari_btf.files import check_place, write_file
from napari_btf.plots import contact_sheet, plot_embedding, typical_observations
from napari_btf.progress import Job, Progress
from napari_btf.relighting import relight
from napari_btf.samples import open_sample
from napari_btf.texels.sampling import all_texels
from napari_btf.training import train

__all__ = ["DemoResult", "run_demo"]

LATENTS = 32

#: Pairs of light and view as (theta, phi) in degrees; the sample has no image of any of them.
NEW_DIRECTIONS = (
    ((40.0, 25.0), (0.0, 0.0)),
    ((52.0, 130.0), (8.0, 30.0)),
    ((66.0, 215.0), (12.0, 150.0)),
    ((22.0, 300.0), (10.0, 270.0)),
)


@dataclass(frozen=True)
class DemoResult:
    """The result of the demo.

    Parameters
    ----------
    model : CompressedBTF
    folder : Path
        The folder with all files.
    summary : dict
        Quality, size and time of the training, as in ``summary.json``.
    """

    model: CompressedBTF
    folder: Path
    summary: dict[str, Any]


def run_demo(folder: str | Path) -> Job[DemoResult]:
    """Compress, embed and relight the sample, and write all results into a folder.

    The files are ``model.safetensors``, ``contact_sheet.png``, ``tsne.csv``, ``tsne.png``,
    ``latents.png``, ``relit_*.png`` and ``summary.json``.

    Parameters
    ----------
    folder : str or Path
        Created if it does not exist.

    Yields
    ------
    Progress

    Returns
    -------
    DemoResult

    Raises
    ------
    UsageError
        If the folder cannot be created or written to.
    """
    folder = Path(folder)
    check_place(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            folder, f"it cannot be created ({error.strerror})", "choose another folder"
        ) from error
    btf = open_sample().in_memory()
    model, report = yield from train(btf, settings=FitSettings(LATENTS))
    path = model.save(folder / "model.safetensors")
    summary = report.summary(path.stat().st_size)
    write_file(folder / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())

    coords = all_texels(model.height, model.width)
    points = yield from embed(model)
    write_embedding(folder / "tsne.csv", points, coords)

    yield Progress("draw", 0, 3)
    contact_sheet(model, btf, typical_observations(btf), folder / "contact_sheet.png")
    yield Progress("draw", 1, 3)
    mean = np.mean(list(btf.iter_frames()), axis=0) / btf.values.largest
    plot_embedding(points, mean.reshape(-1, btf.channels), mean, folder / "tsne.png")
    write_image(folder / "latents.png", false_colours(model))
    yield Progress("draw", 2, 3)
    for light, view in NEW_DIRECTIONS:
        # Not in the form of a capture's names, because the folder would pass for a capture.
        name = "relit_light_{:g}_{:g}_view_{:g}_{:g}.png".format(*light, *view)
        write_image(folder / name, relight(model, light, view))
    yield Progress("draw", 3, 3)
    return DemoResult(model, folder, summary)


def false_colours(model: CompressedBTF) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Show the first three latents as red, green and blue, each scaled to its range: (H, W, 3)."""
    latents = model.latent_map[:, :, :3]
    if latents.shape[2] < 3:
        latents = np.repeat(latents[:, :, :1], 3, axis=2)
    low, high = latents.min(axis=(0, 1)), latents.max(axis=(0, 1))
    shown = (latents - low) / np.where(high > low, high - low, 1.0)
    return np.asarray(np.rint(255 * shown).astype(np.uint8))
