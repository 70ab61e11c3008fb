"""The gradients of the parallax codec: random batches, shared among the cores.

Each core takes its own part of a batch, because sharing every small matrix product among the cores
costs more, and much more on a busy machine.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting.adam import Adam, put
from napari_btf.codec.fitting.processes import world
from napari_btf.running.ranks import cores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    import torch
    from numpy.typing import NDArray

    from napari_btf.codec.fitting.stage import Optimizer
    from napari_btf.codec.parallax.batches import FramePool, Probe
    from napari_btf.codec.parallax.model import ParallaxBTF
    from napari_btf.codec.parallax.surface import Surface

__all__ = ["BETAS", "FRAMES", "SurfaceTask", "batch_shape"]

#: Largest learning rates of Adam for latents and for weights. They are larger than usual, because
#: the training is short and ends with a cosine schedule.
_LATENT_RATE, _WEIGHT_RATE = 1e-2, 1e-2
BETAS = (0.9, 0.99)
#: Observations in a batch, and the fewest and the most texels of each.
FRAMES, _FEWEST_TEXELS, _MOST_TEXELS = 128, 32, 256
#: Largest number of threads, because each has some work in Python at every step.
_MOST_WORKERS = 4


def batch_shape(texels: int) -> tuple[int, int]:
    """Return the number of observations in a batch, and of texels of each.

    A step sees about one value for each texel, because most of a large surface would otherwise wait
    too long for its next step.
    """
    return FRAMES, int(np.clip(texels // FRAMES, _FEWEST_TEXELS, _MOST_TEXELS))


class SurfaceTask:
    """Trains a surface on random batches; each worker thread takes some of the images.

    Use it in a ``with`` block, which ends the workers.

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
        self.surface, self._pool, self._probe = surface, pool, probe
        self._parameters, self._chosen = parameters, texels.astype(np.int32)
        self.random = np.random.default_rng(seed)
        self._world = world()
        self._texels = batch_shape(len(texels))[1]
        self._workers = 1
        if surface.device == "cpu":
            self._workers = min(_MOST_WORKERS, cores())

    def __enter__(self) -> Self:
        import torch

        # Each worker occupies one core; threads of torch would only compete for the cores.
        self._threads = ThreadPoolExecutor(
            self._workers, initializer=torch.set_num_threads, initargs=(1,)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All latents and weights."""
        return self.surface.parameters

    def restore(self, state: Sequence[torch.Tensor]) -> None:
        """Set all latents and weights to earlier values."""
        put(self.tensors, state)

    @property
    def rates(self) -> tuple[float, float]:
        """The full learning rates of latents and of weights."""
        return _LATENT_RATE, _WEIGHT_RATE

    def optimizer(self) -> Optimizer:
        """Return Adam with one group for each tensor."""
        latents = {id(part) for part in self.surface.latents}
        of_latents, of_weights = self.rates
        return Adam(
            [
                {
                    "params": [parameter],
                    "lr": of_latents if id(parameter) in latents else of_weights,
                    "betas": BETAS,
                }
                for parameter in self._parameters
            ]
        )

    @property
    def values(self) -> int:
        """Number of texels in a batch, those of all observations."""
        return FRAMES * self._texels

    def model(self) -> ParallaxBTF:
        """Return the model as far as it has learned."""
        return self.surface.model()

    def _draw(self) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Draw a batch; return the places (F,) in the pool and flat texels (F, T) of this process.

        Every process draws the same batch and keeps the observations that it has in memory.
        """
        self._pool.renew()
        places = self.random.integers(self._pool.size, size=FRAMES)
        size = FRAMES, self._texels
        texels = self._chosen[self.random.integers(len(self._chosen), size=size, dtype=np.int32)]
        mine = self._pool.is_mine(places)
        return places[mine], texels[mine]

    def gradients(self) -> float:
        """Compute the gradients of a random batch; return its mean squared error."""
        places, texels = self._draw()
        parts = list(
            self._threads.map(
                self._part,
                np.array_split(places, self._workers),
                np.array_split(texels, self._workers),
            )
        )
        # The parts are added in a fixed order, so that the sum is the same in every run.
        for parameter, *gradients in zip(
            self._parameters, *(part[1] for part in parts), strict=True
        ):
            parameter.grad = sum(gradients[1:], start=gradients[0])
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        return self._over_processes(sum(part[0] for part in parts), gradients)

    def _over_processes(self, error: float, gradients: list[torch.Tensor]) -> float:
        """Return the error over all processes, and sum the gradients over them."""
        if self._world.size == 1:
            return error
        import torch

        flat = [part.reshape(-1) for part in gradients]
        # In one message, because each message costs as much as some thousand numbers in it.
        total = self._world.sum_tensor(torch.cat([*flat, flat[0].new_tensor([error])]))
        start = 0
        for part in gradients:
            part.copy_(total[start : start + part.numel()].view_as(part))
            start += part.numel()
        return float(total[-1])

    def _part(
        self, places: NDArray[np.intp], texels: NDArray[np.int32]
    ) -> tuple[float, tuple[torch.Tensor, ...]]:
        """Return a part's share of the mean squared error of a batch, and its gradients."""
        import torch

        surface = self.surface
        if not len(places):
            return 0.0, tuple(torch.zeros_like(part) for part in self._parameters)
        target = torch.from_numpy(self._pool.values(places, texels) / surface.peak)
        colours = surface.colours(
            torch.from_numpy(self._pool.observation[places]).to(surface.device),
            torch.from_numpy(texels).to(surface.device, torch.int64),
        )
        error = ((colours - target.to(surface.device)) ** 2).sum()
        error = error / (FRAMES * self._texels * target.shape[-1])
        gradients = torch.autograd.grad(error, self._parameters)
        return error.item() * surface.peak**2, gradients

    def validate(self) -> float:
        """Return the mean squared error of the held-out observations, in the fitted domain."""
        import torch

        surface, probe, total = self.surface, self._probe, 0.0
        # After a divergence, values may be too large to be squared.
        with torch.no_grad(), np.errstate(over="ignore", invalid="ignore"):
            for i in range(len(probe.observations)):
                colours = surface.colours(
                    torch.from_numpy(probe.observations[i : i + 1]).to(surface.device),
                    torch.from_numpy(probe.texels[i : i + 1].copy()).to(surface.device),
                )
                values = surface.peak * colours.cpu().numpy()
                total += float(np.mean((values - probe.values[i]) ** 2))
        return float(self._world.sum(np.array([total]))[0]) / probe.total
