"""Light and view that move by themselves: around, across, along keyframes."""

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

from napari_btf.plugin._motion import Motion, along, circle, sweep
from napari_btf.plugin._section import allow

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_btf.plugin._motion import Pair

__all__ = ["Player"]

#: Milliseconds between two steps; a step goes as far as time has passed.
_TICK = 16
_CIRCLE = "The light goes around at its theta"
_SWEEP = "The light goes over the normal to the other side and back"
_KEYS = "Light and view go from keyframe to keyframe"


class Player(QWidget):
    """Buttons, a speed, and keyframes.

    Parameters
    ----------
    present : callable
        Gives light and view as they are, (theta, phi) each, and the theta a sweep goes to.

    Signals
    -------
    moved
        Light and view after one more step; None for a view that stays.
    stopped
        Nothing moves any more.
    """

    moved = Signal(object, object)
    stopped = Signal()

    def __init__(self, present: Callable[[], tuple[Pair, float]]) -> None:
        super().__init__()
        self._present = present
        self._motion: Motion | None = None
        self._gone = 0.0
        self._why_not = self._why_no_light = ""
        self._keyframes: list[Pair] = []
        self.circle, self.sweep = QPushButton("Circle"), QPushButton("Sweep")
        self.along, self.stop_button = QPushButton("Keyframes"), QPushButton("Stop")
        self.loop = QCheckBox("loop")
        self.loop.setChecked(True)
        self.loop.setToolTip("Begin again at the end")
        self.speed = QSlider(Qt.Orientation.Horizontal)
        self.speed.setRange(5, 240)
        self.speed.setValue(60)
        self.speed.setMinimumWidth(60)
        self.speed_text = QLabel()
        self.add, self.clear = QPushButton("Add keyframe"), QPushButton("Clear")
        self.list = QListWidget()
        self.list.setFixedHeight(64)
        self._lay_out()

        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_TICK)
        self._clock = QElapsedTimer()
        self._timer.timeout.connect(self._step)
        self.circle.clicked.connect(lambda: self._play_one(circle))
        self.sweep.clicked.connect(lambda: self._play_one(sweep))
        self.along.clicked.connect(self._play_keyframes)
        self.stop_button.clicked.connect(self.stop)
        self.add.clicked.connect(self._add)
        self.clear.clicked.connect(self._clear)
        self.list.itemActivated.connect(self._go_to)
        self.speed.valueChanged.connect(self._say_speed)
        self._say_speed(self.speed.value())
        self._allow()

    def _lay_out(self) -> None:
        buttons = QGridLayout()
        buttons.setSpacing(4)
        for i, button in enumerate((self.circle, self.sweep, self.along, self.stop_button)):
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

    @property
    def playing(self) -> bool:
        """Whether something moves."""
        return self._timer.isActive()

    @property
    def keyframes(self) -> tuple[Pair, ...]:
        """Light and view of each keyframe."""
        return tuple(self._keyframes)

    def set_why_not(self, why_not: str, why_no_light: str = "") -> None:
        """Disable everything for a reason, and what moves the light alone for another one."""
        if (why_not, why_no_light) != (self._why_not, self._why_no_light):
            self._why_not, self._why_no_light = why_not, why_no_light
            self._allow()
        if why_not:
            self.stop()

    def play(self, motion: Motion) -> None:
        """Start another motion."""
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

    def _play_one(self, motion: Callable[..., Motion]) -> None:
        (light, _), reach = self._present()
        self.play(motion(light, reach))

    def _play_keyframes(self) -> None:
        self.play(along(self._keyframes, self.loop.isChecked()))

    def _step(self) -> None:
        motion = self._motion
        assert motion is not None
        self._gone += self.speed.value() * self._clock.restart() / 1000.0
        is_over = self._gone >= motion.length and not self.loop.isChecked()
        gone = motion.length if is_over else self._gone % max(motion.length, 1e-9)
        self.moved.emit(*motion.at(gone))
        if is_over:
            self.stop()

    def _add(self) -> None:
        pair, _ = self._present()
        self._keyframes.append(pair)
        (lt, lp), (vt, vp) = pair
        text = f"{len(self._keyframes)}   light {lt:.4g}°, {lp:.4g}°   view {vt:.4g}°, {vp:.4g}°"
        self.list.addItem(QListWidgetItem(text))
        self.list.scrollToBottom()
        self._allow()

    def _clear(self) -> None:
        self._keyframes.clear()
        self.list.clear()
        self._allow()

    def _go_to(self, item: QListWidgetItem) -> None:
        self.stop()
        self.moved.emit(*self._keyframes[self.list.row(item)])
        self.stopped.emit()

    def _say_speed(self, speed: int) -> None:
        self.speed_text.setText(f"{speed} °/s")
        self.speed.setToolTip("Degrees in a second")

    def _allow(self) -> None:
        no, no_light = self._why_not, self._why_not or self._why_no_light
        allow(self.circle, _CIRCLE, no_light)
        allow(self.sweep, _SWEEP, no_light)
        few = "" if len(self._keyframes) > 1 else "Add two keyframes first"
        allow(self.along, _KEYS, no or few)
        allow(self.stop_button, "Stay here", no or ("" if self.playing else "Nothing moves"))
        allow(self.add, "Remember where light and view are", no)
        allow(self.clear, "Forget all keyframes", "" if self._keyframes else "There are none")
        self.list.setVisible(bool(self._keyframes))
        self.list.setToolTip("Double-click a keyframe to go there")
