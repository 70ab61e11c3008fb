"""Motions of light, view and environment: circles, sweeps, keyframes, recordings."""

from __future__ import annotations

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
    from napari_btf.plugin.relight.scene import Scene
    from napari_btf.relighting.motion import Motion, Pose

__all__ = ["MOTIONS", "Player"]

#: Milliseconds between two steps; each step covers the time that has passed.
_TICK = 16
#: The motions by name, each with its tool tip.
MOTIONS = {
    "circle": "The light circles around the normal at its theta; an environment turns",
    "sweep": "The light moves across the normal to the other side and back",
    "view": "The viewer circles around the normal at its theta while the light stays",
    "keyframes": "Light, view and environment move from keyframe to keyframe",
    "recording": "The recorded movements, at their own speed",
}


class Player(QWidget):
    """Moves the scene: buttons for the motions, a speed, keyframes, and a recorder.

    Parameters
    ----------
    scene : Scene

    Signals
    -------
    stopped
        A motion has ended or was stopped.
    changed
        Other motions can be played than before.
    """

    stopped = Signal()
    changed = Signal()

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self._motion: Motion | None = None
        self._gone = 0.0
        self._keyframes: list[Pose] = []
        self.circle, self.sweep = QPushButton("Circle"), QPushButton("Sweep")
        self.view, self.along = QPushButton("Turn view"), QPushButton("Keyframes")
        self.recording, self.stop_button = QPushButton("Recording"), QPushButton("Stop")
        self.loop = QCheckBox("loop")
        self.loop.setChecked(True)
        self.loop.setToolTip("Start again at the end")
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
        scene.moved.connect(self._on_moved)
        scene.replaced.connect(self.stop)
        scene.allowed.connect(self._on_allowed)
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
        """Whether a motion is running."""
        return self._timer.isActive()

    @property
    def keyframes(self) -> tuple[Pose, ...]:
        """Light, view and turn of each keyframe."""
        return tuple(self._keyframes)

    def why_not(self, name: str) -> str:
        """Why a motion of `MOTIONS` cannot be played, or ""."""
        limits, turns = self._scene.limits, self._scene.is_surrounded
        few = "" if len(self._keyframes) > 1 else "Add two keyframes first"
        none = "" if self.recorder.motion is not None else "Record something first"
        reasons = {
            "circle": "" if turns else limits.light,
            "sweep": "An environment is turned, not swept" if turns else limits.light,
            "view": limits.view,
            "keyframes": few,
            "recording": none,
        }
        return limits.everything or reasons[name]

    def motion(self, name: str) -> Motion:
        """A motion of `MOTIONS`, which starts at the present pose of the scene."""
        scene = self._scene
        if name == "keyframes":
            return along(self._keyframes, self.loop.isChecked())
        if name == "recording":
            assert self.recorder.motion is not None
            return self.recorder.motion
        light_reach, view_reach = scene.reach
        if name == "view":
            return view_circle(scene.view, view_reach)
        if name == "sweep":
            return sweep(scene.light, light_reach)
        return turn(scene.turn) if scene.is_surrounded else circle(scene.light, light_reach)

    def seconds(self, motion: Motion) -> float:
        """The duration of a motion: at the chosen speed, or at the speed of a recording."""
        return motion.length / self.speed.value() if motion.seconds is None else motion.seconds

    def play(self, motion: Motion) -> None:
        """Start a motion."""
        self.recorder.stop()
        self._motion, self._gone = motion, 0.0
        self._clock.start()
        self._timer.start()
        self._allow()

    def stop(self) -> None:
        """Stop the motion that is running."""
        if self.playing:
            self._timer.stop()
            self._allow()
            self.stopped.emit()

    def _on_moved(self, light: bool, view: bool, turn: bool) -> None:
        # A motion stops when a person moves the same thing, and lets them move all others.
        if self._motion is not None and self.playing:
            moves = [part is not None for part in self._motion.at(0.0)]
            if any(mine and hand for mine, hand in zip(moves, (light, view, turn), strict=True)):
                self.stop()
        if not self.playing:
            self.recorder.note(self._scene.pose)

    def _on_allowed(self) -> None:
        self._allow()
        if self._scene.limits.everything:
            self.stop()

    def _step(self) -> None:
        motion = self._motion
        assert motion is not None
        pace = motion.length / max(self.seconds(motion), 1e-9)
        self._gone += pace * self._clock.restart() / 1000.0
        is_over = self._gone >= motion.length and not self.loop.isChecked()
        gone = motion.length if is_over else self._gone % max(motion.length, 1e-9)
        self._scene.go_to(motion.at(gone))
        if is_over:
            self.stop()

    def _add(self) -> None:
        pose = self._scene.pose
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
        self._scene.go_to(self._keyframes[self.list.row(item)])
        self.stopped.emit()

    def _say_speed(self, speed: int) -> None:
        self.speed_text.setText(f"{speed} °/s")
        self.speed.setToolTip("Speed in degrees per second")
        self.changed.emit()

    def _allow(self) -> None:
        no = self._scene.limits.everything
        for name, button in self._buttons.items():
            allow(button, MOTIONS[name], self.why_not(name))
        allow(self.stop_button, "Stop the motion", no or ("" if self.playing else "Nothing moves"))
        allow(self.add, "Add the present light, view and environment as a keyframe", no)
        allow(
            self.clear, "Remove all keyframes", "" if self._keyframes else "There are no keyframes"
        )
        self.recorder.set_why_not(no)
        self.list.setVisible(bool(self._keyframes))
        self.list.setToolTip("Double-click a keyframe to go there")
        self.changed.emit()
