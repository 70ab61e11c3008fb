"""Steps of the training of abrdf-conv and mlp, and how far it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.fitting.adam import adam_notes, restore_adam
from napari_btf.codec.fitting.checkpoint import Notes
from napari_btf.codec.fitting.settings import one_core
from napari_btf.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import torch
    from numpy.typing import NDArray

    from napari_btf.codec.fitting.checkpoint import Checkpoint
    from napari_btf.codec.texel_network.autoencoder import Autoencoder

__all__ = ["Training", "together"]

_RATE, _EPSILON = 5e-3, 1e-7
#: Share of the texels that is held out, and how many of them and of their pairs at most.
_HELD_SHARE, _MOST_HELD, _MOST_HELD_PAIRS = 0.2, 512, 2**15
_VALIDATE_EVERY = 0.02
#: Share of a training with a schedule in which the steps grow to their full size.
_WARM_UP = 0.03
#: Values of the encoder's hidden layer in a batch at most: 64 MiB.
_BATCH_VALUES = 2**24
#: Batches that the texels make at least: few of them want small batches.
_LEAST_BATCHES = 8
REPORT_SECONDS = 0.1


def together(observations: int) -> int:
    """How many texels the convolution takes at once."""
    return max(4, _BATCH_VALUES // (128 * observations))


class Training:
    """An autoencoder that is trained; it ends in the state with the least validation error.

    Parameters
    ----------
    autoencoder : Autoencoder
    texels, each : int
        Of a batch: texels at most, and observations of each.
    decays : bool
        Whether the steps follow a cosine schedule.
    seed : int
    """

    def __init__(
        self, autoencoder: Autoencoder, texels: int, each: int, decays: bool, seed: int
    ) -> None:
        self._autoencoder, self._decays = autoencoder, decays
        self._rng = np.random.default_rng(seed)
        observations = autoencoder.observations
        held, self._used = _hold_out(autoencoder.texels, self._rng)
        size = max(16, len(self._used) // _LEAST_BATCHES)
        self._size = min(texels, size, together(observations))
        self._each = min(observations, each)
        probe = self._rng.integers(observations, size=(len(held), _MOST_HELD_PAIRS // _MOST_HELD))
        self._probe = held, probe
        self._optimizer = self._new_optimizer()
        self._best_state = autoencoder.state()
        #: All that is noted as plain values.
        self._at: dict[str, Any] = {
            "step": 0,
            "seconds": 0.0,
            "validated": -1.0,
            "best_error": np.inf,
            "train_error": None,
            "slower": 1.0,
        }

    def _new_optimizer(self) -> torch.optim.Adam:
        import torch

        return torch.optim.Adam(self._autoencoder.parameters, lr=_RATE, eps=_EPSILON)

    def steps_of(self, epochs: int) -> int:
        """How many batches so many passes over the pairs of the texels take."""
        pairs = len(self._used) * self._autoencoder.observations
        return int(epochs * pairs // (self._size * self._each))

    def run(
        self,
        steps: int,
        seconds: float | None,
        stop: Callable[[], bool],
        checkpoint: Checkpoint,
    ) -> Generator[Progress, None, None]:
        """Train for so many steps, or seconds if they are given.

        Yields
        ------
        Progress
            Phase "train", in thousandths. A training that diverges goes back to its best state
            with half the step, and is "train slower" from then on.
        """
        if checkpoint.found is not None:
            self._go_on(checkpoint.found)
        at, start, reported = self._at, time.monotonic() - self._at["seconds"], -np.inf
        while True:
            at["seconds"] = time.monotonic() - start
            done = at["step"] / steps if seconds is None else at["seconds"] / seconds
            last = done >= 1.0 or stop()
            if last or done >= at["validated"] + _VALIDATE_EVERY:
                at["validated"] = done
                self._validate()
            if last:
                break
            if checkpoint.due():
                checkpoint.note(self._notes())
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                yield self._report(done)
                # A pause between reports is not training.
                start += time.monotonic() - reported
            rate = at["slower"] * _RATE * (_schedule(done) if self._decays else 1.0)
            error = self._learn(rate)
            if not np.isfinite(error):
                self._autoencoder.restore(self._best_state)
                self._optimizer = self._new_optimizer()
                at["slower"] /= 2.0
                continue
            before = error if at["train_error"] is None else at["train_error"]
            at["train_error"] = 0.95 * before + 0.05 * error
        self._autoencoder.restore(self._best_state)
        yield self._report(1.0)

    def _report(self, done: float) -> Progress:
        at = self._at
        phase = "train" if at["slower"] == 1.0 else "train slower"
        return Progress(phase, int(1000 * done), 1000, at["train_error"], at["best_error"])

    def _learn(self, rate: float) -> float:
        """One step; the error before it."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        texels = self._rng.choice(self._used, self._size)
        shape = self._size, self._each
        observations = self._rng.integers(self._autoencoder.observations, size=shape)
        with one_core():
            loss = self._autoencoder.loss(texels, observations)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
        self._at["step"] += 1
        return float(loss.item())

    def _validate(self) -> None:
        """Mean squared error of the texels that are held out; the least so far is kept."""
        texels, observations = self._probe
        few, error = together(self._autoencoder.observations), 0.0
        for start in range(0, len(texels), few):
            part = slice(start, start + few)
            found = self._autoencoder.validate(texels[part], observations[part])
            error += found * len(texels[part]) / len(texels)
        if error <= self._at["best_error"]:
            self._at["best_error"], self._best_state = error, self._autoencoder.state()

    def _notes(self) -> Notes:
        """What has to be known to go on from here."""
        tensors: dict[str, NDArray[Any]] = dict(
            adam_notes(self._optimizer, self._autoencoder.parameters)
        )
        for name, state in (("now", self._autoencoder.state()), ("best", self._best_state)):
            tensors |= {f"{name}.{key}": value.cpu().numpy() for key, value in state.items()}
        return Notes(tensors, {"at": self._at, "random": self._rng.bit_generator.state})

    def _go_on(self, notes: Notes) -> None:
        """Go on from notes."""
        import torch

        now, self._best_state = (
            {
                key.removeprefix(prefix): torch.from_numpy(value)
                for key, value in notes.tensors.items()
                if key.startswith(prefix)
            }
            for prefix in ("now.", "best.")
        )
        self._autoencoder.restore(now)
        restore_adam(self._optimizer, self._autoencoder.parameters, notes.tensors)
        self._at.update(notes.facts["at"])
        self._rng.bit_generator.state = notes.facts["random"]


def _hold_out(texels: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Texels to validate on and texels to learn from; the same ones if there are few."""
    order = rng.permutation(texels)
    count = min(int(_HELD_SHARE * texels), _MOST_HELD)
    return (order[:count], order[count:]) if count else (order, order)


def _schedule(done: float) -> float:
    """A short warm-up, then a cosine down to zero."""
    warm = min(1.0, (done + 1e-3) / _WARM_UP)
    return float(warm * 0.5 * (1.0 + np.cos(np.pi * min(done, 1.0))))
