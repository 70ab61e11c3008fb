"""How far a training is: one measure over all of its phases, and the time that is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_btf.running.phases import phase_named
from napari_btf.training.outlook import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_btf.progress import Progress

__all__ = ["Course", "Standing"]

#: Seconds of a phase, and of all finished phases, from which their pace says something.
_TELLING, _TELLING_FINISHED = 0.5, 2.0
#: Share of a phase from which its own pace alone counts.
_TRUSTED = 0.2
#: Phases that are still to come take at most this many times as long, or as short, as expected.
_MOST_PACE = 4.0
#: Seconds that a phase that trains a model takes to end after it was asked to.
_ENDING = 1.0


@dataclass(frozen=True)
class Standing:
    """How far a training is.

    Parameters
    ----------
    number, count : int
        The present step, and the number of steps. Each expected phase is one step.
    words : str
        What is being done.
    done : float
        Share of the whole time that is over, 0 to 1. It never decreases.
    left : float or None
        Seconds until the model is trained and its quality is measured; None if unknown.
    """

    number: int
    count: int
    words: str
    done: float
    left: float | None

    def __str__(self) -> str:
        left = "" if self.left is None else f", about {duration(self.left)} left in all"
        return f"Step {self.number} of {self.count}: {self.words}{left}"


class Course:
    """Follows the reports of a training through all of its phases.

    Parameters
    ----------
    expected : mapping
        The phases in their order, each with its expected seconds, or None if these are unknown;
        see `napari_btf.training.outlook.Outlook.phases`.
    """

    def __init__(self, expected: Mapping[str, float | None]) -> None:
        self._expected = dict(expected)
        self._names = list(expected)
        self._at = 0
        self._phase, self._began, self._first = "", 0.0, 0
        self._seconds = 0.0
        #: Seconds that the finished phases took, and that they were expected to take.
        self._took, self._promised = 0.0, 0.0
        self._done = 0.0
        self._latest: Progress | None = None
        self._stopped = False

    def stop(self) -> None:
        """From now on, phases that train a model end early."""
        self._stopped = True

    @property
    def remaining(self) -> str:
        """Words for the phases that follow the present one, such as "encoding texels"."""
        later = [phase_named(name) for name in self._names[self._at + 1 :]]
        return ", ".join(phase.words for phase in later if not phase.keeps_best)

    @property
    def left(self) -> float | None:
        """Seconds that are left after the latest report; None if unknown."""
        return None if self._latest is None else self._left(self._latest)

    def standing(self, progress: Progress) -> Standing:
        """Take a report with its time, and return how far the training is."""
        self._latest, self._seconds = progress, max(self._seconds, progress.seconds)
        if progress.phase != self._phase:
            self._enter(progress)
        left = self._left(progress)
        if left is not None:
            share = self._seconds / max(self._seconds + left, 1e-6)
            self._done = max(self._done, min(share, 1.0))
        words = phase_named(progress.phase).words
        return Standing(self._at + 1, len(self._names), words, self._done, left)

    def _enter(self, progress: Progress) -> None:
        """Begin a phase; one that comes a second time stays in the step that it is found in."""
        expected = self._expected.get(self._phase)
        if expected is not None and not phase_named(self._phase).keeps_best:
            self._took += self._seconds - self._began
            self._promised += expected
        self._phase, self._began, self._first = progress.phase, self._seconds, progress.step
        name = _kind(progress.phase)
        if name in self._names[self._at :]:
            self._at = self._names.index(name)

    def _left(self, progress: Progress) -> float | None:
        own = self._left_of_phase(progress)
        later = [self._expectation(name) for name in self._names[self._at + 1 :]]
        if own is None or None in later:
            return None
        return own + sum(seconds for seconds in later if seconds is not None)

    def _left_of_phase(self, progress: Progress) -> float | None:
        took, done = self._seconds - self._began, progress.step - self._first
        if self._stopped and phase_named(progress.phase).keeps_best:
            return _ENDING
        expected = self._expectation(_kind(progress.phase))
        promised = None if expected is None else max(0.0, expected - took)
        if done <= 0 or took < _TELLING:
            return promised
        found = took / done * (progress.total - progress.step)
        # The first steps are slow: torch is imported, machine code is made.
        trust = min(1.0, done / (progress.total - self._first) / _TRUSTED)
        return found if promised is None else trust * found + (1.0 - trust) * promised

    def _expectation(self, name: str) -> float | None:
        """Return the expected seconds of a phase, given the pace of those that are finished."""
        expected = self._expected.get(name, 0.0)
        if phase_named(name).keeps_best:
            # Its length was chosen, or it ends early.
            return 0.0 if self._stopped else expected
        if expected is None or self._took < _TELLING_FINISHED:
            return expected
        pace = self._took / max(self._promised, 1e-6)
        return expected * min(max(pace, 1 / _MOST_PACE), _MOST_PACE)


def _kind(phase: str) -> str:
    """Return the phase of the table of expectations: that of "train slower" is "train"."""
    return phase.removesuffix(" slower")
