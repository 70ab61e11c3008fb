"""The dock *Latent space*: a map of the latents, selections, regions, materials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from napari_btf.plugin.frame import as_dock
from napari_btf.plugin.latent_space.embedding_form import EmbeddingForm
from napari_btf.plugin.latent_space.embeddings import NAMES, Embeddings
from napari_btf.plugin.latent_space.inspect.inspect import Inspect
from napari_btf.plugin.latent_space.links import Links
from napari_btf.plugin.latent_space.map.bar import MapBar
from napari_btf.plugin.latent_space.map.canvas import MapCanvas
from napari_btf.plugin.latent_space.map.colour_box import ColourBox
from napari_btf.plugin.latent_space.map.colouring import coloured, coloured_by_labels
from napari_btf.plugin.latent_space.map_files import MapFiles
from napari_btf.plugin.latent_space.map_layer import MapLayer, features_of
from napari_btf.plugin.latent_space.region_link import RegionLink
from napari_btf.plugin.latent_space.segment.segment import Segment
from napari_btf.plugin.latent_space.selection_box import SelectionBox
from napari_btf.plugin.notices import show_error
from napari_btf.plugin.viewer.choosers import ModelChooser
from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.plugin.widgets.basics import attempt
from napari_btf.plugin.widgets.section import Scrolled, Section
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.texels.sampling import region_counts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.embedding import EmbeddingTable
    from napari_btf.embedding.colours import Colours
    from napari_btf.embedding.latent_map import LatentMap
    from napari_btf.plugin.viewer.selection import TexelSelection
    from napari_btf.progress import Progress

__all__ = ["LatentSpace"]

_NO_MODEL = "Train a model first (dock Train), or load one."
_NO_MAP = "Press Compute to place the texels in the plane."
_COMPUTING = "The first map is being computed."


class LatentSpace(QWidget):
    """A map of the latents that is linked to the images; all docks share its selection."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)
        self._model: CompressedBTF | None = None
        self.models = ModelChooser(self._workspace)
        self.form = EmbeddingForm()
        self.embeddings = Embeddings(self._workspace, self)
        self.colours = ColourBox()
        self.bar = MapBar()
        self.map = MapCanvas()
        self.links = Links(self._workspace, self.map, self)
        self.note = Note()
        self.box = SelectionBox()
        self.regions = RegionLink(self._workspace, self)
        self.inspect = Inspect(self._workspace)
        self.segment = Segment(self._workspace)
        self.inspect_section = Section("Inspect", self.inspect)
        self.segment_section = Section("Segment", self.segment)
        self.files = MapFiles(self.embeddings, self.regions)
        self.layer = MapLayer(self._workspace, self)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._lay_out()
        as_dock(self, "Latent space", self._workspace)
        self._wire()
        self._wire_selection()
        self._show_model()

    def _lay_out(self) -> None:
        head = QFormLayout()
        head.addRow("model", self.models)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setSpacing(6)
        column.setContentsMargins(0, 0, 0, 0)
        for part in (
            self.colours,
            self.layer.box,
            self.form,
            self.box,
            self.inspect_section,
            self.segment_section,
        ):
            column.addWidget(part)
        column.addWidget(self.files)
        column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setSpacing(6)
        whole.addLayout(head)
        whole.addWidget(self.bar)
        # Outside of the scrolled part, because sections below work on what is drawn in the map.
        whole.addWidget(self.map, 1)
        whole.addWidget(self.note)
        whole.addWidget(Scrolled(content), 1)

    def _wire(self) -> None:
        self.form.started.connect(self.compute)
        self.form.cancelled.connect(self.embeddings.cancel)
        run = self.embeddings.run
        run.progressed.connect(self._on_report)
        run.failed.connect(show_error)
        run.changed.connect(self._show_running)
        self.embeddings.changed.connect(self._show_map)
        self.embeddings.opened.connect(self._on_opened)
        self.colours.changed.connect(self._show_colours)
        self.bar.mode_chosen.connect(self.map.set_mode)
        self.bar.fitted.connect(self.map.show_all)
        self.segment.parted.connect(self._on_parted)
        self.layer.box.toggled.connect(self._show_points)
        self.layer.selected.connect(self.links.choose)
        self._later.timeout.connect(self._on_layers)
        follow_while_shown(
            self,
            {
                self._workspace.models.changed: self._on_model,
                self._workspace.captures.changed: self._on_layers_later,
            },
        )

    def _wire_selection(self) -> None:
        self.bar.inverted.connect(lambda: self._change(lambda selection: selection.invert()))
        self.bar.cleared.connect(lambda: self._change(lambda selection: selection.clear()))
        self.map.picked.connect(self._on_picked)
        self.links.selected.connect(self._show_selection)
        self.links.pointed.connect(self._on_pointed)
        self.links.refused.connect(lambda: self.box.show_lit.setChecked(False))
        self.box.show_lit.toggled.connect(self.links.set_lit)
        self.box.kept.connect(self.keep)
        self.box.region_wanted.connect(self.select_region)
        self.regions.painted.connect(self._on_painted)
        self.regions.changed.connect(self._show_regions)
        self.inspect.walk.waiting.connect(self._on_walk)
        self.inspect.walk.changed.connect(self._show_ends)
        self.inspect.edit.changed.connect(self.links.light_up)
        self.inspect_section.toggled.connect(self._follow_inspect)
        self.segment_section.toggled.connect(lambda _: self.segment.stop())

    # ----------------------------------------------------------------- coming and going

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow the mouse and the brush, and show the current model."""
        super().showEvent(event)
        self.links.follow(True)
        self._show_model()
        self._follow_inspect()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop following, and clear the canvas; a running job continues."""
        super().hideEvent(event)
        self._later.stop()
        self.links.follow(False)
        self.regions.set_model(self._model, False)
        self.segment.stop()
        self._follow_inspect()

    def _on_model(self) -> None:
        # The workspace also tells when the model was saved.
        if self._workspace.models.current is not self._model:
            self._show_model()

    def _show_model(self) -> None:
        model = self._model = self._workspace.models.current
        self.form.set_allowed("" if model is not None else _NO_MODEL)
        self.colours.set_latents(0 if model is None else model.latent_count)
        self.links.set_model(model)
        self.regions.set_model(model, self.isVisible())
        self.inspect.set_model(model)
        self.segment.set_model(model)
        self.embeddings.set_model(model)
        self._show_running()
        self._show_selection()
        self._show_regions()
        if self.isVisible() and self.files.has_regions(model):
            self._on_layers_later()
        if self.isVisible() and model is not None and self.embeddings.map is None:
            self._begin()

    def _begin(self) -> None:
        """Show the map in the file beside the model, or else a map that takes no time."""
        found = False

        def restore() -> None:
            nonlocal found
            found = self.embeddings.restore()

        if attempt(restore) and not found and not self.embeddings.running:
            self.embeddings.compute("pca")

    def _on_layers_later(self) -> None:
        # Not while the layer list is being changed.
        self._later.start()

    def _on_layers(self) -> None:
        self.links.follow_layers()
        self.regions.set_model(self._model, self.isVisible())
        self.files.restore_regions(self._model)
        self.layer.follow_layers()
        self._show_regions()
        if self.colours.by == "cluster":
            self._show_colours()

    # ----------------------------------------------------------------- the map

    def compute(self) -> None:
        """Place the chosen texels in the plane."""
        model = self._model
        assert model is not None
        coords = self.form.coords(model.height, model.width, self.regions.labels)
        if coords is not None and not len(coords):
            show_error("No texel is painted: paint some, or choose all texels.")
            return
        self.embeddings.compute(self.form.method.currentData(), coords, self.form.seed.value())

    def open(self, path: str) -> None:
        """Read the points of a file; an error becomes a notification."""
        self.files.open(path)

    def save(self, path: str) -> None:
        """Write the points to a file; an error becomes a notification."""
        self.files.save(path)

    def _on_opened(self, path: Path, table: EmbeddingTable) -> None:
        if self._model is not None and self.files.remember_regions(self._model, path, table):
            self._on_layers_later()

    def _on_report(self, progress: Progress) -> None:
        if self.embeddings.running:
            self.form.show_progress(progress)

    def _show_running(self) -> None:
        self.form.set_running(self.embeddings.running)
        self._show_hint()

    def _show_hint(self) -> None:
        """Say why there is no map, on the map and on the button that saves it."""
        why_not = ""
        if self._model is None:
            why_not = _NO_MODEL
        elif self.embeddings.map is None:
            why_not = _COMPUTING if self.embeddings.running else _NO_MAP
        self.files.set_allowed("" if self._model is not None else _NO_MODEL, why_not)
        self.map.set_hint(why_not)

    def _show_map(self) -> None:
        found = self.embeddings.map
        self.links.set_map(found)
        self._show_note()
        self._show_hint()
        if found is None or self.links.selection is None:
            nothing = np.empty((0, 2)), np.empty((0, 3), dtype=np.uint8), np.empty(0, dtype=bool)
            self.map.set_points(*nothing)
            self.colours.legend.set_legend(None)
            self.layer.hide()
            return
        colours = self._colours(found)
        selected = found.at_points(self.links.selection.mask)
        self.map.set_points(found.points, colours.rgb, selected)
        self._show_ends()
        self.colours.legend.set_legend(colours.legend)
        if not self.embeddings.running:
            self._show_points()

    def _show_colours(self) -> None:
        found = self.embeddings.map
        if found is not None:
            colours = self._colours(found)
            self.map.set_colours(colours.rgb)
            self.layer.colour(colours.rgb)
            self.colours.legend.set_legend(colours.legend)

    def _show_points(self, _: Any = None) -> None:
        """Show the map as a layer, too, if that is wanted."""
        found, selection, model = self.embeddings.map, self.links.selection, self._model
        if not self.layer.box.isChecked() or found is None or selection is None or model is None:
            self.layer.hide()
            return
        features = features_of(
            model, found, self.regions.labels, self.regions.names(), self.segment.materials()
        )
        selected = found.at_points(selection.mask)
        self.layer.show(found, self._colours(found).rgb, features, selected)

    def _colours(self, found: LatentMap) -> Colours:
        assert self._model is not None
        by = self.colours.by
        if by == "region":
            regions = self.regions.regions
            return coloured_by_labels(found, regions.data, regions.layer, regions.name)
        if by == "cluster":
            layer = self.segment.materials()
            labels = np.zeros((found.height, found.width), int) if layer is None else layer.data
            return coloured_by_labels(found, labels, layer, lambda label: f"material {label}")
        return coloured(self._model, found, by, self.colours.latent.value())

    def _on_parted(self) -> None:
        self.colours.set_by("cluster")
        self._show_colours()
        self._show_regions()

    # ----------------------------------------------------------------- the selection

    def keep(self, name: str) -> None:
        """Paint the selected texels as a named region; an error becomes a notification."""
        selection = self.links.selection
        if selection is None:
            return
        if self.regions.regions.capture is None:
            show_error("There is no image to paint on: open the capture, or the model as layers.")
            return
        attempt(lambda: self.regions.keep(selection.mask, name))

    def select_region(self, kind: str, label: int) -> None:
        """Select the texels of a painted region, or of a material."""
        layer = self.segment.materials()
        labels = self.regions.labels if kind == "region" or layer is None else layer.data
        self._change(lambda selection: selection.take(np.asarray(labels) == label))

    def _change(self, change: Callable[[TexelSelection], None]) -> None:
        if self.links.selection is not None:
            change(self.links.selection)

    def _on_painted(self, label: int) -> None:
        if self.box.follow.isChecked():
            self.select_region("region", label)

    def _show_selection(self) -> None:
        selection = self.links.selection
        if selection is None:
            self.box.set_count(0, 0)
            return
        self.box.set_count(selection.count, selection.mask.size)
        if self.embeddings.map is not None:
            self.layer.select(self.embeddings.map.at_points(selection.mask))
        self.inspect.set_selection(selection.mask)
        self.segment.selection_changed()

    def _show_regions(self) -> None:
        layer = self.segment.materials()
        materials = {} if layer is None else region_counts(layer.data)
        self.box.set_regions(self.regions.names(), list(materials))
        if self.colours.by == "region":
            self._show_colours()

    # ----------------------------------------------------------------- mouse, walks, files

    def _on_pointed(self, texel: tuple[int, int] | None) -> None:
        self._show_note(texel)
        self.inspect.point_at(texel)

    def _show_note(self, texel: tuple[int, int] | None = None) -> None:
        """Describe the texel under the mouse, or else the map."""
        found = self.embeddings.map
        if texel is not None:
            self.note.setText(f"texel under the mouse: x {texel[1]}, y {texel[0]}")
        elif found is None:
            self.note.setText("")
        else:
            method = "map of a table" if found.method is None else NAMES[found.method]
            self.note.setText(f"{method}, {len(found.points):,} texels")

    def _on_picked(self, i: int) -> None:
        found = self.embeddings.map
        if found is not None:
            y, x = (int(k) for k in found.coords[i])
            self.inspect.pick((y, x))

    def _on_walk(self, waiting: bool) -> None:
        # A click is meant for the end of the walk, not for the selection.
        self.map.set_picking(waiting)

    def _show_ends(self) -> None:
        found = self.embeddings.map
        if found is not None:
            ends = [int(found.point_of[end]) for end in self.inspect.walk.ends if end is not None]
            self.map.set_ends(tuple(i for i in ends if i >= 0))

    def _follow_inspect(self, _: Any = None) -> None:
        self.inspect.follow(self.isVisible() and self.inspect_section.isExpanded())
