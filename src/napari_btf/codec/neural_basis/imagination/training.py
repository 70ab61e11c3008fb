"""Training of the network that shades texels: Adam with a cosine schedule, as many steps as asked.

The clock only ends a training that was given seconds at most: what a training learns depends on its
steps, so that it is the same on a busy machine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting.adam import adam_notes, restore_adam
from napari_btf.codec.fitting.checkpoint import Checkpoint, Notes
from napari_btf.codec.fitting.settings import one_core
from napari_btf.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import torch
    from numpy.typing import NDArray

    from napari_btf.codec.neural_basis.imagination.network import ShadingNetwork, Texels

__all__ = ["BATCH", "RATE", "Lesson", "Training"]

RATE = 4e-3
#: A step sees so many texels under so many pairs.
_TEXELS, _PAIRS = 80, 48
#: Values of one channel that a step sees.
BATCH = _TEXELS * _PAIRS
#: A batch's error so many times the usual one is a divergence.
_DIVERGED = 30.0
#: Steps after which a state that does well is kept, to go back to.
_KEEP_EVERY = 50
REPORT_SECONDS = 0.1


@dataclass(frozen=True)
class Lesson:
    """A part of a training.

    Parameters
    ----------
    name : str
        For notes.
    rate : float
        The learning rate it begins with.
    steps : int
    seconds : float or None
        At most.
    first, last : float
        Where it lies in the whole training, 0 to 1, for reports.
    """

    name: str
    rate: float
    steps: int
    seconds: float | None
    first: float
    last: float

    def done(self, step: int, elapsed: float) -> float:
        """How much of the part is over, 0 to 1."""
        by_steps = step / self.steps
        return by_steps if self.seconds is None else max(by_steps, elapsed / self.seconds)

    def overall(self, done: float) -> int:
        """Thousandths of the whole training."""
        return int(1000 * (self.first + (self.last - self.first) * min(1.0, done)))


class Training:
    """A lesson, and how far it is.

    Parameters
    ----------
    network : ShadingNetwork
    texels : Texels
    values : ndarray, shape (T, N, C)
        Of the texels under N pairs.
    light, view : ndarray, shape (N, 3)
    lesson : Lesson
    seed : int
    """

    def __init__(
        self,
        network: ShadingNetwork,
        texels: Texels,
        values: NDArray[np.float32],
        light: NDArray[np.float64],
        view: NDArray[np.float64],
        lesson: Lesson,
        seed: int,
    ) -> None:
        self._network, self._texels, self._values, self._lesson = network, texels, values, lesson
        self._directions = network.directions(light, view)
        self._optimizer = self._new_optimizer()
        self._random = np.random.default_rng(seed)
        self.step = 0
        self._seconds = 0.0
        self._usual: float | None = None
        self._slower = 1.0
        self._kept = self._state()

    def run(
        self,
        stop: Callable[[], bool],
        checkpoint: Checkpoint,
        facts: dict[str, float],
        until: int | None = None,
    ) -> Generator[Progress, None, None]:
        """Train to the end, or up to a step.

        Parameters
        ----------
        stop : callable
            Asked at every step; true ends it.
        checkpoint : Checkpoint
            Where to note how far it is.
        facts : dict
            What else the notes are to say.
        until : int, optional

        Yields
        ------
        Progress
            Phase "train". A training that diverges goes back to where it did well with half the
            step, and is "train slower" from then on.
        """
        lesson, error = self._lesson, None
        start, reported = time.monotonic() - self._seconds, -np.inf
        while not stop() and (until is None or self.step < until):
            now = time.monotonic()
            self._seconds = now - start
            done = lesson.done(self.step, self._seconds)
            if done >= 1.0:
                break
            if checkpoint.due():
                checkpoint.note(self._notes(facts))
            if now - reported > REPORT_SECONDS:
                reported = now
                yield Progress(self._phase, lesson.overall(done), 1000, error)
                # A pause between reports is not training.
                start += time.monotonic() - reported
            rate = lesson.rate * (0.5 + 0.5 * np.cos(np.pi * done)) + 1e-6
            error = self._learn(self._slower * rate)
        if until is None:
            # What the last step did, nobody has seen yet.
            with one_core():
                self._is_fine(float(self._loss().item()))
        done = lesson.done(self.step, self._seconds) if until is not None else 1.0
        yield Progress(self._phase, lesson.overall(done), 1000, error)

    @property
    def _phase(self) -> str:
        return "train" if self._slower == 1.0 else "train slower"

    def _learn(self, rate: float) -> float | None:
        """One step; the usual error before it."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with one_core():
            loss = self._loss()
            if self._is_fine(float(loss.item())):
                self._optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                self._optimizer.step()
        self.step += 1
        return self._usual

    def _loss(self) -> torch.Tensor:
        """The error of a batch."""
        count = self._values.shape[1]
        rows = self._random.integers(0, len(self._texels), _TEXELS)
        pairs = self._random.choice(count, min(count, _PAIRS), replace=False)
        directions = tuple(table[pairs] for table in self._directions)
        values = self._values[rows][:, pairs]
        return self._network.loss(self._texels.at(rows), values, directions)

    def _is_fine(self, error: float) -> bool:
        """Whether the network is as it should be; else it is put back, and slower from then on."""
        usual = error if self._usual is None else self._usual
        if not error < _DIVERGED * max(usual, 1e-6):
            self._restore(self._kept)
            self._optimizer = self._new_optimizer()
            self._slower /= 2.0
            return False
        self._usual = 0.95 * usual + 0.05 * error
        if self.step % _KEEP_EVERY == 0:
            self._kept = self._state()
        return True

    def _new_optimizer(self) -> torch.optim.Adam:
        import torch

        return torch.optim.Adam(self._network.parameters, lr=self._lesson.rate)

    def _state(self) -> list[torch.Tensor]:
        return [parameter.detach().clone() for parameter in self._network.parameters]

    def _restore(self, state: list[torch.Tensor]) -> None:
        import torch

        with torch.no_grad():
            for parameter, value in zip(self._network.parameters, state, strict=True):
                parameter.copy_(value)

    def _notes(self, facts: dict[str, float]) -> Notes:
        """What has to be known to go on from here."""
        parameters = self._network.parameters
        tensors = adam_notes(self._optimizer, parameters)
        for i, parameter in enumerate(parameters):
            tensors[f"now_{i}"] = parameter.detach().cpu().numpy().copy()
        own = {
            "lesson": self._lesson.name,
            "step": self.step,
            "seconds": self._seconds,
            "usual": self._usual,
            "slower": self._slower,
        }
        return Notes(tensors, {**facts, **own, "random": self._random.bit_generator.state})

    def go_on(self, notes: Notes) -> None:
        """Go on from notes of this lesson."""
        import torch

        parameters = self._network.parameters
        self._restore([torch.from_numpy(notes.tensors[f"now_{i}"]) for i in range(len(parameters))])
        self._kept = self._state()
        restore_adam(self._optimizer, parameters, notes.tensors)
        self.step, self._seconds = notes.facts["step"], notes.facts["seconds"]
        self._usual = notes.facts.get("usual")
        self._slower = notes.facts.get("slower", 1.0)
        self._random.bit_generator.state = notes.facts["random"]
