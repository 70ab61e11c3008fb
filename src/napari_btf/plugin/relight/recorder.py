"""A recorder of the movements that people make with light, view and environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QElapsedTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from napari_btf.plugin.widgets.section import allow
from napari_btf.relighting.motion import recorded

if TYPE_CHECKING:
    from napari_btf.relighting.motion import Motion, Pose

__all__ = ["Recorder"]

_TIP = "Record how you move light, view and environment, until you press this button again"
#: A pause longer than this is recorded as standing still, in seconds.
_STILL = 0.1


class Recorder(QWidget):
    """A button that stays down while it records, and the length of the recording.

    Signals
    -------
    started
        A recording begins.
    changed
        A recording has ended.
    """

    started = Signal()
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._clock = QElapsedTimer()
        self._poses: list[Pose] = []
        self._seconds: list[float] = []
        self._motion: Motion | None = None
        self.button = QPushButton("Record")
        self.button.setCheckable(True)
        self.text = QLabel()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.button)
        row.addWidget(self.text, 1)
        self.button.toggled.connect(self._on_toggled)
        self.set_why_not("")

    @property
    def motion(self) -> Motion | None:
        """The last recording, or None."""
        return self._motion

    @property
    def recording(self) -> bool:
        """Whether movements are being recorded."""
        return self.button.isChecked()

    def set_why_not(self, why_not: str) -> None:
        """Disable the button for a reason, or enable it again."""
        if why_not:
            self.stop()
        allow(self.button, _TIP, why_not)

    def note(self, pose: Pose) -> None:
        """Record a pose at the present time; the first pose starts the clock."""
        if not self.recording:
            return
        if not self._poses:
            self._clock.start()
        now = self._clock.nsecsElapsed() / 1e9
        if self._seconds and now - self._seconds[-1] > _STILL:
            # The scene stood still in the pause and did not drift.
            self._poses.append(self._poses[-1])
            self._seconds.append(now - _STILL / 2)
        if self._seconds and now <= self._seconds[-1]:
            self._poses[-1] = pose
            return
        self._poses.append(pose)
        self._seconds.append(now)
        # Once a second, because each new text makes the window compose its content again.
        if self.text.text() != f"{now:.0f} s":
            self.text.setText(f"{now:.0f} s")

    def stop(self) -> None:
        """End the recording and keep it."""
        self.button.setChecked(False)

    def _on_toggled(self, is_recording: bool) -> None:
        if is_recording:
            self._poses, self._seconds = [], []
            self.text.setText("move something")
            self.started.emit()
            return
        if len(self._poses) > 1:
            self._motion = recorded(self._poses, self._seconds)
        self.text.setText("" if self._motion is None else f"{self._motion.length:.1f} s recorded")
        self.changed.emit()
