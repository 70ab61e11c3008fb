"""The training loop that all codecs with networks share.

A codec gives its `napari_btf.codec.fitting.stage.Task`: the tensors that it trains, the gradients
of a random batch, and a validation if it holds data out. A `napari_btf.codec.fitting.stage.Stage`
gives the length and the schedule. The `Loop` does the rest: steps of Adam, validation,
checkpoints, reports, and the way back from a divergence.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.fitting.checkpoint import Checkpoint, Notes
from napari_btf.codec.fitting.processes import World
from napari_btf.codec.fitting.settings import one_core
from napari_btf.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import torch
    from numpy.typing import NDArray

    from napari_btf.codec.fitting.stage import Stage, Task

__all__ = ["Loop"]

#: A training has diverged if the error of a batch is this many times the least mean error of the
#: batches so far.
_DIVERGED = 30.0
#: Smaller mean errors count as this one: chance alone may multiply them.
_LEAST_ERROR = 1e-6
#: Weight of the latest batch in the mean error of the batches.
_LATEST = 0.05
REPORT_SECONDS = 0.1


@dataclass
class _Standing:
    """Progress of one stage of the training: step, time, best error so far.

    Parameters
    ----------
    step : int
    seconds : float
    checked : float
        Share of the stage at the latest validation.
    best_error : float
        Least validation error.
    train_error : float, optional
        Mean error of the latest batches, since the training last went back.
    least_error : float
        The least that ``train_error`` has been.
    slower : float
        Factor of all learning rates.
    """

    step: int = 0
    seconds: float = 0.0
    checked: float = -1.0
    best_error: float = np.inf
    train_error: float | None = None
    least_error: float = np.inf
    slower: float = 1.0


class Loop:
    """Trains a task for one stage.

    If the task has a validation, training ends in the state with the smallest validation error;
    otherwise it ends in the latest state.

    Parameters
    ----------
    task : Task
    stage : Stage
    checkpoint : Checkpoint, optional
        Where to save the progress. If one of this stage was found, the training resumes from it.
    here : World, optional
        All processes that train this task together; by default this one alone.
    """

    def __init__(
        self,
        task: Task,
        stage: Stage,
        checkpoint: Checkpoint | None = None,
        here: World | None = None,
    ) -> None:
        self._task, self._stage = task, stage
        self._checkpoint, self._here = checkpoint or Checkpoint(), here or World()
        self._optimizer = task.optimizer()
        self._at = _Standing()
        # The best state, or the latest one that is known to be good.
        self._kept = self._state()
        found = self._checkpoint.found
        if found is not None and found.facts["stage"] == stage.name:
            self._resume(found)

    @property
    def step(self) -> int:
        """Number of steps made so far."""
        return self._at.step

    def run(
        self, stop: Callable[[], bool] = lambda: False, until: int | None = None
    ) -> Generator[Progress, None, None]:
        """Train to the end of the stage, or up to a step after which `run` may be called again.

        Parameters
        ----------
        stop : callable
            Asked before every step; true ends the stage.
        until : int, optional

        Yields
        ------
        Progress
            The stage's phase, in thousandths. A training that diverges goes back to the best state
            with half the learning rate, and its phase is "<phase> slower" from then on.
        """
        at, reported = self._at, -np.inf
        start = time.monotonic() - at.seconds
        while until is None or at.step < until:
            at.seconds, stopped, due, asked = self._here.agree(
                time.monotonic() - start, stop(), self._checkpoint.due(), self._checkpoint.asked
            )
            if asked:
                self._checkpoint.ask()
            done = self._stage.done(at.step, at.seconds)
            last = done >= 1.0 or stopped > 0
            check = last or done >= at.checked + self._stage.interval
            if check:
                at.checked = done
                self._validate()
            if last:
                break
            if due:
                self._checkpoint.note(self._notes())
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                yield self._report(done)
                # A pause between reports is not training.
                start += time.monotonic() - reported
            self._learn(done, keep=check and self._task.validate is None)
        if until is None:
            self._settle()
        yield self._report(1.0 if until is None else self._stage.done(at.step, at.seconds))

    def _report(self, done: float) -> Progress:
        at, stage = self._at, self._stage
        overall = stage.first + (stage.last - stage.first) * min(1.0, done)
        return Progress(
            stage.phase if at.slower == 1.0 else f"{stage.phase} slower",
            int(1000 * overall),
            1000,
            at.train_error,
            None if self._task.validate is None else at.best_error,
        )

    def _validate(self) -> None:
        """Validate, and keep the present state if its error is the smallest so far."""
        if self._task.validate is not None:
            with one_core():
                error = self._task.validate()
            if error <= self._at.best_error:
                self._at.best_error, self._kept = error, self._state()

    def _learn(self, done: float, keep: bool) -> None:
        """Make one step; with ``keep``, keep the state before the step unless it has diverged."""
        with one_core():
            self._optimizer.zero_grad()
            is_good = self._accepts(self._task.gradients())
            self._at.step += 1
            if not is_good:
                return
            if keep:
                self._kept = self._state()
            slower, rate = self._at.slower, self._stage.rate
            rates = [slower * rate(full, done) for full in self._optimizer.rates]
            self._optimizer.step(rates)

    def _accepts(self, error: float) -> bool:
        """Whether the error of a batch is normal; otherwise return to the state that was kept."""
        at = self._at
        if not error < _DIVERGED * max(at.least_error, _LEAST_ERROR):
            self._go_back()
            return False
        before = error if at.train_error is None else at.train_error
        at.train_error = (1.0 - _LATEST) * before + _LATEST * error
        at.least_error = min(at.least_error, at.train_error)
        return True

    def _go_back(self) -> None:
        """Return to the state that was kept, without momentum and with half the learning rate."""
        self._task.restore(self._kept)
        self._optimizer = self._task.optimizer()
        self._at.slower /= 2.0
        # That state may have larger errors than the latest ones.
        self._at.train_error, self._at.least_error = None, np.inf

    def _settle(self) -> None:
        """Undo the last steps if they have spoiled the network."""
        if self._task.validate is not None:
            self._task.restore(self._kept)
        else:
            # No batch has shown yet what the last step did.
            with one_core():
                self._accepts(self._task.gradients())

    def _state(self) -> list[torch.Tensor]:
        """Return a copy of all tensors."""
        return [tensor.detach().clone() for tensor in self._task.tensors]

    def _notes(self) -> Notes:
        """Return all that is needed to resume the training from its present state."""
        tensors: dict[str, NDArray[Any]] = self._optimizer.notes()
        for name, state in (("now", self._state()), ("kept", self._kept)):
            tensors |= {f"{name}_{i}": tensor.cpu().numpy() for i, tensor in enumerate(state)}
        facts = {
            "stage": self._stage.name,
            "at": asdict(self._at),
            "random": self._task.random.bit_generator.state,
        }
        return Notes(tensors, {**self._stage.facts, **facts})

    def _resume(self, notes: Notes) -> None:
        import torch

        now, self._kept = (
            [torch.from_numpy(notes.tensors[f"{name}_{i}"]) for i in range(len(self._kept))]
            for name in ("now", "kept")
        )
        self._task.restore(now)
        self._optimizer.restore(notes.tensors)
        self._at = _Standing(**notes.facts["at"])
        self._task.random.bit_generator.state = notes.facts["random"]
