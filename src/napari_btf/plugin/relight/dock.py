"""Dock *Relight*: shows a model under any light and from any view while the mouse moves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
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
from napari_btf.plugin.frame import as_dock
from napari_btf.plugin.jobs.renderer import Renderer
from napari_btf.plugin.notices import show_error
from napari_btf.plugin.relight.capture.quick_box import QuickBox
from napari_btf.plugin.relight.capture.slider_link import SliderLink
from napari_btf.plugin.relight.capture.turn_box import TurnBox
from napari_btf.plugin.relight.direction_pair import DirectionPair
from napari_btf.plugin.relight.display_boxes import DecoderBox, ExposureBox
from napari_btf.plugin.relight.lighting.environment_box import EnvironmentBox
from napari_btf.plugin.relight.lighting.lights_box import LightsBox
from napari_btf.plugin.relight.look_box import LookBox
from napari_btf.plugin.relight.photograph import Photograph
from napari_btf.plugin.relight.player import Player
from napari_btf.plugin.relight.saving import IMAGE_FILES, Movie, save_image
from napari_btf.plugin.relight.scene import NO_MODEL, Direction, Scene
from napari_btf.plugin.relight.surface import Surface
from napari_btf.plugin.relight.visible import visible
from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.viewer.placing import free_column
from napari_btf.plugin.viewer.shown_image import ShownImage
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.plugin.widgets.section import Scrolled, Section, allow
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.relighting import Environment
from napari_btf.relighting.shots import described, described_model, preview_name, problem_of

if TYPE_CHECKING:
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_btf.relighting.shots import Frame, Shot

__all__ = ["Relight"]

_NO_PHOTOGRAPH = "Each photograph shows one light, not an environment."
_SAVE_TIP = "Save the image as it is shown; .tif files keep radiance"
_FIT_TIP = "Zoom to the images of this dock: the relit one, and the photograph beside it"
#: The share of the canvas that fitted images take.
_FITTED = 0.95
#: The least time between two texts on the canvas, milliseconds.
_TEXT_PAUSE = 300


class Relight(QWidget):
    """Lets people change the scene, and keeps one Image layer up to date with it."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)
        self.scene = scene = Scene(self._workspace.models.variant_of)
        self._last: Frame | None = None
        #: The name that this dock gave the layer.
        self._named = ""
        self._image = ShownImage(self._workspace, "relit")
        self.load_button = QPushButton("Load model...")
        self.load_button.setToolTip("Open a saved model (.safetensors)")
        self.about, self.note = Note(), Note()
        self.pair = DirectionPair(scene)
        self.light_box, self.view_box = self.pair.light_box, self.pair.view_box
        self.light_theta, self.light_phi = self.light_box.theta, self.light_box.phi
        self.view_theta, self.view_phi = self.view_box.theta, self.view_box.phi
        self.development = ExposureBox(scene)
        self.quick = QuickBox(self._workspace)
        self.sliders = SliderLink(self._workspace, scene)
        self.turning = TurnBox(self._workspace, scene)
        self.look = LookBox(scene)
        self.photograph = Photograph(self._workspace)
        self.lights, self.environment = LightsBox(scene), EnvironmentBox(scene)
        self.player = Player(scene)
        self.movie = Movie(self.player, scene, self._workspace)
        self.surface = Surface(self._workspace, scene)
        self.decoder = DecoderBox()
        self.fit_button = QPushButton("Fit to these")
        self.save_button = QPushButton("Save image...")
        self._lay_out()
        as_dock(self, "Relight", self._workspace)

        self.renderer = Renderer(self)
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
        for part in (
            self.quick,
            self.turning.note,
            self.pair,
            self.note,
            self.sliders,
            self.development,
            self.photograph,
        ):
            column.addWidget(part)
        play = QWidget()
        both = QVBoxLayout(play)
        both.setContentsMargins(0, 0, 0, 0)
        both.addWidget(self.player)
        both.addWidget(self.movie)
        column.addWidget(Section("Look", self.look))
        column.addWidget(Section("Lights", self.lights))
        column.addWidget(Section("Environment", self.environment))
        column.addWidget(Section("Play", play, open_first=True))
        column.addWidget(Section("Surface", self.surface))
        column.addWidget(Section("Directions", self.turning))
        column.addWidget(Section("Speed", self.decoder))
        last = QHBoxLayout()
        last.addWidget(self.save_button, 1)
        last.addWidget(self.fit_button, 1)
        column.addLayout(last)
        column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(Scrolled(content))

    def _wire(self) -> None:
        self.load_button.clicked.connect(self._ask_load)
        self.save_button.clicked.connect(self._ask_save)
        self.fit_button.clicked.connect(lambda _: self.fit())
        # The widgets connected first: they show the scene before its image is asked for.
        self.scene.allowed.connect(self._allow)
        self.scene.changed.connect(self._request)
        self.pair.rested.connect(self.renderer.settle)
        self.decoder.changed.connect(self._on_decoder)
        self.renderer.failed.connect(self.decoder.reset)
        self.player.stopped.connect(self.renderer.settle)
        self.photograph.appeared.connect(self._show_all_later)
        self.renderer.made.connect(self._on_made)
        for part in (
            self.renderer,
            self.environment,
            self.movie,
            self.surface,
            self.quick,
            self.look,
        ):
            part.failed.connect(show_error)
        self._later.timeout.connect(self._on_captures)
        models, captures = self._workspace.models, self._workspace.captures
        follow_while_shown(
            self,
            {
                models.changed: self._on_model,
                models.variant_changed: self._request,
                captures.changed: self._on_captures_later,
                self._workspace.viewer.layers.events.removed: self._on_removed,
            },
        )
        # The canvas compiles a shader for each new text, which would double the time of an image.
        self._write_angles = qthrottled(self._show_angles, timeout=_TEXT_PAUSE)

    # ----------------------------------------------------------------- what is shown

    @property
    def light(self) -> Direction:
        """The direction of the chosen lamp."""
        return self.scene.light

    @property
    def view(self) -> Direction:
        """The direction of the viewer."""
        return self.scene.view

    def image_layer(self) -> Any:
        """The layer that shows the relit image, or None."""
        return self._image.layer

    def load(self, path: str) -> None:
        """Load a model; a notification tells what is wrong."""
        try:
            self._workspace.models.current = load(path)
        except BTFError as error:
            show_error(str(error))

    def save(self, path: str) -> None:
        """Save the image that is shown; a notification tells what is wrong."""
        if self._last is None:
            return
        try:
            save_image(self._last, path)
        except BTFError as error:
            show_error(str(error))

    # ----------------------------------------------------------------- coming and going

    def showEvent(self, event: QShowEvent | None) -> None:
        """Show the current model, and say that the relit image is shown here."""
        super().showEvent(event)
        self._workspace.relit_shown_by.add(self)
        self._show_model()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop motions and the work in threads."""
        super().hideEvent(event)
        self._workspace.relit_shown_by.discard(self)
        self.player.stop()
        self.renderer.cancel()
        self.photograph.pause()
        self._later.stop()

    def _on_model(self) -> None:
        # The signal of the workspace also tells that the model was saved.
        if self._workspace.models.current is not self.scene.model:
            self._show_model()

    def _on_removed(self, event: Any) -> None:
        """Leave a deleted image away until the next change of the scene."""
        if self._image.owns(event.value):
            self.renderer.cancel()
            self.player.stop()
        self.photograph.drop(event.value)

    def _on_captures_later(self) -> None:
        # After the change of the layer list.
        self._later.start()

    def _on_captures(self) -> None:
        self.turning.refresh()
        if self.scene.model is None:
            return
        self._follow(self.scene.shot())
        moved = self._image.make_room(self._column())
        self.photograph.make_room()
        if moved:
            self._show_all()

    # ----------------------------------------------------------------- images

    def _on_decoder(self) -> None:
        self.renderer.device = self.decoder.device
        self._request()

    def _allow(self) -> None:
        allow(self.save_button, _SAVE_TIP, self.scene.no_model)
        allow(self.fit_button, _FIT_TIP, self.scene.no_model)

    def _request(self) -> None:
        """Ask for the image of the scene."""
        if self.scene.model is None or self._workspace.viewer is None or not self.isVisible():
            return
        shot = self.scene.shot()
        self.pair.hold()
        self.renderer.want(self._on_screen(shot), moving=True)
        self._say_outside(shot)
        self._follow(shot)

    def _on_screen(self, shot: Shot) -> Shot:
        """The visible part of an image, in no more detail than the screen shows."""
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
        """Mark directions that the model cannot show, and say which ones it shows instead."""
        self.pair.mark_shown(shot)
        text = problem_of(shot) or ""
        if text != self.note.text():
            self.note.setText(text)
        self.note.setVisible(bool(text))

    def _on_made(self, frame: Frame) -> None:
        self.pair.release()
        # An image may still come from latents that were edited since, or from another model.
        model = self._workspace.models.original_of(frame.shot.model)
        if self._workspace.viewer is None or model is not self.scene.model:
            return
        is_first = self._last is None
        self._last = frame
        self._workspace.relit_directions = frame.shot.light, frame.shot.view
        if frame.shot.rows is not None and frame.shot.columns is not None:
            if self._image.patch(frame.pixels, frame.shot.rows, frame.shot.columns):
                self._write_angles()
            else:
                self.renderer.settle()
            return
        is_new = self._show(frame)
        self._write_angles()
        # The camera stays where it is if a person deleted the layer.
        if is_new and is_first:
            self._show_all_later()

    def _show(self, frame: Frame) -> bool:
        """Show a whole image; return whether this took a new layer."""
        preview = preview_name(frame.shot.model)
        parts = ("relit", frame.shot.model.source, preview and f"({preview})")
        name = " ".join(filter(None, parts))
        is_new = self._image.show(frame.pixels, name, self._column())
        layer = self._image.layer
        # The layer of a preview goes on with the trained model, unless a person renamed it.
        if layer is not None and layer.name == self._named and name != self._named:
            layer.name = name
        if layer is not None and (is_new or layer.name == name):
            self._named = layer.name
        return is_new

    def fit(self) -> None:
        """Zoom to the relit image and the photograph."""
        shown = [x for x in (self._image.layer, self.photograph.layer) if x is not None]
        if not shown:
            return
        viewer = self._workspace.viewer
        # `fit_to_view` of napari takes no layers of two axes while the viewer has more.
        boxes = np.stack([layer.extent.world[:, -2:] for layer in shown])
        low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
        viewer.scene.camera.center = (0.0, *(low + high) / 2)
        viewer.scene.camera.zoom = _FITTED * float(np.min(viewer.canvas.size / (high - low)))

    def _column(self) -> float:
        assert self.scene.model is not None
        # The photograph is moved after the image.
        layers = self._image.layer, self.photograph.layer
        return free_column(self._workspace.viewer, self.scene.model, *layers)

    def _show_angles(self) -> None:
        if self._last is not None and self._workspace.viewer is not None:
            self._workspace.show_relit(described(self._last.shot))

    def _show_all_later(self) -> None:
        # A dock that is being opened has not yet made the canvas smaller.
        QTimer.singleShot(0, self._show_all)

    def _show_all(self) -> None:
        viewer = self._workspace.viewer
        if viewer is not None:
            viewer.reset_view()

    # ----------------------------------------------------------------- the model

    def _show_model(self) -> None:
        model = self._workspace.models.current
        self.player.stop()
        self.renderer.cancel()
        self._last = None
        self.about.setText(NO_MODEL if model is None else described_model(model))
        # Whoever has a trained model has no use for a preview.
        self.quick.setVisible(model is None or bool(preview_name(model)))
        self.note.setVisible(False)
        if model is None:
            self.photograph.follow(None, NO_MODEL)
        self.scene.set_model(model)

    def _ask_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load model", "", "Model (*.safetensors)")
        if path:
            self.load(path)

    def _ask_save(self) -> None:
        self.player.stop()
        self.renderer.settle()
        path, _ = QFileDialog.getSaveFileName(self, "Save image", "relit.png", IMAGE_FILES)
        if path:
            self.save(path)
