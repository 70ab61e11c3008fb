"""Light, view and surroundings that move by themselves: around, across, along keyframes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QElapsedTimer, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_btf.plugin.relight.recorder import Recorder
from napari_btf.plugin.widgets.section import allow
from napari_btf.relighting.motion import along, circle, sweep, turn, view_circle

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_btf.relighting.motion import Motion, Pose

__all__ = ["MOTIONS", "Limits", "Player", "Scene"]

#: Milliseconds between two steps; a step goes as far as time has passed.
_TICK = 16
#: What there is to play, by name, and what it does.
MOTIONS = {
    "circle": "The light goes around at its theta; surroundings turn",
    "sweep": "The light goes over the normal to the other side and back",
    "view": "The viewer goes around at its theta while the light stays",
    "keyframes": "Light, view and surroundings go from keyframe to keyframe",
    "recording": "What the hand did while it was recorded, at its own pace",
}


@dataclass(frozen=True)
class Scene:
    """Where everything is.

    Parameters
    ----------
    pose : Pose
        With light and view; with a turn where surroundings shine.
    reach : (light, view)
        Thetas that a sweep and circles go to, degrees.
    """

    pose: Pose
    reach: tuple[float, float]


@dataclass(frozen=True)
class Limits:
    """Why something must not move, or nothing: everything, the light, the view."""

    everything: str = ""
    light: str = ""
    view: str = ""


class Player(QWidget):
    """Buttons, a speed, keyframes, and a recording.

    Parameters
    ----------
    present : callable
        Gives the present `Scene`.

    Signals
    -------
    moved
        The `Pose` after one more step.
    stopped
        Nothing moves any more.
    changed
        Other motions can be played than before.
    """

    moved = Signal(object)
    stopped = Signal()
    changed = Signal()

    def __init__(self, present: Callable[[], Scene]) -> None:
        super().__init__()
        self._present = present
        self._motion: Motion | None = None
        self._gone = 0.0
        self._limits = Limits()
        self._keyframes: list[Pose] = []
        self.circle, self.sweep = QPushButton("Circle"), QPushButton("Sweep")
        self.view, self.along = QPushButton("Turn view"), QPushButton("Keyframes")
        self.recording, self.stop_button = QPushButton("Recording"), QPushButton("Stop")
        self.loop = QCheckBox("loop")
        self.loop.setChecked(True)
        self.loop.setToolTip("Begin again at the end")
        self.speed = QSlider(Qt.Orientation.Horizontal)
        self.speed.setRange(5, 240)
        self.speed.setValue(60)
        self.speed.setMinimumWidth(60)
        self.speed_text = QLabel()
        self.add, self.clear = QPushButton("Add keyframe"), QPushButton("Clear")
        self.recorder = Recorder()
        self.list = QListWidget()
        self.list.setFixedHeight(64)
        self._lay_out()

        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_TICK)
        self._clock = QElapsedTimer()
        self._timer.timeout.connect(self._step)
        for name, button in self._buttons.items():
            button.clicked.connect(lambda _, name=name: self.play(self.motion(name)))
        self.stop_button.clicked.connect(self.stop)
        self.recorder.started.connect(self.stop)
        self.recorder.changed.connect(self._allow)
        self.add.clicked.connect(self._add)
        self.clear.clicked.connect(self._clear)
        self.list.itemActivated.connect(self._go_to)
        self.speed.valueChanged.connect(self._say_speed)
        self._say_speed(self.speed.value())
        self._allow()

    def _lay_out(self) -> None:
        buttons = QGridLayout()
        buttons.setSpacing(4)
        for i, button in enumerate((*self._buttons.values(), self.stop_button)):
            buttons.addWidget(button, i // 2, i % 2)
        pace = QHBoxLayout()
        for part in (QLabel("speed"), self.speed, self.speed_text, self.loop):
            pace.addWidget(part)
        keys = QHBoxLayout()
        keys.setSpacing(4)
        keys.addWidget(self.add, 1)
        keys.addWidget(self.clear)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for part in (buttons, pace, keys):
            column.addLayout(part)
        column.addWidget(self.list)
        column.addWidget(self.recorder)

    @property
    def _buttons(self) -> dict[str, QPushButton]:
        buttons = (self.circle, self.sweep, self.view, self.along, self.recording)
        return dict(zip(MOTIONS, buttons, strict=True))

    @property
    def playing(self) -> bool:
        """Whether something moves."""
        return self._timer.isActive()

    @property
    def keyframes(self) -> tuple[Pose, ...]:
        """Light, view and turn of each keyframe."""
        return tuple(self._keyframes)

    def set_limits(self, limits: Limits) -> None:
        """Disable what must not move."""
        self._limits = limits
        self._allow()
        if limits.everything:
            self.stop()

    def why_not(self, name: str) -> str:
        """Why a motion of `MOTIONS` cannot be played, or nothing."""
        turns = self._present().pose.turn is not None
        few = "" if len(self._keyframes) > 1 else "Add two keyframes first"
        none = "" if self.recorder.motion is not None else "Record something first"
        reasons = {
            "circle": "" if turns else self._limits.light,
            "sweep": "Surroundings are turned, not swept" if turns else self._limits.light,
            "view": self._limits.view,
            "keyframes": few,
            "recording": none,
        }
        return self._limits.everything or reasons[name]

    def motion(self, name: str) -> Motion:
        """A motion of `MOTIONS` that can be played, from where everything is."""
        scene = self._present()
        light, view, turned = scene.pose
        if name == "keyframes":
            return along(self._keyframes, self.loop.isChecked())
        if name == "recording":
            assert self.recorder.motion is not None
            return self.recorder.motion
        assert light is not None
        assert view is not None
        if name == "circle":
            return circle(light, scene.reach[0]) if turned is None else turn(turned)
        return (
            sweep(light, scene.reach[0]) if name == "sweep" else view_circle(view, scene.reach[1])
        )

    def seconds(self, motion: Motion) -> float:
        """How long a motion takes: at the chosen speed, or at its own pace."""
        return motion.length / self.speed.value() if motion.seconds is None else motion.seconds

    def play(self, motion: Motion) -> None:
        """Start another motion."""
        self.recorder.stop()
        self._motion, self._gone = motion, 0.0
        self._clock.start()
        self._timer.start()
        self._allow()

    def stop(self) -> None:
        """Stay where it is."""
        if self.playing:
            self._timer.stop()
            self._allow()
            self.stopped.emit()

    def touched(self, *, light: bool = False, view: bool = False, turn: bool = False) -> None:
        """A hand moved something: what moves the same by itself stops; what is recorded is."""
        if self._motion is not None and self.playing:
            moves = [part is not None for part in self._motion.at(0.0)]
            if any(mine and hand for mine, hand in zip(moves, (light, view, turn), strict=True)):
                self.stop()
        if not self.playing:
            self.recorder.note(self._present().pose)

    def _step(self) -> None:
        motion = self._motion
        assert motion is not None
        pace = motion.length / max(self.seconds(motion), 1e-9)
        self._gone += pace * self._clock.restart() / 1000.0
        is_over = self._gone >= motion.length and not self.loop.isChecked()
        gone = motion.length if is_over else self._gone % max(motion.length, 1e-9)
        self.moved.emit(motion.at(gone))
        if is_over:
            self.stop()

    def _add(self) -> None:
        pose = self._present().pose
        self._keyframes.append(pose)
        (lt, lp), (vt, vp) = pose.light or (0.0, 0.0), pose.view or (0.0, 0.0)
        what = f"light {lt:.4g}°, {lp:.4g}°"
        if pose.turn is not None:
            what = f"turn {pose.turn:.4g}°"
        text = f"{len(self._keyframes)}   {what}   view {vt:.4g}°, {vp:.4g}°"
        self.list.addItem(QListWidgetItem(text))
        self.list.scrollToBottom()
        self._allow()

    def _clear(self) -> None:
        self._keyframes.clear()
        self.list.clear()
        self._allow()

    def _go_to(self, item: QListWidgetItem) -> None:
        self.stop()
        self.moved.emit(self._keyframes[self.list.row(item)])
        self.stopped.emit()

    def _say_speed(self, speed: int) -> None:
        self.speed_text.setText(f"{speed} °/s")
        self.speed.setToolTip("Degrees in a second")
        self.changed.emit()

    def _allow(self) -> None:
        no = self._limits.everything
        for name, button in self._buttons.items():
            allow(button, MOTIONS[name], self.why_not(name))
        allow(self.stop_button, "Stay here", no or ("" if self.playing else "Nothing moves"))
        allow(self.add, "Remember where everything is", no)
        allow(self.clear, "Forget all keyframes", "" if self._keyframes else "There are none")
        self.recorder.set_why_not(no)
        self.list.setVisible(bool(self._keyframes))
        self.list.setToolTip("Double-click a keyframe to go there")
        self.changed.emit()
