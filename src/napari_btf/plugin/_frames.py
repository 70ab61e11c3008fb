"""Images of a model in a thread: the latest directions win, coarser ones while they move."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_btf.plugin._jobs import Latest
from napari_btf.progress import finish
from napari_btf.relighting import Relighter
from napari_btf.values import to_display

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.progress import Job

__all__ = ["Frame", "Frames", "Shot", "developed", "finished", "make"]

Angles = tuple[float, float]

#: Every how-manieth texel may be decoded while directions move.
STEPS = (1, 2, 4, 8)
#: Seconds an image may take while directions move.
BUDGET = 0.03
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
        Stops; for radiance alone.
    gamma : float, optional
        Radiance becomes ``v ** (1 / gamma)`` instead of sRGB.
    step : int
        Decode every so many-th texel in both directions.
    """

    model: CompressedBTF
    light: Angles
    view: Angles
    exposure: float = 0.0
    gamma: float | None = None
    step: int = 1


@dataclass(frozen=True, eq=False)
class Frame:
    """An image that was made.

    Parameters
    ----------
    shot : Shot
    stored : ndarray, shape (H, W, C)
        In the captured type, exposed.
    pixels : ndarray of uint8 or uint16, shape (H, W, C)
        For a screen.
    seconds : float
        It took.
    """

    shot: Shot
    stored: NDArray[Any]
    pixels: NDArray[Any]
    seconds: float


def developed(
    stored: NDArray[Any], exposure: float, gamma: float | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """An image exposed, in its own type, and for a screen; integers stay as they are."""
    if stored.dtype.kind != "f":
        return stored, stored
    with np.errstate(over="ignore"):
        exposed = stored * stored.dtype.type(2.0**exposure) if exposure else stored
    return exposed, to_display(exposed, gamma)


def _frame(shot: Shot) -> tuple[NDArray[Any], NDArray[Any]]:
    """The image of a shot as `developed` gives it, of every ``step``-th texel alone."""
    # The middle ones of the squares that `_enlarged` makes of them, if there are any.
    middle = min(shot.step // 2, shot.model.height - 1, shot.model.width - 1)
    some = slice(middle, None)
    stored = Relighter(shot.model).image(
        shot.light, shot.view, rows=some, columns=some, step=shot.step
    )
    return developed(stored, shot.exposure, shot.gamma)


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
        self._model: CompressedBTF | None = None
        self._seconds = 0.0
        self._is_coarse = False
        self._latest = Latest(self)
        self._latest.done.connect(self._on_made)
        self._latest.failed.connect(self.failed)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST)
        self._rest.timeout.connect(self.settle)

    @property
    def busy(self) -> bool:
        """Whether an image is still to come."""
        return self._latest.busy or self._rest.isActive()

    def want(self, shot: Shot, moving: bool = False) -> None:
        """Make an image, coarse if directions move and a whole one takes long."""
        if shot.model is not self._model:
            self._model, self._seconds = shot.model, 0.0
        self._wanted = shot
        step = self._step() if moving else 1
        self._is_coarse = step > 1
        if self._is_coarse:
            self._rest.start()
        else:
            self._rest.stop()
        self._make(replace(shot, step=step))

    def settle(self) -> None:
        """Make the whole image now, if the last one that was wanted is coarse."""
        self._rest.stop()
        coarse, self._is_coarse = self._is_coarse, False
        if coarse and self._wanted is not None:
            self._make(self._wanted)

    def cancel(self) -> None:
        """Want nothing any more."""
        self._rest.stop()
        self._latest.cancel()
        self._wanted, self._is_coarse = None, False

    def _make(self, shot: Shot) -> None:
        self._latest.want(lambda: make(shot))

    def _step(self) -> int:
        """The finest step whose images are quick enough."""
        for step in self.steps:
            if self._seconds <= self.budget * step**2:
                return step
        return self.steps[-1]

    def _on_made(self, frame: Frame) -> None:
        if frame.shot.step == 1 and frame.shot.model is self._model:
            self._seconds = frame.seconds
        self.made.emit(frame)


def make(shot: Shot) -> Job[Frame]:
    """Make an image; there is nothing to report on the way."""
    yield from ()
    start = time.perf_counter()
    stored, pixels = _frame(shot)
    if shot.step > 1:
        pixels = _enlarged(pixels, shot.step, shot.model.height, shot.model.width)
    return Frame(shot, stored, pixels, time.perf_counter() - start)


def finished(frame: Frame) -> Frame:
    """The same image with all its texels."""
    return frame if frame.shot.step == 1 else finish(make(replace(frame.shot, step=1)))


def _enlarged(pixels: NDArray[Any], step: int, height: int, width: int) -> NDArray[Any]:
    """Each pixel as a square of step x step: the layer keeps its size, and people's changes."""
    rows = np.minimum(np.arange(height) // step, len(pixels) - 1)
    columns = np.minimum(np.arange(width) // step, pixels.shape[1] - 1)
    return pixels[rows][:, columns]
