"""From an open capture to a scored model: what `napari-btf train` and the dock run."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_btf.btf.value_range import range_note
from napari_btf.codec import CompressedBTF, FitSettings, fit
from napari_btf.codec.choice import plan
from napari_btf.codec.fitting.checks import texels_that_fit
from napari_btf.codec.fitting.processes import share_in_memory
from napari_btf.errors import CaptureError, UsageError
from napari_btf.evaluate import psnr_over
from napari_btf.progress import Progress, is_report_due

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.fitting.checkpoint import Checkpoint
    from napari_btf.progress import Job

T = TypeVar("T")

__all__ = [
    "TrainingReport",
    "train",
]


_LARGE_IMAGE = 1 << 26
"""Bytes of an image from which one is read before anything else, although it is read again."""


@dataclass(frozen=True)
class TrainingReport:
    """The results of a training.

    Parameters
    ----------
    psnr_train : float
        dB over the whole image at all directions trained on.
    psnr_held_out : float or None
        dB over the whole image at the directions held out.
    seconds : float
        Reading, training, encoding and evaluation, without pauses between reports.
    bytes_capture : int
        All pixel values of the capture, uncompressed.
    texels_trained, latents : int
    codec : str
        Name of the codec.
    phases : dict
        Seconds of each phase of the job, by its name.
    note : str
        What is to be said of the outcome; mostly nothing.
    """

    psnr_train: float
    psnr_held_out: float | None
    seconds: float
    bytes_capture: int
    texels_trained: int
    latents: int
    codec: str
    phases: dict[str, float]
    note: str = ""

    def summary(self, bytes_model: int) -> dict[str, Any]:
        """Return the report as plain values, with the size of the model file and the ratio."""
        return {
            "psnr_train": self.psnr_train,
            "psnr_held_out": self.psnr_held_out,
            "seconds": round(self.seconds, 2),
            "bytes_model": bytes_model,
            "bytes_capture": self.bytes_capture,
            "compression_ratio": round(self.bytes_capture / bytes_model, 2),
            "texels_trained": self.texels_trained,
            "latents": self.latents,
            "codec": self.codec,
            "phases": {name: round(seconds, 2) for name, seconds in self.phases.items()},
        }


def train(
    btf: BTF,
    coords: ArrayLike | None = None,
    settings: FitSettings | None = None,
    held_out: NDArray[np.bool_] | None = None,
    stop: Callable[[], bool] = lambda: False,
    checkpoint: Checkpoint | None = None,
) -> Job[tuple[CompressedBTF, TrainingReport]]:
    """Compress a BTF and score the result.

    Parameters
    ----------
    btf : BTF
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels to learn from; all by default.
    settings : FitSettings, optional
    held_out : ndarray of bool, shape (N,), optional
        Observations the training does not see; they are scored on their own.
    stop : callable, optional
        Asked often; true ends the training early and keeps the best so far.
    checkpoint : Checkpoint, optional
        Where to note how far it is, and what to go on from.

    Yields
    ------
    Progress

    Returns
    -------
    CompressedBTF, TrainingReport

    Raises
    ------
    UsageError
        If a setting does not fit the capture; nothing has been read then.
    CaptureError
        If an image cannot be read, or holds values that are not numbers or too large for a model.
    """
    phases: dict[str, float] = {}
    settings = settings or FitSettings()
    if held_out is not None and not held_out.any():
        held_out = None
    seen = _without(btf, held_out)
    planned = plan(seen, settings)
    planned.check(seen, coords)
    # Only headers were read so far. Nothing large is made of the size that they claim before an
    # image has confirmed it.
    if btf.nbytes > _LARGE_IMAGE * len(btf):
        seen.frame(0)
    # All at once, so that what is held out is not read on its own.
    btf = yield from _timed(share_in_memory(btf, settings.network.memory // 4), phases)
    yield from _timed(_check_values(btf), phases)
    seen = _without(btf, held_out)
    model = yield from _timed(fit(seen, coords, planned, stop, checkpoint), phases)
    psnr_train = yield from _timed(psnr_over(model, seen), phases)
    psnr_held_out = None
    if held_out is not None:
        psnr_held_out = yield from _timed(psnr_over(model, btf.select(held_out)), phases)
    chosen = btf.height * btf.width if coords is None else len(np.asarray(coords))
    return model, TrainingReport(
        psnr_train=psnr_train,
        psnr_held_out=psnr_held_out,
        seconds=sum(phases.values()),
        bytes_capture=btf.nbytes,
        texels_trained=min(chosen, texels_that_fit(seen, settings.network.memory)),
        latents=model.latent_count,
        codec=model.architecture,
        phases=phases,
        note="; ".join(filter(None, (_note(model, planned.codec.name), range_note(seen)))),
    )


def _note(model: CompressedBTF, codec: str) -> str:
    if model.architecture == codec:
        return ""
    return (
        f"after this training the {codec} codec was not better than a linear model, which is kept; "
        "train for longer to have it"
    )


def _without(btf: BTF, held_out: NDArray[np.bool_] | None) -> BTF:
    """Return the observations that the training sees."""
    if held_out is None:
        return btf
    if held_out.all():
        raise UsageError(None, "all observations are held out", "leave some to train on")
    return btf.select(~held_out)


def _check_values(btf: BTF) -> Job[None]:
    """Raise a CaptureError for values that no model can learn.

    Readers of image files refuse values that are not finite. Arrays in memory and texel stores may
    hold them, and any capture may hold float64 values that single precision cannot.
    """
    is_checked = not isinstance(btf.frames, np.ndarray) and btf.gatherer is None
    if not btf.values.is_float or (is_checked and btf.values.dtype.itemsize <= 4):
        return
    most = float(np.finfo(np.float32).max)
    for i, frame in enumerate(btf.iter_frames()):
        good = np.isfinite(frame)
        if frame.dtype.itemsize > 4:
            good &= np.abs(frame) <= most
        wrong = frame.size - int(np.count_nonzero(good))
        if wrong:
            raise CaptureError(
                btf.source or None,
                f"observation {i} holds {wrong:,} values that are infinite or not numbers, or "
                f"beyond {most:.1e}, the largest number that a model can hold",
                "mend it, or leave it out",
            )
        # What is in memory has been reported as read, and takes no time.
        if not isinstance(btf.frames, np.ndarray) and is_report_due(i + 1, len(btf)):
            yield Progress("read", i + 1, len(btf))


def _timed(job: Job[T], phases: dict[str, float]) -> Job[T]:
    """Add up the seconds of a job by phase, and report their sum.

    The time between two reports is that of the caller, such as a pause, and does not count.
    """
    phase = ""
    before = time.monotonic()
    with closing(job):
        while True:
            try:
                progress = next(job)
            except StopIteration as stop:
                if phase:
                    phases[phase] += time.monotonic() - before
                result: T = stop.value
                return result
            phase = progress.phase
            phases[phase] = phases.get(phase, 0.0) + time.monotonic() - before
            yield replace(progress, seconds=sum(phases.values()))
            before = time.monotonic()
