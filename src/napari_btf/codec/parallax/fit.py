"""Training of the parallax codec: latents and networks together, on random texels."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting.checkpoint import Checkpoint, Notes
from napari_btf.codec.fitting.processes import world
from napari_btf.codec.fitting.settings import pick_device
from napari_btf.codec.parallax.batches import hold_out, is_periodic, load_pool, load_probe
from napari_btf.codec.parallax.settings import ParallaxSettings, check_parallax
from napari_btf.codec.parallax.size import of_quality, within
from napari_btf.codec.parallax.steps import Course, Trainer
from napari_btf.codec.parallax.surface import Surface
from napari_btf.progress import Job, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import torch
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.parallax.batches import FramePool
    from napari_btf.codec.parallax.model import ParallaxBTF

__all__ = ["fit_parallax"]

#: Share of the training in which the steps grow to their full size.
_WARM_UP = 0.03
#: Share of the training that encodes the other texels when some were chosen to learn from.
_ENCODE_SHARE = 0.3
_VALIDATE_EVERY = 0.01
#: Seconds of encoding after a training that was ended early.
_LAST_SECONDS = 5.0
#: A batch's error this many times the least validation error is a divergence.
_DIVERGED = 30.0
REPORT_SECONDS = 0.1


def fit_parallax(
    btf: BTF,
    coords: ArrayLike | None = None,
    settings: ParallaxSettings | None = None,
    stop: Callable[[], bool] = lambda: False,
    checkpoint: Checkpoint | None = None,
) -> Job[ParallaxBTF]:
    """Compress a BTF whose views vary.

    Parameters
    ----------
    btf : BTF
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels to learn from; all by default. The others are encoded
        afterwards, in the last third of the training.
    settings : ParallaxSettings, optional
    stop : callable, optional
        Asked often; true ends the training early and keeps the best so far.
    checkpoint : Checkpoint, optional
        Where to note how far it is, opened; what was found there is gone on from. With a capture
        that is not held in memory as a whole, or settings in seconds, the outcome is close to that
        without interruption, else the same.

    Yields
    ------
    Progress
        Phases "read", "train" and "encode", the latter two in thousandths, and "quantise" where a
        quality is asked for. A training that diverges goes back to its best state with half the
        step, and is "train slower" from then on.

    Returns
    -------
    ParallaxBTF

    Raises
    ------
    UsageError
        If a setting does not fit the capture.
    CaptureError
        If an image cannot be read.
    """
    settings = settings or ParallaxSettings()
    checkpoint = checkpoint or Checkpoint()
    check_parallax(btf, coords, settings)
    used, held = hold_out(len(btf), settings.seed)
    pool = yield from load_pool(btf, used, settings.seed, settings.pool_bytes)
    surface = _new_surface(btf, pool, settings)
    chosen = _flat(btf, coords)
    share = 1.0 if len(chosen) == btf.height * btf.width else 1.0 - _ENCODE_SHARE
    encodes = checkpoint.found is not None and checkpoint.found.facts["course"] == "encode"
    if not encodes:
        trained = Course(surface.parameters, chosen, "train", share)
        yield from _train(surface, pool, held, trained, settings, stop, checkpoint)
        surface.fill(chosen)
    if share < 1.0:
        yield from _encode_all(surface, pool, held, settings, stop, checkpoint)
    if settings.target_psnr is not None:
        return (yield from of_quality(surface, settings.target_psnr, settings.seed))
    return within(surface, settings.most_bytes)


def _encode_all(
    surface: Surface,
    pool: FramePool,
    held: NDArray[np.intp],
    settings: ParallaxSettings,
    stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> Generator[Progress, None, None]:
    """Learn the latents of all texels, with the networks fixed."""
    everything = np.arange(surface.btf.height * surface.btf.width)
    course = Course(surface.used_latents, everything, "encode", _ENCODE_SHARE)
    if world().agree(0.0, stop())[1]:
        # Without any encoding most of the surface would have no latents of its own.
        settings = replace(settings, seconds=_LAST_SECONDS / _ENCODE_SHARE)
        stop = _never
    yield from _train(surface, pool, held, course, settings, stop, checkpoint)


def _new_surface(btf: BTF, pool: FramePool, settings: ParallaxSettings) -> Surface:
    """A surface that knows nothing but the mean colour."""
    surface = Surface(
        btf,
        settings.latents,
        settings.depth_latents if np.ptp(btf.view, axis=0).max() > 1e-3 else 0,
        settings.light_latents if np.ptp(btf.light, axis=0).max() > 1e-3 else 0,
        settings.hidden,
        is_periodic(pool) if settings.periodic is None else settings.periodic,
        pick_device(settings.device),
        settings.seed,
    )
    surface.centre(pool)
    return surface


def _flat(btf: BTF, coords: ArrayLike | None) -> NDArray[np.intp]:
    """Texels by one number each, in order; all of them if none are chosen."""
    if coords is None:
        return np.arange(btf.height * btf.width)
    rows, columns = np.asarray(coords, dtype=np.intp).reshape(-1, 2).T
    return np.unique(rows * btf.width + columns)


@dataclass
class _Standing:
    """How far a course is.

    Parameters
    ----------
    phase : str
        As it is reported.
    best_state : list of torch.Tensor
        The state of least validation error.
    best_error : float
    step : int
    seconds : float
    validated : float
        Share of the course at which the latest validation was.
    train_error : float, optional
        Mean over the latest steps.
    """

    phase: str
    best_state: list[torch.Tensor]
    best_error: float
    step: int = 0
    seconds: float = 0.0
    validated: float = 0.0
    train_error: float | None = None

    def notes(self, surface: Surface, trainer: Trainer, course: Course) -> Notes:
        """What has to be known to go on from here."""
        notes = trainer.notes()
        for name, state in (("now", surface.state()), ("best", self.best_state)):
            for i, tensor in enumerate(state):
                notes.tensors[f"{name}_{i}"] = tensor.cpu().numpy()
        plain = {key: value for key, value in vars(self).items() if key != "best_state"}
        return Notes(notes.tensors, {**notes.facts, "course": course.phase, "standing": plain})

    @staticmethod
    def found(notes: Notes, surface: Surface, trainer: Trainer) -> _Standing:
        """Go on from `notes`."""
        trainer.go_on(notes)
        surface.restore(_noted(notes, "now", surface))
        return _Standing(best_state=_noted(notes, "best", surface), **notes.facts["standing"])


def _noted(notes: Notes, name: str, surface: Surface) -> list[torch.Tensor]:
    import torch

    return [
        torch.from_numpy(notes.tensors[f"{name}_{i}"]).to(surface.device)
        for i in range(len(surface.parameters))
    ]


def _train(
    surface: Surface,
    pool: FramePool,
    held: NDArray[np.intp],
    course: Course,
    settings: ParallaxSettings,
    stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> Generator[Progress, None, None]:
    """Run a course; the surface ends in the state with the least validation error."""
    trainer = Trainer(surface, pool, course, settings.seed)
    probe = load_probe(surface.btf, held, course.texels, settings.seed)
    seconds = None if settings.seconds is None else settings.seconds * course.share
    steps = max(1, round(settings.steps * course.share))
    found, reported = checkpoint.found, -np.inf
    if found is not None and found.facts["course"] == course.phase:
        at = _Standing.found(found, surface, trainer)
    else:
        at = _Standing(course.phase, surface.state(), trainer.validate(probe))
    start = time.monotonic() - at.seconds
    with trainer:
        while True:
            at.seconds, stopped, due, asked = world().agree(
                time.monotonic() - start, stop(), checkpoint.due(), checkpoint.asked
            )
            if asked:
                checkpoint.ask()
            done = at.step / steps if seconds is None else at.seconds / seconds
            last = done >= 1.0 or stopped > 0
            if last or done >= at.validated + _VALIDATE_EVERY:
                at.validated = done
                error = trainer.validate(probe)
                if error <= at.best_error:
                    at.best_error, at.best_state = error, surface.state()
            if last:
                break
            if due:
                checkpoint.note(at.notes(surface, trainer, course))
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                yield _report(at, done, surface)
                # A pause between reports is not training.
                start += time.monotonic() - reported
            error = trainer.step(_schedule(done))
            at.step += 1
            if not error < _DIVERGED * max(at.best_error, 1e-6):
                surface.restore(at.best_state)
                trainer.slow_down()
                at.phase = f"{course.phase} slower"
                continue
            before = error if at.train_error is None else at.train_error
            at.train_error = 0.95 * before + 0.05 * error
    surface.restore(at.best_state)
    yield _report(at, 1.0, surface)


def _report(at: _Standing, done: float, surface: Surface) -> Progress:
    return Progress(
        at.phase, int(1000 * done), 1000, at.train_error, at.best_error, preview=surface.model
    )


def _never() -> bool:
    return False


def _schedule(done: float) -> float:
    """A short warm-up, then a cosine down to zero."""
    warm = min(1.0, (done + 1e-3) / _WARM_UP)
    return float(warm * 0.5 * (1.0 + np.cos(np.pi * min(done, 1.0))))
