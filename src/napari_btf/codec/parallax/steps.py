"""What the training of the parallax codec learns from: gradients of random batches, in torch.

Each core takes its own part of a batch: the products are so thin that sharing every one of them
out costs more, and many times more on a busy machine.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.fitting.processes import world
from napari_btf.running.ranks import cores

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from napari_btf.codec.parallax.batches import FramePool, Probe
    from napari_btf.codec.parallax.surface import Surface

__all__ = ["SurfaceTask", "batch_shape"]

#: Largest learning rates of Adam for latents and for weights. Larger ones than usual: the training
#: is short, and ends with a cosine schedule.
_LATENT_RATE, _WEIGHT_RATE = 1e-2, 1e-2
_BETAS = (0.9, 0.99)
#: Observations in a batch, and texels of each at least and at most.
_FRAMES, _FEWEST_TEXELS, _MOST_TEXELS = 128, 32, 256
#: Threads at most: each has some work in Python for every step.
_MOST_WORKERS = 4


def batch_shape(texels: int) -> tuple[int, int]:
    """Return the observations in a batch, and the texels of each, for a number of texels.

    About one value for each texel and step, because most of a large surface would go without a
    step for too long.
    """
    return _FRAMES, int(np.clip(texels // _FRAMES, _FEWEST_TEXELS, _MOST_TEXELS))


class SurfaceTask:
    """A surface that is trained on random batches, of which each worker takes some frames.

    To be used in a ``with`` block, which ends the workers.

    Parameters
    ----------
    surface : Surface
    pool : FramePool
        Frames to learn from.
    probe : Probe
        Values to validate on.
    parameters : list of torch.Tensor
        Those of the surface that are trained.
    texels : ndarray of int
        Flat texels to learn from.
    seed : int
    """

    def __init__(
        self,
        surface: Surface,
        pool: FramePool,
        probe: Probe,
        parameters: list[torch.Tensor],
        texels: NDArray[np.intp],
        seed: int,
    ) -> None:
        self._surface, self._pool, self._probe = surface, pool, probe
        self._parameters, self._chosen = parameters, texels
        self.random = np.random.default_rng(seed)
        self._world = world()
        self._texels = batch_shape(len(texels))[1]
        self._workers = 1
        if surface.device == "cpu":
            self._workers = min(_MOST_WORKERS, cores())

    def __enter__(self) -> SurfaceTask:
        import torch

        # Each worker is one core's work; torch's own threads would get in one another's way.
        self._threads = ThreadPoolExecutor(
            self._workers, initializer=torch.set_num_threads, initargs=(1,)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All latents and weights."""
        return self._surface.parameters

    @property
    def groups(self) -> list[dict[str, Any]]:
        """A group for each parameter."""
        latents = {id(part) for part in self._surface.latents}
        return [
            {
                "params": [parameter],
                "lr": _LATENT_RATE if id(parameter) in latents else _WEIGHT_RATE,
                "betas": _BETAS,
            }
            for parameter in self._parameters
        ]

    def gradients(self) -> float:
        """Store the gradients of a random batch in the parameters; its mean squared error."""
        self._pool.renew()
        places = self.random.integers(self._pool.size, size=_FRAMES)
        texels = self.random.choice(self._chosen, size=(_FRAMES, self._texels))
        mine = self._pool.is_mine(places)
        places, texels = places[mine], texels[mine]
        parts = list(
            self._threads.map(
                self._part,
                np.array_split(places, self._workers),
                np.array_split(texels, self._workers),
            )
        )
        # In the order of the parts, so that the sum is the same in every run.
        for parameter, *gradients in zip(
            self._parameters, *(part[1] for part in parts), strict=True
        ):
            parameter.grad = sum(gradients[1:], start=gradients[0])
        return self._over_processes(sum(part[0] for part in parts))

    def _over_processes(self, error: float) -> float:
        """The error over all processes, and gradients summed over them, too."""
        if self._world.size == 1:
            return error
        import torch

        gradients = [p.grad for p in self._parameters if p.grad is not None]
        flat = [part.reshape(-1) for part in gradients]
        # All at once: every message costs as much again as some thousand numbers in it.
        total = self._world.sum_tensor(torch.cat([*flat, flat[0].new_tensor([error])]))
        start = 0
        for part in gradients:
            part.copy_(total[start : start + part.numel()].view_as(part))
            start += part.numel()
        return float(total[-1])

    def _part(
        self, places: NDArray[np.intp], texels: NDArray[np.intp]
    ) -> tuple[float, tuple[torch.Tensor, ...]]:
        """A part's share of the mean squared error of a batch, and its gradients."""
        import torch

        surface = self._surface
        if not len(places):
            return 0.0, tuple(torch.zeros_like(part) for part in self._parameters)
        target = torch.from_numpy(self._pool.values(places, texels) / surface.peak)
        colours = surface.colours(
            torch.from_numpy(self._pool.observation[places]).to(surface.device),
            torch.from_numpy(texels).to(surface.device),
        )
        error = ((colours - target.to(surface.device)) ** 2).sum()
        error = error / (_FRAMES * self._texels * target.shape[-1])
        gradients = torch.autograd.grad(error, self._parameters)
        return error.item() * surface.peak**2, gradients

    def validate(self) -> float:
        """Mean squared error of the held-out observations, in the fitted domain."""
        import torch

        surface, probe, total = self._surface, self._probe, 0.0
        # What diverged may be too large to be squared.
        with torch.no_grad(), np.errstate(over="ignore", invalid="ignore"):
            for i in range(len(probe.observations)):
                colours = surface.colours(
                    torch.from_numpy(probe.observations[i : i + 1]).to(surface.device),
                    torch.from_numpy(probe.texels[i : i + 1].copy()).to(surface.device),
                )
                values = surface.peak * colours.cpu().numpy()
                total += float(np.mean((values - probe.values[i]) ** 2))
        return float(self._world.sum(np.array([total]))[0]) / probe.total
