"""Training of the parallax codec. Apart from `napari_btf.codec.network`, what needs torch.

Latents and networks are trained together by Adam on random texels of random observations. Each
core takes its own part of a batch: the products are so thin that sharing every one of them out
costs more, many times more on a busy machine.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting import check_capture
from napari_btf.codec.network import NetworkSettings, one_core, pick_device
from napari_btf.codec.parallax_batches import hold_out, is_periodic, load_pool, load_probe
from napari_btf.codec.parallax_surface import Surface
from napari_btf.errors import UsageError
from napari_btf.progress import Job, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import torch
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.parallax import ParallaxBTF
    from napari_btf.codec.parallax_batches import FramePool, Probe

__all__ = ["ParallaxSettings", "check_parallax", "fit_parallax"]

#: Largest steps of Adam for latents and for weights. Larger ones than usual: the training is
#: short, and ends with a cosine schedule.
_LATENT_RATE, _WEIGHT_RATE = 1e-2, 1e-2
_BETAS = (0.9, 0.99)
_WARM_UP = 0.03
#: Observations in a batch, and texels of each at least and at most.
_FRAMES, _FEWEST_TEXELS, _MOST_TEXELS = 128, 32, 256
#: Share of the training that encodes the other texels when some were chosen to learn from.
_ENCODE_SHARE = 0.3
_MOST_WORKERS = 4
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
        trained = _Course(surface.parameters, everything, "train", 1.0)
        yield from _train(surface, pool, held, trained, settings, stop)
        return surface.model()
    trained = _Course(surface.parameters, chosen, "train", 1.0 - _ENCODE_SHARE)
    yield from _train(surface, pool, held, trained, settings, stop)
    surface.fill(chosen)
    encoded = _Course(surface.used_latents, everything, "encode", _ENCODE_SHARE)
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


@dataclass(frozen=True, eq=False)
class _Course:
    """What a part of the training changes, where it looks, and how much of the time it takes."""

    parameters: list[torch.Tensor]
    texels: NDArray[np.intp]
    phase: str
    share: float


def _train(
    surface: Surface,
    pool: FramePool,
    held: NDArray[np.intp],
    course: _Course,
    settings: ParallaxSettings,
    stop: Callable[[], bool],
) -> Generator[Progress, None, None]:
    """Run a course; the surface ends in the state with the least validation error."""
    trainer = _Trainer(surface, pool, course, settings.seed)
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


class _Trainer:
    """Steps of Adam on random batches, of which each worker takes some frames.

    To be used in a ``with`` block, which ends the workers.
    """

    def __init__(self, surface: Surface, pool: FramePool, course: _Course, seed: int) -> None:
        self._surface, self._pool, self._course = surface, pool, course
        self._rng = np.random.default_rng(seed)
        # About one value a texel and step, or most of a large surface goes without for too long.
        self._texels = int(np.clip(len(course.texels) // _FRAMES, _FEWEST_TEXELS, _MOST_TEXELS))
        self._workers = 1
        if surface.device == "cpu":
            self._workers = min(_MOST_WORKERS, os.cpu_count() or 1)
        latents = {id(part) for part in surface.latents}
        self._rates = [
            _LATENT_RATE if id(parameter) in latents else _WEIGHT_RATE
            for parameter in course.parameters
        ]
        self._optimizer = self._new_optimizer()

    def __enter__(self) -> _Trainer:
        import torch

        # Each worker is one core's work; torch's own threads would get in one another's way.
        self._threads = ThreadPoolExecutor(
            self._workers, initializer=torch.set_num_threads, initargs=(1,)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    def _new_optimizer(self) -> torch.optim.Optimizer:
        import torch

        groups = [{"params": [parameter]} for parameter in self._course.parameters]
        return torch.optim.Adam(groups, lr=_WEIGHT_RATE, betas=_BETAS)

    def slow_down(self) -> None:
        """Forget the momentum and halve the steps."""
        self._rates = [rate / 2.0 for rate in self._rates]
        self._optimizer = self._new_optimizer()

    def step(self, share: float) -> float:
        """One step at a share of the full rate; the mean squared error before it."""
        self._pool.renew()
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        places = self._rng.integers(self._pool.size, size=_FRAMES)
        texels = self._rng.choice(self._course.texels, size=(_FRAMES, self._texels))
        with one_core():
            parts = list(
                self._threads.map(
                    self._gradients,
                    np.array_split(places, self._workers),
                    np.array_split(texels, self._workers),
                )
            )
            # In the order of the parts, so that the sum is the same in every run.
            for parameter, *gradients in zip(
                self._course.parameters, *(part[1] for part in parts), strict=True
            ):
                parameter.grad = sum(gradients[1:], start=gradients[0])
            self._optimizer.step()
        return sum(part[0] for part in parts)

    def _gradients(
        self, places: NDArray[np.intp], texels: NDArray[np.intp]
    ) -> tuple[float, tuple[torch.Tensor, ...]]:
        """A part's share of the mean squared error of a batch, and its gradients."""
        import torch

        surface = self._surface
        target = torch.from_numpy(self._pool.values(places, texels) / surface.peak)
        colours = surface.colours(
            torch.from_numpy(self._pool.observation[places]).to(surface.device),
            torch.from_numpy(texels).to(surface.device),
        )
        error = ((colours - target.to(surface.device)) ** 2).sum()
        error = error / (_FRAMES * self._texels * target.shape[-1])
        gradients = torch.autograd.grad(error, self._course.parameters)
        return error.item() * surface.peak**2, gradients

    def validate(self, probe: Probe) -> float:
        """Mean squared error of what is held out, in the fitted domain."""
        import torch

        surface, total = self._surface, 0.0
        # What diverged may be too large to be squared.
        with torch.no_grad(), one_core(), np.errstate(over="ignore", invalid="ignore"):
            for i in range(len(probe.observations)):
                colours = surface.colours(
                    torch.from_numpy(probe.observations[i : i + 1]).to(surface.device),
                    torch.from_numpy(probe.texels[i : i + 1].copy()).to(surface.device),
                )
                values = surface.peak * colours.cpu().numpy()
                total += float(np.mean((values - probe.values[i]) ** 2))
        error = total / len(probe.observations)
        return error if np.isfinite(error) else np.inf
