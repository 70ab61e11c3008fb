"""Saving of the relit image, and of movies of the motions."""

from __future__ import annotations

import weakref
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_btf.errors import BTFError
from napari_btf.export.images import write_image
from napari_btf.export.movies import check_movie_name, write_movie
from napari_btf.plugin.jobs.task import Task
from napari_btf.plugin.viewer.layers import is_spectral
from napari_btf.plugin.widgets.section import allow
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.progress import finish
from napari_btf.relighting import Relighter
from napari_btf.relighting.shots import finished, make

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_btf.plugin.relight.player import Player
    from napari_btf.plugin.relight.scene import Scene
    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.progress import Progress
    from napari_btf.relighting.shots import Frame, Shot

__all__ = ["IMAGE_FILES", "Movie", "save_image"]

IMAGE_FILES = "Images (*.png *.tif *.tiff *.jpg *.bmp *.tga)"
_NAMES = {
    "circle": "circle",
    "sweep": "sweep",
    "view": "turning view",
    "keyframes": "keyframes",
    "recording": "recording",
}
_FILTERS = {
    ".mp4": "MP4 movie (*.mp4)",
    ".gif": "Animated GIF (*.gif)",
    "": "Folder of PNG images (*)",
}
_TIP = "Write the chosen motion frame by frame, in full resolution"
_SPECTRAL = "Movies show colour or grey images; this model is spectral"


class Movie(QWidget):
    """Chooses a motion, a frame rate and a duration, and writes the movie in a thread.

    Parameters
    ----------
    player : Player
        Makes the motions.
    scene : Scene
        Gives the shot of each pose, all of them when the writing starts.
    workspace : Workspace
        Has one movie at a time, which goes on while no dock is open.

    Signals
    -------
    failed
        A sentence that says what is wrong.
    """

    failed = Signal(str)

    def __init__(self, player: Player, scene: Scene, workspace: Workspace) -> None:
        super().__init__()
        self._player, self._scene = player, scene
        self.motion = QComboBox()
        for name, text in _NAMES.items():
            self.motion.addItem(text, name)
        self.motion.setToolTip("The motion to write")
        self.motion.setAccessibleName("motion")
        self.fps = QSpinBox()
        self.fps.setRange(1, 60)
        self.fps.setValue(25)
        self.fps.setSuffix(" fps")
        self.fps.setToolTip("Frames per second")
        self.seconds = QDoubleSpinBox()
        self.seconds.setRange(0.0, 600.0)
        self.seconds.setDecimals(1)
        self.seconds.setSuffix(" s")
        self.seconds.setSpecialValueText("as played")
        self.seconds.setToolTip(
            "The duration of the movie, either in seconds or as the motion takes when it is played"
        )
        self.save_button, self.cancel_button = QPushButton("Save movie..."), QPushButton("Cancel")
        self.note = Note()
        self.note.setVisible(False)
        self._lay_out()
        self._task = _task_of(workspace)
        self._task.progressed.connect(self._on_progress)
        self._task.done.connect(self._on_done)
        self._task.failed.connect(self._on_failed)
        self._task.changed.connect(self._allow)
        self.save_button.clicked.connect(self._ask)
        self.cancel_button.clicked.connect(self.cancel)
        self.motion.currentIndexChanged.connect(self._allow)
        player.changed.connect(self._allow)
        if self.running:
            self._say("Writing a movie")
        self._allow()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        for row in (
            (QLabel("movie of"), self.motion),
            (self.fps, self.seconds),
            (self.save_button, self.cancel_button),
        ):
            line = QHBoxLayout()
            line.setSpacing(4)
            for part in row:
                line.addWidget(part, 0 if isinstance(part, QLabel) else 1)
            column.addLayout(line)
        column.addWidget(self.note)

    @property
    def running(self) -> bool:
        """Whether a movie is being written."""
        return self._task.running

    def save(self, path: str) -> None:
        """Write the chosen motion, unless a movie is being written; `failed` tells of problems."""
        if self.running:
            return
        motion = self._player.motion(self.motion.currentData())
        fps, seconds = float(self.fps.value()), self.seconds.value()
        count = max(2, round((seconds or self._player.seconds(motion)) * fps))
        # Later changes of the scene do not change the movie.
        shots = [self._scene.shot(pose) for pose in motion.poses(count)]
        try:
            check_movie_name(path)
        except BTFError as error:
            self.failed.emit(str(error))
            return
        self._say(f"Writing {Path(path).name}")
        job = write_movie(path, _frames(shots), count, fps)
        self._task.start(job, f"Writing {Path(path).name}")

    def cancel(self) -> None:
        """Stop writing, and delete what was written."""
        if self.running:
            self._task.cancel()
            self._say("Cancelled; nothing was written.")

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _ask(self) -> None:
        self._player.stop()
        # The dialog offers a format first that can be written here.
        kinds = [".mp4", ".gif", ""] if find_spec("imageio_ffmpeg") else [".gif", "", ".mp4"]
        filters = ";;".join(_FILTERS[kind] for kind in kinds)
        path, chosen = QFileDialog.getSaveFileName(
            self, "Save movie", f"relit{kinds[0]}", filters, _FILTERS[kinds[0]]
        )
        if path:
            kind = {text: kind for kind, text in _FILTERS.items()}.get(chosen, "")
            self.save(path if Path(path).suffix else path + kind)

    def _on_progress(self, progress: Progress) -> None:
        self._say(f"Frame {progress.step} of {progress.total}")

    def _on_done(self, path: Path) -> None:
        self._say(f"Wrote {path.name}.")

    def _on_failed(self, problem: str) -> None:
        self._say("")
        self.failed.emit(problem)

    def _allow(self, _: Any = None) -> None:
        model = self._scene.model
        spectral = _SPECTRAL if model is not None and is_spectral(model.channels) else ""
        no = spectral or self._player.why_not(self.motion.currentData())
        if self.running:
            no = "A movie is being written"
        allow(self.save_button, _TIP, no)
        idle = "" if self.running else "No movie is being written"
        allow(self.cancel_button, "Stop writing, and delete what was written", idle)


_tasks: weakref.WeakKeyDictionary[Workspace, Task] = weakref.WeakKeyDictionary()


def _task_of(workspace: Workspace) -> Task:
    """The writing of movies of a viewer: a dock that is opened again takes up what runs."""
    if workspace not in _tasks:
        task = _tasks[workspace] = Task()
        # A movie of a window that is gone has nobody to cancel it.
        weakref.finalize(workspace, task.cancel).atexit = False
    return _tasks[workspace]


def _frames(shots: list[Shot]) -> Iterator[NDArray[Any]]:
    """The images of the shots for a screen, each made when it is asked for."""
    relighter = Relighter(shots[0].model)
    for shot in shots:
        yield finish(make(shot, relighter)).pixels


def save_image(frame: Frame, path: str) -> None:
    """Write a relit image as it is shown, with all its texels; TIFF files keep radiance.

    Raises
    ------
    UsageError
        If the image cannot be written.
    """
    target = Path(path)
    if not target.suffix:
        target = target.with_suffix(".png")
    frame = finished(frame)
    is_tiff = target.suffix.lower() in (".tif", ".tiff")
    write_image(target, frame.stored if is_tiff else frame.pixels)
