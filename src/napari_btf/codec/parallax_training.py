"""Training of the parallax codec: latents and networks together, on random texels."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting import check_capture
from napari_btf.codec.network import NetworkSettings, pick_device
from napari_btf.codec.parallax_batches import hold_out, is_periodic, load_pool, load_probe
from napari_btf.codec.parallax_steps import Course, Trainer
from napari_btf.codec.parallax_surface import Surface
from napari_btf.errors import UsageError
from napari_btf.progress import Job, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.parallax import ParallaxBTF
    from napari_btf.codec.parallax_batches import FramePool

__all__ = ["ParallaxSettings", "check_parallax", "fit_parallax"]

#: Share of the training in which the steps grow to their full size.
_WARM_UP = 0.03
#: Share of the training that encodes the other texels when some were chosen to learn from.
_ENCODE_SHARE = 0.3
_VALIDATE_EVERY = 0.01
#: A batch's error this many times the least validation error is a divergence.
_DIVERGED = 30.0
REPORT_SECONDS = 0.1


@dataclass(frozen=True)
class ParallaxSettings:
    """Size, length and place of the training.

    Parameters
    ----------
    latents : int
        Latents fetched where the view ray lands.
    depth_latents, light_latents : int
        Latents that the height is read from, and those fetched towards the light. None are used
        where the view, or the light, never varies.
    hidden : int
        Units of each of the three hidden layers of the shading network. One more stands for the
        biases when it is decoded: 63 make a size that processors like.
    steps : int
        Batches of about as many values as there are texels, 4,096 to 32,768; used if ``seconds``
        is None.
    seconds : float, optional
        Train for this long instead.
    periodic : bool, optional
        Whether the surface goes on beyond its borders as at the opposite ones; by default it is
        found out from the images.
    device : str
        ``"auto"``, or a torch device such as ``"cpu"`` or ``"cuda"``.
    seed : int
    """

    latents: int = 16
    depth_latents: int = 6
    light_latents: int = 4
    hidden: int = 63
    steps: int = 12_000
    seconds: float | None = None
    periodic: bool | None = None
    device: str = "auto"
    seed: int = 0


def fit_parallax(
    btf: BTF,
    coords: ArrayLike | None = None,
    settings: ParallaxSettings | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Job[ParallaxBTF]:
    """Compress a BTF whose views vary.

    Parameters
    ----------
    btf : BTF
        At most 512 MiB of its frames are held in memory; of a larger one a random part, of which
        one frame is replaced at every step.
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels to learn from; all by default. The others are encoded
        afterwards, in the last third of the training.
    settings : ParallaxSettings, optional
    stop : callable, optional
        Asked often; true ends the training early and keeps the best so far.

    Yields
    ------
    Progress
        Phases "read", "train" and "encode", the latter two in thousandths. A training that
        diverges goes back to its best state with half the step, and is "train slower" from then on.

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
    check_parallax(btf, coords, settings)
    device = pick_device(settings.device)
    used, held = hold_out(len(btf), settings.seed)
    pool = yield from load_pool(btf, used, settings.seed)
    periodic = is_periodic(pool) if settings.periodic is None else settings.periodic
    everything = np.arange(btf.height * btf.width)
    chosen = everything
    if coords is not None:
        rows, columns = np.asarray(coords, dtype=np.intp).reshape(-1, 2).T
        chosen = np.unique(rows * btf.width + columns)
    surface = Surface(
        btf,
        settings.latents,
        settings.depth_latents if np.ptp(btf.view, axis=0).max() > 1e-3 else 0,
        settings.light_latents if np.ptp(btf.light, axis=0).max() > 1e-3 else 0,
        settings.hidden,
        periodic,
        device,
        settings.seed,
    )
    surface.centre(pool)
    if len(chosen) == len(everything):
        trained = Course(surface.parameters, everything, "train", 1.0)
        yield from _train(surface, pool, held, trained, settings, stop)
        return surface.model()
    trained = Course(surface.parameters, chosen, "train", 1.0 - _ENCODE_SHARE)
    yield from _train(surface, pool, held, trained, settings, stop)
    surface.fill(chosen)
    encoded = Course(surface.used_latents, everything, "encode", _ENCODE_SHARE)
    yield from _train(surface, pool, held, encoded, settings, stop)
    return surface.model()


def check_parallax(btf: BTF, coords: ArrayLike | None, settings: ParallaxSettings) -> None:
    """Refuse what `fit_parallax` cannot do, before anything is read.

    Raises
    ------
    UsageError
    """
    for name, least, most in (
        ("latents", 1, 256),
        ("depth_latents", 0, 256),
        ("light_latents", 0, 256),
        ("hidden", 1, 1024),
        ("steps", 1, 2**31),
    ):
        if not least <= getattr(settings, name) <= most:
            raise UsageError(None, f"{name} is {getattr(settings, name)}", f"use {least} to {most}")
    if coords is not None and not len(np.asarray(coords)):
        raise UsageError(None, "no texels are chosen", "choose some, or none to use all")
    # What all codecs check; how many latents a linear one could use is no matter here.
    network = NetworkSettings(1, settings.seconds, settings.device, settings.seed)
    check_capture(btf, network)


def _train(
    surface: Surface,
    pool: FramePool,
    held: NDArray[np.intp],
    course: Course,
    settings: ParallaxSettings,
    stop: Callable[[], bool],
) -> Generator[Progress, None, None]:
    """Run a course; the surface ends in the state with the least validation error."""
    trainer = Trainer(surface, pool, course, settings.seed)
    probe = load_probe(surface.btf, held, course.texels, settings.seed)
    seconds = None if settings.seconds is None else settings.seconds * course.share
    steps = max(1, round(settings.steps * course.share))
    phase, step, train_error, reported = course.phase, 0, None, -np.inf
    best_error, best_state = trainer.validate(probe), surface.state()
    start, validated = time.monotonic(), 0.0
    with trainer:
        while True:
            done = step / steps if seconds is None else (time.monotonic() - start) / seconds
            last = done >= 1.0 or stop()
            if last or done >= validated + _VALIDATE_EVERY:
                validated = done
                error = trainer.validate(probe)
                if error <= best_error:
                    best_error, best_state = error, surface.state()
            if last:
                break
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                yield Progress(phase, int(1000 * done), 1000, train_error, best_error)
            error = trainer.step(_schedule(done))
            step += 1
            if not error < _DIVERGED * max(best_error, 1e-6):
                surface.restore(best_state)
                trainer.slow_down()
                phase = f"{course.phase} slower"
                continue
            train_error = error if train_error is None else 0.95 * train_error + 0.05 * error
    surface.restore(best_state)
    yield Progress(phase, 1000, 1000, train_error, best_error)


def _schedule(done: float) -> float:
    """A short warm-up, then a cosine down to zero."""
    warm = min(1.0, (done + 1e-3) / _WARM_UP)
    return float(warm * 0.5 * (1.0 + np.cos(np.pi * min(done, 1.0))))
