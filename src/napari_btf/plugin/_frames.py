"""Images of a model in a thread: the latest directions win, coarser ones while they move."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_btf.codec.compiled import load_in_background
from napari_btf.plugin._jobs import Latest
from napari_btf.progress import finish
from napari_btf.relighting import Environment, Light, Relighter
from napari_btf.values import to_display

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.progress import Job
    from napari_btf.relighting import Lighting

__all__ = ["Frame", "Frames", "Shot", "developed", "finished", "make"]

Angles = tuple[float, float]

#: Every how-manieth texel may be decoded while directions move.
STEPS = (1, 2, 3, 4, 6, 8)
#: Seconds an image may take while directions move.
BUDGET = 0.016
#: Seconds an image may still take once another one is wanted; it is given up else.
_PATIENCE = 0.1
#: Directions rest when nothing came for so long (milliseconds).
_REST = 150


@dataclass(frozen=True)
class Shot:
    """An image to make.

    Parameters
    ----------
    model : CompressedBTF
    light, view : (theta, phi)
        Degrees.
    exposure : float
        Stops.
    gamma : float, optional
        Radiance becomes ``v ** (1 / gamma)`` instead of sRGB.
    lighting : tuple of Light or Environment, optional
        What shines in place of one light as in the capture.
    rows, columns : slice, optional
        The texels to decode, from one to before another; all if not given.
    step : int
        Decode every so many-th texel in both directions.
    """

    model: CompressedBTF
    light: Angles
    view: Angles
    exposure: float = 0.0
    gamma: float | None = None
    lighting: tuple[Light, ...] | Environment | None = None
    rows: slice | None = None
    columns: slice | None = None
    step: int = 1

    @property
    def lit_by(self) -> Lighting:
        """What shines, as a `Relighter` takes it."""
        return self.light if self.lighting is None else self.lighting

    @property
    def whole(self) -> Shot:
        """The same image with all its texels."""
        return replace(self, rows=None, columns=None, step=1)

    @property
    def is_whole(self) -> bool:
        """Whether all texels are decoded."""
        return self.step == 1 and self.rows is None and self.columns is None

    @property
    def share(self) -> float:
        """How much of the surface is decoded, 0 to 1."""
        height, width = (len(range(n)[part]) for n, part in self.extents)
        return height * width / (self.model.height * self.model.width * self.step**2)

    @property
    def extents(self) -> tuple[tuple[int, slice], tuple[int, slice]]:
        """Texels of the surface down and across, and which of them are wanted."""
        everything = slice(None)
        return (
            (self.model.height, self.rows or everything),
            (self.model.width, self.columns or everything),
        )

    def sampled(self) -> tuple[slice, slice]:
        """Rows and columns from the middle of the first square of step x step, if there is one."""
        starts = []
        for length, part in self.extents:
            start, stop, _ = part.indices(length)
            starts.append(slice(start + min(self.step // 2, stop - start - 1), stop))
        return starts[0], starts[1]


@dataclass(frozen=True, eq=False)
class Frame:
    """An image that was made.

    Parameters
    ----------
    shot : Shot
    stored : ndarray, shape (H, W, C)
        In the captured type, exposed.
    pixels : ndarray of uint8 or uint16, shape (H, W, C)
        For a screen; a pixel for each texel of the shot's rows and columns.
    seconds : float
        It took.
    decoded : int
        Images under single lights that had to be decoded for it.
    """

    shot: Shot
    stored: NDArray[Any]
    pixels: NDArray[Any]
    seconds: float
    decoded: int = 1


def developed(
    stored: NDArray[Any], exposure: float, gamma: float | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """An image exposed, in its own type, and for a screen; integers stay as they are."""
    if stored.dtype.kind != "f":
        return stored, stored
    with np.errstate(over="ignore"):
        exposed = stored * stored.dtype.type(2.0**exposure) if exposure else stored
    return exposed, to_display(exposed, gamma)


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
        """The one for such shots.

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
    """Seconds that shots of one model take, learned from those that were made."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._made: Shot | None = None

    def learn(self, frame: Frame) -> None:
        """Remember how long a whole image took with so many of single lights decoded."""
        if self._made is None or frame.shot.model is not self._made.model:
            self._seconds = {}
        if frame.shot.is_whole:
            self._seconds[frame.decoded], self._made = frame.seconds, frame.shot

    def to_decode(self, shot: Shot) -> int:
        """How many images under single lights are not there from the last whole one."""
        return _to_decode(shot, self._made)

    def of(self, shot: Shot) -> float:
        """How long the whole image of a shot takes; 0 if that is unknown."""
        if self._made is None or shot.model is not self._made.model:
            return 0.0
        count = self.to_decode(shot)
        if count in self._seconds:
            return self._seconds[count]
        known = max((n for n in self._seconds if n), default=0)
        return count * self._seconds[known] / known if known else 0.0


def _to_decode(shot: Shot, before: Shot | None) -> int:
    """How many images under single lights are not there from the shot before."""
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


class Frames(QObject):
    """Makes the latest shot that is wanted.

    Signals
    -------
    made
        A `Frame`.
    failed
        A sentence on what is wrong.
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
        """What decodes the next images: a torch device, or the processor without torch if None."""
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
        """Make an image; while directions move as much of it as the shot says, coarse if slow.

        The whole image follows when they rest.
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
        """Make the whole image now, if the last one that was wanted is not."""
        self._rest.stop()
        coarse, self._is_coarse = self._is_coarse, False
        if coarse and self._wanted is not None:
            self._make(self._wanted, self._cost.of(self._wanted))

    def cancel(self) -> None:
        """Want nothing any more."""
        self._rest.stop()
        self._latest.cancel()
        self._wanted, self._is_coarse, self._expected = None, False, 0.0

    def _make(self, shot: Shot, expected: float) -> None:
        # An environment on a large surface takes seconds; a hand that moves does not wait.
        give_up = self._expected > max(_PATIENCE, 2 * expected)
        self._expected = expected
        self._latest.want(lambda: _made_by(self._relighters, shot), at_once=give_up)

    def _step(self, shot: Shot, seconds: float) -> int:
        """The finest step whose images are quick enough, and as coarse as the shot allows."""
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


def make(shot: Shot, relighter: Relighter | None = None) -> Job[Frame]:
    """Make an image; it may be given up after each light of several."""
    relighter = relighter or Relighter(shot.model)
    start = time.perf_counter()
    rows, columns = shot.sampled()
    stored = yield from relighter.image_job(
        shot.lit_by, shot.view, rows=rows, columns=columns, step=shot.step, exposure=shot.exposure
    )
    pixels = to_display(stored, shot.gamma)
    if shot.step > 1:
        pixels = _enlarged(pixels, shot)
    return Frame(shot, stored, pixels, time.perf_counter() - start, relighter.decoded)


def finished(frame: Frame) -> Frame:
    """The same image with all its texels."""
    return frame if frame.shot.is_whole else finish(make(frame.shot.whole))


def _enlarged(pixels: NDArray[Any], shot: Shot) -> NDArray[Any]:
    """Each pixel as a square of step x step: the layer keeps its size, and people's changes."""
    height, width = (len(range(n)[part]) for n, part in shot.extents)
    rows = np.minimum(np.arange(height) // shot.step, len(pixels) - 1)
    columns = np.minimum(np.arange(width) // shot.step, pixels.shape[1] - 1)
    return pixels[rows][:, columns]
