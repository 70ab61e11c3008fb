"""The work of a training's thread: training with previews, saving, scoring. It knows no Qt."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.decoding.part import Part
from napari_btf.errors import BTFError
from napari_btf.evaluate.metrics import ssim
from napari_btf.plugin.viewer.model_layers import LayerData, latent_layer_data
from napari_btf.progress import Progress, wait_while_wanted
from napari_btf.training import train
from napari_btf.training.keeping import save_or_keep
from napari_btf.training.outlook import outlook
from napari_btf.values import to_display

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.fitting.settings import FitSettings
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.progress import Job
    from napari_btf.training import TrainingReport
    from napari_btf.training.outlook import Outlook

__all__ = [
    "Orders",
    "Outcome",
    "Plan",
    "Preview",
    "expected_phases",
    "outlook_of",
    "subject_of",
    "work",
]

#: Seconds between previews at least, and the share of the time they may take.
_PREVIEW_SECONDS, _PREVIEW_SHARE = 1.0, 0.03
#: SSIM is measured on so many images, and on at most so many rows and columns in their middle: it
#: takes longer than decoding them.
_SSIM_IMAGES, _SSIM_SIDE = 9, 512
_REPORTS_A_SECOND = 4
_GAPS, _SAMPLES = "PSNR of predictions between directions, dB", "PSNR of samples, dB"
#: Measured on two cores: seconds for each value that SSIM compares, and for each texel whose layers
#: are prepared.
_SSIM_SECONDS, _LAYER_SECONDS = 0.5e-6, 0.4e-6


@dataclass
class Orders:
    """Requests of the window to the thread, as plain values that both may read and write."""

    stopped: bool = False
    directions: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """The capture, the texels and the settings of a training.

    Parameters
    ----------
    btf : BTF
    coords : ndarray, shape (T, 2), optional
    settings : FitSettings
    held_out : ndarray of bool, shape (N,)
    path : Path, optional
        Where the model is to be saved.
    """

    btf: BTF
    coords: NDArray[np.intp] | None
    settings: FitSettings
    held_out: NDArray[np.bool_]
    path: Path | None = None


@dataclass(frozen=True, eq=False)
class Preview:
    """The present state of a training: a model, and its image under some directions."""

    model: CompressedBTF
    pixels: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trained model and its results.

    Parameters
    ----------
    plan : Plan
    model : CompressedBTF
    report : TrainingReport
    ssim : float
        Mean over the middle of some images, NaN for small ones.
    layers : list of tuple
        The latents as layer data.
    problem : str
        Why it could not be saved, or nothing.
    """

    plan: Plan
    model: CompressedBTF
    report: TrainingReport
    ssim: float
    layers: list[LayerData]
    problem: str = ""


class _UnforeseenError(Exception):
    """A RuntimeError of the training, under another name so that the dock hears of it."""


def work(plan: Plan, orders: Orders) -> Generator[tuple[Progress, Preview | None], None, Outcome]:
    """Train, save and score.

    Errors of torch are wrapped, because a napari worker ends silently at a RuntimeError.
    """
    try:
        held_out = plan.held_out if plan.held_out.any() else None
        job = train(plan.btf, plan.coords, plan.settings, held_out, stop=lambda: orders.stopped)
        model, report = yield from _with_previews(job, orders)
        problem = ""
        if plan.path is not None:
            try:
                model = replace(model, path=save_or_keep(model, plan.path))
            except BTFError as error:
                problem = str(error)
        began = time.monotonic() - report.seconds
        similarity = yield from _ssim(model, plan.btf, began)
        yield Progress("layers", 0, 1, seconds=time.monotonic() - began), None
        # What takes a while is done here: the size of the file, the percentiles of the latents.
        assert wait_while_wanted(lambda: model.file_size)
        layers = wait_while_wanted(lambda: latent_layer_data(model, plan.btf))
        return Outcome(plan, model, report, similarity, layers, problem)
    except RuntimeError as error:
        raise _UnforeseenError(str(error)) from error


def expected_phases(plan: Plan) -> dict[str, float | None]:
    """Return all phases of `work`, with about their seconds; nothing if it cannot be planned."""
    try:
        return outlook_of(plan.btf, plan.settings).phases
    except BTFError:
        # The work itself says what is wrong.
        return {}


def subject_of(plan: Plan) -> str:
    """Return what the errors are errors of that `work` reports while it trains."""
    try:
        codec = outlook(plan.btf, plan.settings).codec
    except BTFError:
        return ""
    # The network of neural-basis does not make the model: it only fills gaps between directions.
    return _GAPS if codec == "neural-basis" else _SAMPLES


def outlook_of(btf: BTF, settings: FitSettings) -> Outlook:
    """Return the outlook of `work`, which measures and prepares more than a training alone.

    Raises
    ------
    UsageError
        If there cannot be such a training.
    """
    found = outlook(btf, settings)
    texels = min(btf.height, _SSIM_SIDE) * min(btf.width, _SSIM_SIDE)
    measured = min(len(btf), _SSIM_IMAGES) * texels * btf.channels
    layers = _LAYER_SECONDS * btf.height * btf.width
    more: dict[str, float | None] = {"similarity": measured * _SSIM_SECONDS, "layers": layers}
    return replace(found, phases={**found.phases, **more})


def _with_previews(
    job: Job[tuple[CompressedBTF, TrainingReport]], orders: Orders
) -> Generator[tuple[Progress, Preview | None], None, tuple[CompressedBTF, TrainingReport]]:
    """Yield reports of a job, sometimes with a preview, no more often than people can see."""
    reported, phase, next_preview = -np.inf, "", time.monotonic()
    with closing(job):
        while True:
            try:
                progress = next(job)
            except StopIteration as stop:
                result: tuple[CompressedBTF, TrainingReport] = stop.value
                return result
            preview, now = None, time.monotonic()
            if progress.preview is not None and now >= next_preview and orders.directions:
                model = progress.preview()
                preview = Preview(model, to_display(model.image(*orders.directions)))
                took = time.monotonic() - now
                next_preview = now + took + max(_PREVIEW_SECONDS, took / _PREVIEW_SHARE)
            is_last = progress.step == progress.total
            is_new = progress.phase != phase or is_last or preview is not None
            if is_new or now >= reported + 1 / _REPORTS_A_SECOND:
                reported, phase = now, progress.phase
                yield replace(progress, preview=None), preview


def _ssim(
    model: CompressedBTF, btf: BTF, began: float
) -> Generator[tuple[Progress, None], None, float]:
    """Return the mean structural similarity in the middle of some images, evenly chosen from all.

    ``began`` is when the training began, by the monotonic clock.
    """
    if btf.values.is_float or min(btf.height, btf.width) < 11:
        return float("nan")
    some = np.unique(np.linspace(0, len(btf) - 1, _SSIM_IMAGES).astype(int))
    part = Part.of(btf.height, btf.width, _middle(btf.height), _middle(btf.width))
    images = model.shaded_part(btf.light[some], btf.view[some], part)
    found = []
    for i, (which, image) in enumerate(zip(some, images, strict=True)):
        captured = btf.values.encode(part.cut(btf.frame(int(which))))
        found.append(wait_while_wanted(partial(ssim, np.clip(image, 0.0, 1.0), captured)))
        yield Progress("similarity", i + 1, len(some), seconds=time.monotonic() - began), None
    return float(np.mean(found))


def _middle(length: int) -> slice:
    first = max(0, (length - _SSIM_SIDE) // 2)
    return slice(first, min(length, first + _SSIM_SIDE))
