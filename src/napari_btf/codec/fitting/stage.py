"""What the loop trains: the task, and the length and schedule of each stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from numpy.typing import NDArray

__all__ = ["Optimizer", "Stage", "Task"]


class Optimizer(Protocol):
    """Moves the parameters of a task along their gradients: `Adam`, in torch or machine code."""

    @property
    def rates(self) -> list[float]:
        """The full learning rate of each group of parameters."""

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def step(self, rates: Sequence[float]) -> None:
        """Make a step along the gradients, with a learning rate for each group."""

    def notes(self) -> dict[str, NDArray[Any]]:
        """Return its state as arrays, by the names that `Adam.notes` gives them."""

    def restore(self, notes: Mapping[str, NDArray[Any]]) -> None:
        """Set its state to one that `notes` returned."""


class Task(Protocol):
    """What a codec trains, and on which data."""

    random: np.random.Generator
    """Draws the batches; a checkpoint contains its state."""

    @property
    def tensors(self) -> Sequence[torch.Tensor]:
        """All tensors that the training changes, in a fixed order."""

    def restore(self, state: Sequence[torch.Tensor]) -> None:
        """Set all tensors to values that `tensors` had."""

    def optimizer(self) -> Optimizer:
        """Return a new optimizer of the parameters, which has made no step."""

    def gradients(self) -> float:
        """Compute the gradients of a random batch; return its mean squared error."""

    @property
    def validate(self) -> Callable[[], float] | None:
        """A function that returns the mean squared error of held-out data, or None."""


@dataclass(frozen=True)
class Stage:
    """One stage of a training: its length and its schedule.

    Parameters
    ----------
    name : str
        Identifies the stage in a checkpoint.
    steps : int, optional
        Batches at most.
    seconds : float, optional
        Seconds at most. One of ``steps`` and ``seconds`` is needed.
    phase : str
        Name of the phase in reports.
    warm_up : float
        Share of the stage in which the learning rates grow to their full size.
    decays : bool
        Whether the learning rates follow this warm-up and then half a cosine down to 0; else they
        are constant.
    least_rate : float
        Added to learning rates that decay.
    interval : float
        Share of the stage between two validations.
    first, last : float
        Begin and end of the stage in the reports of the whole training, 0 to 1.
    facts : dict
        Further plain values for the checkpoint.
    """

    name: str
    steps: int | None
    seconds: float | None = None
    phase: str = "train"
    warm_up: float = 0.03
    decays: bool = True
    least_rate: float = 0.0
    interval: float = 0.01
    first: float = 0.0
    last: float = 1.0
    facts: dict[str, Any] = field(default_factory=dict)

    def done(self, step: int, seconds: float) -> float:
        """Return the share of the stage that is over; it is 1 or more at its end."""
        by_steps = 0.0 if self.steps is None else step / self.steps
        return by_steps if self.seconds is None else max(by_steps, seconds / self.seconds)

    def rate(self, full: float, done: float) -> float:
        """Return the learning rate when a share of the stage is over."""
        if not self.decays:
            return full
        warm = min(1.0, (done + 1e-3) / self.warm_up) if self.warm_up else 1.0
        cosine = warm * 0.5 * (1.0 + np.cos(np.pi * min(done, 1.0)))
        return float(full * cosine + self.least_rate)
