"""Renders images of a model in a thread: the latest shot wins, and moving ones are coarse."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_btf.codec.decoding.compiled import load_in_background
from napari_btf.plugin.jobs.background import Latest
from napari_btf.relighting import Environment, Relighter
from napari_btf.relighting.shots import Frame, Shot, make

if TYPE_CHECKING:
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.progress import Job

__all__ = [
    "Renderer",
]


#: While directions move, every n-th texel is decoded, where n is one of these numbers.
STEPS = (1, 2, 3, 4, 6, 8)
#: The time that an image may take while directions move, seconds.
BUDGET = 0.016
#: An image that would take longer than this (seconds) is given up when a newer one is wanted.
_PATIENCE = 0.1
#: Directions rest if no shot is wanted for this time, milliseconds.
_REST = 150


class _Relighters:
    """Relighters of the model shown last: of the whole surface, and of what is shown in motion.

    Used by one thread at a time. Two, so that the images that one keeps of several lights are
    still there after the other was used.
    """

    _COUNT = 2

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[bool, int], Relighter] = OrderedDict()
        self._model: CompressedBTF | None = None
        self._decoder: CompressedBTF | None = None
        #: What decodes: a torch device, or the processor without torch if None.
        self.device: str | None = None

    def of(self, shot: Shot) -> Relighter:
        """Return the relighter for such shots.

        Raises
        ------
        UsageError
            If the device cannot be used.
        """
        device = self.device
        decoder = self._decoder
        if decoder is None or self._model is not shot.model or decoder.device != device:
            self._kept.clear()
            decoder = shot.model.decoded_on(device)
            self._model, self._decoder = shot.model, decoder
        key = shot.rows is None and shot.columns is None, shot.step
        if key not in self._kept:
            while len(self._kept) >= self._COUNT:
                self._kept.popitem(last=False)
            self._kept[key] = Relighter(decoder)
        self._kept.move_to_end(key)
        return self._kept[key]


class _Cost:
    """Measures the seconds that shots of one model take."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._made: Shot | None = None

    def learn(self, frame: Frame) -> None:
        """Remember the time of a whole image for its number of decoded single lights."""
        if self._made is None or frame.shot.model is not self._made.model:
            self._seconds = {}
        if frame.shot.is_whole:
            self._seconds[frame.decoded], self._made = frame.seconds, frame.shot

    def to_decode(self, shot: Shot) -> int:
        """Return how many images under single lights are new since the last whole image."""
        return _to_decode(shot, self._made)

    def of(self, shot: Shot) -> float:
        """Return the expected seconds of the whole image of a shot; 0 if they are unknown."""
        if self._made is None or shot.model is not self._made.model:
            return 0.0
        count = self.to_decode(shot)
        if count in self._seconds:
            return self._seconds[count]
        known = max((n for n in self._seconds if n), default=0)
        return count * self._seconds[known] / known if known else 0.0


def _to_decode(shot: Shot, before: Shot | None) -> int:
    """Return how many images under single lights have to be decoded after the previous shot."""
    lighting = shot.lighting
    if lighting is None:
        return 1
    count = lighting.count if isinstance(lighting, Environment) else len(lighting)
    if before is None or (before.model, before.view) != (shot.model, shot.view):
        return count
    if isinstance(lighting, Environment):
        return 0 if isinstance(before.lighting, Environment) else count
    if not isinstance(before.lighting, tuple) or len(before.lighting) != count:
        return count
    pairs = zip(lighting, before.lighting, strict=True)
    return sum((a.theta, a.phi) != (b.theta, b.phi) for a, b in pairs)


class Renderer(QObject):
    """Renders the latest shot that is wanted.

    Signals
    -------
    made
        A `Frame`.
    failed
        A sentence that says what is wrong.
    """

    made = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.steps: tuple[int, ...] = STEPS
        self.budget = BUDGET
        self._wanted: Shot | None = None
        self._relighters, self._cost = _Relighters(), _Cost()
        #: Seconds that what was asked for last is expected to take.
        self._expected = 0.0
        self._is_coarse = False
        self._latest = Latest(self)
        self._latest.done.connect(self._on_made)
        self._latest.failed.connect(self.failed)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST)
        self._rest.timeout.connect(self.settle)

    @property
    def device(self) -> str | None:
        """The torch device that decodes the next images; None decodes without torch."""
        return self._relighters.device

    @device.setter
    def device(self, device: str | None) -> None:
        self._relighters.device = device
        # Nothing is known of how long it takes.
        self._cost = _Cost()

    @property
    def busy(self) -> bool:
        """Whether an image is still to come."""
        return self._latest.busy or self._rest.isActive()

    def want(self, shot: Shot, moving: bool = False) -> None:
        """Render a shot; while directions move, only its part, and coarsely if the model is slow.

        The whole image follows when the directions rest.
        """
        whole = self._cost.of(shot)
        self._wanted = shot.whole
        shot = replace(shot, step=self._step(shot, whole)) if moving else shot.whole
        self._is_coarse = not shot.is_whole
        if self._is_coarse:
            self._rest.start()
        else:
            self._rest.stop()
        self._make(shot, whole * shot.share)

    def settle(self) -> None:
        """Render the whole image now, if the last one was coarse."""
        self._rest.stop()
        coarse, self._is_coarse = self._is_coarse, False
        if coarse and self._wanted is not None:
            self._make(self._wanted, self._cost.of(self._wanted))

    def cancel(self) -> None:
        """Drop all requests."""
        self._rest.stop()
        self._latest.cancel()
        self._wanted, self._is_coarse, self._expected = None, False, 0.0

    def _make(self, shot: Shot, expected: float) -> None:
        # An environment on a large surface takes seconds; a hand that moves does not wait.
        give_up = self._expected > max(_PATIENCE, 2 * expected)
        self._expected = expected
        self._latest.want(lambda: _made_by(self._relighters, shot), at_once=give_up)

    def _step(self, shot: Shot, seconds: float) -> int:
        """Return the finest step whose images are quick enough, at least that of the shot."""
        steps = [step for step in self.steps if step >= shot.step] or [shot.step]
        # Where all images of single lights are there, coarser ones would have to be decoded first.
        budget = self.budget if self._cost.to_decode(shot) else _PATIENCE
        for step in steps:
            if seconds * replace(shot, step=step).share <= budget:
                return step
        return steps[-1]

    def _on_made(self, frame: Frame) -> None:
        self._cost.learn(frame)
        self.made.emit(frame)
        # Many more are likely to follow. The first one does not wait for it.
        if self.device is None:
            load_in_background()


def _made_by(relighters: _Relighters, shot: Shot) -> Job[Frame]:
    # Found in the thread: a device may have to be woken up for it.
    return (yield from make(shot, relighters.of(shot)))
