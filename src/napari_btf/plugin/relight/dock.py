"""Dock *Relight*: any light, any view, while the mouse moves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import qthrottled

from napari_btf.codec.storage import load
from napari_btf.errors import BTFError
from napari_btf.plugin.jobs.renderer import Frames
from napari_btf.plugin.relight.decoder_box import DecoderBox
from napari_btf.plugin.relight.direction_pair import DirectionPair
from napari_btf.plugin.relight.exposure_box import Development
from napari_btf.plugin.relight.image_file import IMAGE_FILES, save_image
from napari_btf.plugin.relight.lighting.lighting_box import SURROUNDED, LightingBox
from napari_btf.plugin.relight.photograph import Photograph
from napari_btf.plugin.relight.player import Limits, Player, Scene
from napari_btf.plugin.relight.saving import Movie
from napari_btf.plugin.relight.surface import Surface
from napari_btf.plugin.relight.visible import visible
from napari_btf.plugin.viewer.placing import free_column
from napari_btf.plugin.viewer.shown_image import ShownImage
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.plugin.widgets.section import Scrolled, Section, allow
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.relighting import Environment, limits
from napari_btf.relighting.motion import Pose
from napari_btf.relighting.shots import Shot, described, described_model, problem_of

if TYPE_CHECKING:
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.relighting.shots import Frame

__all__ = ["Relight"]

Angles = tuple[float, float]

_NO_MODEL = "Train a model first (dock Train), or load one."
_NO_PHOTOGRAPH = "The photographs show one light, no environment."
_SAVE_TIP = "Write the image as it is shown; .tif keeps radiance"
#: Milliseconds between two texts on the canvas.
_TEXT_PAUSE = 300


class Relight(QWidget):
    """Directions of light and view; one Image layer follows them."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)
        self._model: CompressedBTF | None = None
        self._last: Frame | None = None
        self._was_around = False
        self._image = ShownImage(self._workspace, "relit")
        self.load_button = QPushButton("Load model...")
        self.load_button.setToolTip("Open a model that was saved before (.safetensors)")
        self.about, self.note = Note(), Note()
        self.pair = DirectionPair()
        self.light_box, self.view_box = self.pair.light_box, self.pair.view_box
        self.light_theta, self.light_phi = self.light_box.theta, self.light_box.phi
        self.view_theta, self.view_phi = self.view_box.theta, self.view_box.phi
        self.development = Development()
        self.photograph = Photograph(self._workspace)
        self.lighting = LightingBox()
        self.lights, self.environment = self.lighting.lights, self.lighting.environment
        self.player = Player(self._present)
        self.movie = Movie(self.player, self._shot_at)
        self.surface = Surface(self._workspace, self._shot)
        self.decoder = DecoderBox()
        self.save_button = QPushButton("Save image...")
        self._lay_out()

        self.frames = Frames(self)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._wire()
        self._show_model()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.about, 1)
        head.addWidget(self.load_button)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setSpacing(6)
        column.addLayout(head)
        for part in (self.pair, self.note, self.development, self.photograph):
            column.addWidget(part)
        play = QWidget()
        both = QVBoxLayout(play)
        both.setContentsMargins(0, 0, 0, 0)
        both.addWidget(self.player)
        both.addWidget(self.movie)
        column.addWidget(self.lighting)
        column.addWidget(Section("Play", play, open_first=True))
        column.addWidget(Section("Surface", self.surface))
        column.addWidget(Section("Speed", self.decoder))
        column.addWidget(self.save_button)
        column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(Scrolled(content))

    def _wire(self) -> None:
        self.load_button.clicked.connect(self._ask_load)
        self.save_button.clicked.connect(self._ask_save)
        self.pair.moved.connect(self._on_moved)
        self.pair.rested.connect(self.frames.settle)
        self.pair.locked.connect(self._allow)
        self.development.changed.connect(self._request)
        self.lights.chosen.connect(self._on_chosen)
        self.lighting.changed.connect(self._on_lighting)
        self.lighting.turned.connect(self._on_turned)
        self.decoder.changed.connect(self._on_decoder)
        self.frames.failed.connect(self.decoder.reset)
        self.player.moved.connect(self._go_to)
        self.player.stopped.connect(self.frames.settle)
        self.photograph.appeared.connect(self._show_all_later)
        self.frames.made.connect(self._on_made)
        for part in (self.frames, self.environment, self.movie, self.surface):
            part.failed.connect(show_error)
        self._later.timeout.connect(self._on_captures)
        # The canvas compiles a shader for each other text: that would double its time.
        self._write_angles = qthrottled(self._show_angles, timeout=_TEXT_PAUSE)

    # ----------------------------------------------------------------- what is shown

    @property
    def light(self) -> Angles:
        """(theta, phi) of the light, degrees."""
        return self.pair.light

    @property
    def view(self) -> Angles:
        """(theta, phi) of the viewer, degrees."""
        return self.pair.view

    def image_layer(self) -> Any:
        """The layer that follows the directions, or None."""
        return self._image.layer

    def load(self, path: str) -> None:
        """Load a model; what is wrong becomes a notification."""
        try:
            self._workspace.model = load(path)
        except BTFError as error:
            show_error(str(error))

    def save(self, path: str) -> None:
        """Write the image that is shown; what is wrong becomes a notification."""
        if self._last is None:
            return
        try:
            save_image(self._last, path)
        except BTFError as error:
            show_error(str(error))

    # ----------------------------------------------------------------- coming and going

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow the model, the captures and the layer list."""
        super().showEvent(event)
        self._workspace.model_changed.connect(self._on_model)
        self._workspace.captures_changed.connect(self._on_captures_later)
        self._workspace.variant_changed.connect(self._request)
        viewer = self._workspace.viewer
        if viewer is not None:
            viewer.layers.events.removed.connect(self._on_removed)
        self._model = None
        self._on_model()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop following them, and stop moving."""
        super().hideEvent(event)
        self.player.stop()
        self.frames.cancel()
        self.photograph.pause()
        self._later.stop()
        self._workspace.model_changed.disconnect(self._on_model, missing_ok=True)
        self._workspace.captures_changed.disconnect(self._on_captures_later, missing_ok=True)
        self._workspace.variant_changed.disconnect(self._request, missing_ok=True)
        viewer = self._workspace.viewer
        if viewer is not None:
            viewer.layers.events.removed.disconnect(self._on_removed)

    def _on_model(self) -> None:
        # The workspace also tells when the model was saved.
        if self._workspace.model is not self._model:
            self._show_model()
            self._request()

    def _on_removed(self, event: Any) -> None:
        """A deleted image comes back at the next move, not before."""
        if self._image.owns(event.value):
            self.frames.cancel()
            self.player.stop()
        self.photograph.drop(event.value)

    def _on_captures_later(self) -> None:
        # Not while the layer list is being changed.
        self._later.start()

    def _on_captures(self) -> None:
        if self._model is None:
            return
        self._follow(self._shot())
        moved = self._image.make_room(self._column())
        self.photograph.make_room()
        if moved:
            self._show_all()

    # ----------------------------------------------------------------- directions

    def _present(self) -> Scene:
        reach = (90.0, 90.0) if self._model is None else limits(self._model)
        return Scene(Pose(self.light, self.view, self.lighting.turn), reach)

    def _on_moved(self, is_light: bool) -> None:
        # The view may be moved while the light goes around by itself.
        is_linked = self.pair.link.isChecked()
        self.player.touched(light=is_light, view=is_linked or not is_light)
        self._request()

    def _on_turned(self) -> None:
        self.player.touched(turn=True)
        self._request()

    def _on_chosen(self, theta: float, phi: float) -> None:
        self.player.stop()
        # The other one stays where it was put.
        self.pair.link.setChecked(False)
        self.pair.light_box.set_angles(theta, phi)
        self._request()

    def _on_lighting(self) -> None:
        if self.lighting.is_around != self._was_around:
            self._was_around = self.lighting.is_around
            self.player.stop()
        self._allow()
        self._request()

    def _go_to(self, pose: Pose) -> None:
        if pose.light is not None or pose.view is not None:
            self.pair.go_to(pose.light, pose.view)
        if pose.turn is not None:
            self.environment.set_turn(pose.turn)
        self._request()

    def _on_decoder(self) -> None:
        self.frames.device = self.decoder.device
        self._request()

    def _allow(self) -> None:
        """Enable what makes sense, and say why the rest does not."""
        model = self._model
        no_model = _NO_MODEL if model is None else ""
        is_around = self.lighting.is_around
        self.pair.set_light_why_not(SURROUNDED if is_around else "")
        held = self.pair.held
        still = all(held) and not is_around
        self.player.set_limits(
            Limits(
                no_model or ("Light and view are locked" if still else ""),
                "The light is locked" if held[0] else "",
                self.pair.why_not_view,
            )
        )
        self.movie.set_model(None if model is None else model.channels, no_model)
        self.surface.set_why_not(no_model)
        self.lighting.set_model(model, no_model)
        is_float = model is not None and model.values.is_float
        is_summed = model is not None and self.lighting.at(self.light) is not None
        self.development.offer(exposure=is_float or is_summed, gamma=is_float)
        allow(self.save_button, _SAVE_TIP, no_model)

    # ----------------------------------------------------------------- images

    def _shot(self) -> Shot:
        return self._shot_at(Pose())

    def _shot_at(self, pose: Pose) -> Shot:
        """What is shown once light, view and surroundings are elsewhere."""
        assert self._model is not None
        light, view = self.pair.after(pose.light, pose.view)
        lighting = self.lighting.at(light, pose.turn)
        model = self._workspace.variant_of(self._model)
        return Shot(model, light, view, *self.development.values, lighting=lighting)

    def _request(self) -> None:
        """Have the present directions shown."""
        if self._model is None or self._workspace.viewer is None or not self.isVisible():
            return
        self.lights.set_angles(self.light)
        shot = self._shot()
        self.pair.hold()
        self.frames.want(self._on_screen(shot), moving=True)
        self._say_outside(shot)
        self._follow(shot)

    def _on_screen(self, shot: Shot) -> Shot:
        """The part of an image that is visible, as finely as the screen shows it."""
        layer = self._image.layer
        if layer is None or layer.data.shape[-3 if layer.rgb else -2 :][:2] != (
            shot.model.height,
            shot.model.width,
        ):
            return shot
        rows, columns, step = visible(layer, self.devicePixelRatioF())
        return replace(shot, rows=rows, columns=columns, step=step)

    def _follow(self, shot: Shot) -> None:
        if isinstance(shot.lighting, Environment):
            self.photograph.follow(None, _NO_PHOTOGRAPH)
        else:
            self.photograph.follow(shot)

    def _say_outside(self, shot: Shot) -> None:
        """Mark the directions that are shown where others were asked for, and say why."""
        self.pair.mark_shown(shot.model)
        is_around = isinstance(shot.lighting, Environment)
        self.light_box.disk.set_others(() if is_around else self.lights.others)
        problem = problem_of(shot) or ""
        text = f"Outside what was captured: {problem}." if problem else ""
        if text != self.note.text():
            self.note.setText(text)
        self.note.setVisible(bool(text))

    def _on_made(self, frame: Frame) -> None:
        self.pair.release()
        # Of whatever is tried out with the latents, too: images may lag behind.
        model = self._workspace.original_of(frame.shot.model)
        if self._workspace.viewer is None or model is not self._model:
            return
        is_first = self._last is None
        self._last = frame
        self._workspace.relit_directions = frame.shot.light, frame.shot.view
        if frame.shot.rows is not None and frame.shot.columns is not None:
            if self._image.patch(frame.pixels, frame.shot.rows, frame.shot.columns):
                self._write_angles()
            else:
                self.frames.settle()
            return
        name = f"relit {frame.shot.model.source}".strip()
        is_new = self._image.show(frame.pixels, name, self._column())
        self._write_angles()
        # People who zoomed in and deleted the layer want to stay where they are.
        if is_new and is_first:
            self._show_all_later()

    def _column(self) -> float:
        assert self._model is not None
        # The photograph follows.
        layers = self._image.layer, self.photograph.layer
        return free_column(self._workspace.viewer, self._model, *layers)

    def _show_angles(self) -> None:
        if self._last is not None and self._workspace.viewer is not None:
            self._workspace.show_relit(described(self._last.shot))

    def _show_all_later(self) -> None:
        # The dock that is being opened still takes its room from the canvas.
        QTimer.singleShot(0, self._show_all)

    def _show_all(self) -> None:
        viewer = self._workspace.viewer
        if viewer is not None:
            viewer.reset_view()

    # ----------------------------------------------------------------- the model

    def _show_model(self) -> None:
        model = self._workspace.model
        if model is not self._model:
            self.player.stop()
            self.frames.cancel()
            self._last = None
        self._model = model
        self.about.setText(_NO_MODEL if model is None else described_model(model))
        self.note.setVisible(False)
        self.pair.set_model(model, _NO_MODEL)
        self._allow()
        if model is None:
            self.photograph.follow(None, _NO_MODEL)

    def _ask_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load model", "", "Model (*.safetensors)")
        if path:
            self.load(path)

    def _ask_save(self) -> None:
        self.player.stop()
        self.frames.settle()
        path, _ = QFileDialog.getSaveFileName(self, "Save image", "relit.png", IMAGE_FILES)
        if path:
            self.save(path)
