"""The training of a surface by the machine code of this folder, in place of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.fitting.adam import put
from napari_btf.codec.parallax.machine.layout import LINE, Layout, aligned
from napari_btf.codec.parallax.steps import BETAS, FRAMES, SurfaceTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType

    import torch
    from numpy.typing import NDArray

    from napari_btf.codec.parallax.batches import FramePool, Probe
    from napari_btf.codec.parallax.model import ParallaxBTF
    from napari_btf.codec.parallax.surface import Surface

__all__ = ["MachineTask"]

#: Parts of a batch, whose gradients are added in order. The outcome depends on their number, so it
#: is the same on every machine; a thread takes one or several.
_PARTS = 2


class MachineTask(SurfaceTask):
    """Trains a surface as `SurfaceTask` does, by machine code.

    The latents and weights are copied into one array. They are copied back to the surface when it
    is looked at: for validations, checkpoints, previews, and in the end.

    Parameters
    ----------
    code : module
        `napari_btf.codec.parallax.machine.batch`.
    surface, pool, probe, parameters, texels, seed
        As of `SurfaceTask`.
    """

    def __init__(
        self,
        code: ModuleType,
        surface: Surface,
        pool: FramePool,
        probe: Probe,
        parameters: list[torch.Tensor],
        texels: NDArray[np.intp],
        seed: int,
    ) -> None:
        super().__init__(surface, pool, probe, parameters, texels, seed)
        self._code = code
        self._workers = min(self._workers, _PARTS)
        self._learns_weights = len(parameters) == len(surface.parameters)
        self._layout = layout = Layout(surface, code.LANES)
        self._packed = aligned(layout.size)
        self._gradient = aligned(_PARTS, layout.size)
        self._turned = aligned(layout.turned_size)
        self._networks = code.networks_of(layout.tables)
        self._grid = code.Grid(
            surface.btf.height, surface.btf.width, surface.periodic, layout.sizes, layout.starts
        )
        self._pairs = code.pairs_of(surface.directions)
        self._rooms = [
            code.room_for(self._networks, self._grid, -(-FRAMES // _PARTS)) for _ in range(_PARTS)
        ]
        self._stored, self._table = pool.frames, _table_of(pool, surface.peak)
        if self._stored.dtype == np.float16:
            self._stored = self._stored.view(np.uint16)
        self._pull()

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All latents and weights, as far as they have been trained."""
        self._push()
        return self.surface.parameters

    def restore(self, state: Sequence[torch.Tensor]) -> None:
        """Set all latents and weights to earlier values."""
        super().restore(state)
        self._pull()

    def optimizer(self) -> _Adam:
        """Return Adam for the array of all parameters."""
        self._gradient[:] = 0
        self._optimizer = _Adam(self)
        return self._optimizer

    def model(self) -> ParallaxBTF:
        """Return the model as far as it has learned."""
        self._push()
        return super().model()

    def validate(self) -> float:
        """Return the mean squared error of the held-out observations, in the fitted domain."""
        self._push()
        return super().validate()

    def gradients(self) -> float:
        """Compute the gradients of a random batch; return its mean squared error."""
        places, texels = self._draw()
        self._code.turn_all(self._networks, self._packed, self._turned)
        share = 1.0 / (FRAMES * self._texels * self.surface.btf.channels)
        observations = self._pool.observation[places]
        # A process of several has every so many frames.
        kept = places // self._world.size
        parts = np.array_split(np.arange(len(places)), _PARTS)

        def part(i: int) -> float:
            mine = parts[i]
            return float(
                self._code.add_gradients(
                    kept[mine],
                    observations[mine],
                    texels[mine],
                    self._stored,
                    self._table,
                    share,
                    self._grid,
                    self._pairs,
                    self._networks,
                    self._packed,
                    self._turned,
                    self._gradient[i],
                    self._rooms[i],
                    self._learns_weights,
                )
            )

        self._optimizer.is_clean = False
        error = float(sum(self._each(part, range(_PARTS)))) * self.surface.peak**2
        if self._world.size > 1:
            import torch

            total = self._gradient[0]
            for more in self._gradient[1:]:
                total += more
                more[:] = 0
            error = self._over_processes(error, [torch.from_numpy(total)])
        return error

    def _each(self, function: Callable[[int], Any], items: Iterable[int]) -> list[Any]:
        """Call a function for each item, by all threads."""
        if self._workers == 1:
            return [function(item) for item in items]
        return list(self._threads.map(function, items))

    def _pull(self) -> None:
        self._layout.pack(self.surface.parameters, self._packed)

    def _push(self) -> None:
        import torch

        found = map(torch.from_numpy, self._layout.unpack(self._packed))
        put(self.surface.parameters, list(found))


class _Adam:
    """Adam for the array of a task; an `napari_btf.codec.fitting.stage.Optimizer`.

    Parameters
    ----------
    task : MachineTask
    """

    def __init__(self, task: MachineTask) -> None:
        self._task = task
        size, first_weight = task._layout.size, task._layout.first_weight
        self._mean, self._square, self._step = aligned(size), aligned(size), 0
        #: Whether all gradients are zero.
        self.is_clean = True
        of_latents, of_weights = task.rates
        self._groups = [(0, first_weight, of_latents)]
        if task._learns_weights:
            self._groups.append((first_weight, size, of_weights))

    @property
    def rates(self) -> list[float]:
        """The full learning rates of latents and weights."""
        return [rate for _, _, rate in self._groups]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        if not self.is_clean:
            self._task._gradient[:] = 0
            self.is_clean = True

    def step(self, rates: Sequence[float]) -> None:
        """Make a step along the gradients and set them to zero."""
        task, self._step = self._task, self._step + 1
        for (first, last, _), rate in zip(self._groups, rates, strict=True):
            edges = np.linspace(first, last, task._workers + 1).astype(int) // LINE * LINE
            edges[-1] = last

            def some(i: int, edges: Any = edges, rate: float = rate) -> None:
                task._code.move(
                    task._packed,
                    self._mean,
                    self._square,
                    task._gradient,
                    edges[i],
                    edges[i + 1],
                    rate,
                    *BETAS,
                    self._step,
                )

            task._each(some, range(task._workers))
        self.is_clean = True

    def notes(self) -> dict[str, NDArray[Any]]:
        """Return moments and step counts of each parameter, as `Adam.notes` does."""
        moments = zip(*map(self._task._layout.unpack, (self._mean, self._square)), strict=True)
        count = len(self._task._parameters)
        notes: dict[str, NDArray[Any]] = {}
        for i, (mean, square) in enumerate(list(moments)[:count]):
            notes |= {f"adam_{i}_exp_avg": mean, f"adam_{i}_exp_avg_sq": square}
            notes[f"adam_{i}_step"] = np.array(self._step, dtype=np.float32)
        return notes

    def restore(self, notes: Mapping[str, NDArray[Any]]) -> None:
        """Set the state to one that `notes` returned."""
        if "adam_0_step" not in notes:
            return
        self._step = int(notes["adam_0_step"].reshape(()))
        for name, out in (("exp_avg", self._mean), ("exp_avg_sq", self._square)):
            found = [notes[f"adam_{i}_{name}"] for i in range(len(self._task._parameters))]
            self._task._layout.pack(found, out)


def _table_of(pool: FramePool, peak: float) -> NDArray[np.float32]:
    """Return what every stored value of 8 or 16 bits stands for, over the peak."""
    if pool.dtype == np.float16:
        every = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
    else:
        every = pool.btf.values.encode(np.arange(np.iinfo(pool.dtype).max + 1).astype(pool.dtype))
    # Half precision has bits that are no numbers.
    with np.errstate(invalid="ignore"):
        return (every / peak).astype(np.float32)
