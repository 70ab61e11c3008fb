"""Train the parallax codec: latents and networks together, on random texels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.fitting.checkpoint import Checkpoint
from napari_btf.codec.fitting.loop import Loop
from napari_btf.codec.fitting.processes import world
from napari_btf.codec.fitting.settings import pick_device
from napari_btf.codec.fitting.stage import Stage
from napari_btf.codec.parallax.batches import (
    hold_out,
    is_periodic,
    load_pool,
    load_probe,
    stored_type,
)
from napari_btf.codec.parallax.machine.compiled import Compilation
from napari_btf.codec.parallax.machine.task import MachineTask
from napari_btf.codec.parallax.settings import ParallaxSettings, check_parallax
from napari_btf.codec.parallax.size import of_quality, within
from napari_btf.codec.parallax.steps import SurfaceTask
from napari_btf.codec.parallax.surface import Surface
from napari_btf.progress import Job, Progress, with_preview

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import ModuleType

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.parallax.batches import FramePool
    from napari_btf.codec.parallax.model import ParallaxBTF

__all__ = ["fit_parallax"]

#: Share of the training that encodes the other texels if some were chosen to learn from.
_ENCODE_SHARE = 0.3
#: Seconds of encoding after a training that was ended early.
_LAST_SECONDS = 5.0


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
        The checkpoint, opened; the training continues from the state in it. With a capture
        that is not held in memory as a whole, or settings in seconds, the outcome is close to that
        without interruption, else the same.

    Yields
    ------
    Progress
        Phases "read", "train" and "encode", the latter two in thousandths; "compile" if machine
        code is not there yet once the images are read; "quantise" if a quality is asked for. A
        training that diverges goes back to its best state with half the step, and is "train slower"
        from then on.

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
    compilation = Compilation(pick_device(settings.device), stored_type(btf))
    pool = yield from load_pool(btf, used, settings.seed, settings.pool_bytes)
    surface = _new_surface(btf, pool, settings)
    code = yield from compilation.result()
    chosen = _flat(btf, coords)
    share = 1.0 if len(chosen) == btf.height * btf.width else 1.0 - _ENCODE_SHARE
    encodes = checkpoint.found is not None and checkpoint.found.facts["stage"] == "encode"
    if not encodes:
        probe = load_probe(btf, held, chosen, settings.seed)
        task = _task(code, surface, pool, probe, surface.parameters, chosen, settings.seed)
        stage = _stage("train", share, settings)
        yield from _train(task, stage, stop, checkpoint)
        surface.fill(chosen)
    if share < 1.0:
        yield from _encode_all(code, surface, pool, held, settings, stop, checkpoint)
    if settings.target_psnr is not None:
        return (yield from of_quality(surface, settings.target_psnr, settings.seed))
    return within(surface, settings.most_bytes)


def _encode_all(
    code: ModuleType | None,
    surface: Surface,
    pool: FramePool,
    held: NDArray[np.intp],
    settings: ParallaxSettings,
    stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> Generator[Progress, None, None]:
    """Learn the latents of all texels while the networks stay fixed."""
    everything = np.arange(surface.btf.height * surface.btf.width)
    if world().agree(0.0, stop())[1]:
        # Without encoding, most of the surface would have no latents of its own.
        settings = replace(settings, seconds=_LAST_SECONDS / _ENCODE_SHARE)
        stop = _never
    stage = _stage("encode", _ENCODE_SHARE, settings)
    probe = load_probe(surface.btf, held, everything, settings.seed)
    latents = surface.used_latents
    task = _task(code, surface, pool, probe, latents, everything, settings.seed)
    yield from _train(task, stage, stop, checkpoint)


def _task(code: ModuleType | None, surface: Surface, *given: Any) -> SurfaceTask:
    """Return the training by machine code, or by torch where there is none."""
    return SurfaceTask(surface, *given) if code is None else MachineTask(code, surface, *given)


def _new_surface(btf: BTF, pool: FramePool, settings: ParallaxSettings) -> Surface:
    """Return a surface that knows the mean colour only."""
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
    """Return flat indices of the texels, in ascending order; all texels if none are chosen."""
    if coords is None:
        return np.arange(btf.height * btf.width)
    rows, columns = np.asarray(coords, dtype=np.intp).reshape(-1, 2).T
    return np.unique(rows * btf.width + columns)


def _train(
    task: SurfaceTask,
    stage: Stage,
    stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> Generator[Progress, None, None]:
    """Train for one stage; the surface ends in the state with the smallest validation error."""
    with task:
        loop = Loop(task, stage, checkpoint, world())
        yield from with_preview(loop.run(stop), task.model)


def _stage(name: str, share: float, settings: ParallaxSettings) -> Stage:
    """Return the stage of the training that takes a given share of its length."""
    if settings.seconds is not None:
        return Stage(name, None, settings.seconds * share, phase=name)
    return Stage(name, max(1, round(settings.steps * share)), phase=name)


def _never() -> bool:
    return False
