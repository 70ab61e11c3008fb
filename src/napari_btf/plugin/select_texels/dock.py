"""The dock *Select texels*: paint regions of interest, sample them, look at single texels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import qthrottled

from napari_btf.plugin.frame import as_dock
from napari_btf.plugin.jobs.background import Latest
from napari_btf.plugin.notices import show_error, show_info
from napari_btf.plugin.select_texels.region_box import NO_REGION, RegionBox
from napari_btf.plugin.select_texels.regions_chooser import RegionsChooser
from napari_btf.plugin.select_texels.sampling_box import SamplingBox
from napari_btf.plugin.select_texels.structure import Structure
from napari_btf.plugin.select_texels.texel_disk import TexelDisk
from napari_btf.plugin.viewer.choosers import NO_CAPTURE, CaptureChooser
from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.viewer.overlay import Overlay
from napari_btf.plugin.viewer.painted import Painted
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.plugin.widgets.basics import attempt, row_of
from napari_btf.plugin.widgets.section import Scrolled, Section, allow
from napari_btf.plugin.widgets.wrapped_text import Note
from napari_btf.progress import Progress, finish
from napari_btf.texels import coordinates
from napari_btf.texels.sampling import Sampling, region_counts, sampled

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_btf.plugin.viewer.painted import Region
    from napari_btf.progress import Job

__all__ = ["SelectTexels"]

#: Milliseconds.
_COUNT_EVERY = 100
#: Texels; sampling as many takes milliseconds.
_AT_ONCE = 2**20

_SAVE = "Write the chosen texels as a table with the columns x,y (and region)"
_LOAD = "Paint the texels of a table with the columns x,y (and region)"


class SelectTexels(QWidget):
    """Paints texels with napari's Labels tools, samples them, saves and loads them."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._workspace = workspace_of(napari_viewer)

        self.captures = CaptureChooser(self._workspace)
        self.painted = Painted(self._workspace)
        self.regions = RegionBox(self.painted)
        self.layers = RegionsChooser(self._workspace, self.painted)
        self.table, self.paint = self.regions.table, self.regions.paint
        self.sampling = SamplingBox()
        self.step = self.sampling.step
        self.overlay = Overlay(self._workspace, "chosen texels", 0.6)
        self.show_chosen = QCheckBox("show the chosen texels")
        self.count = Note()
        self.save = QPushButton("Save CSV...")
        self.load = QPushButton("Load CSV...")
        self.structure = Structure(self._workspace, self.painted)
        self.texel = TexelDisk(self._workspace)
        self.texel_section = Section("Texel under the mouse", self.texel, open_first=True)
        self._lay_out()
        as_dock(self, "Select texels", self._workspace)

        self.show_chosen.setChecked(True)
        # Painting emits many events a second.
        self._update = qthrottled(self._show, timeout=_COUNT_EVERY)
        # Sampling a large image takes longer than a stroke of the brush may.
        self._kept = Latest(self)
        self._kept.done.connect(self._show_kept)
        follow_while_shown(self, {self._workspace.regions.changed: self._on_painted})
        self.captures.chosen.connect(self._on_capture)
        self.regions.changed.connect(self._show)
        self.sampling.changed.connect(self._on_sampling)
        self.show_chosen.toggled.connect(self._show)
        self.save.clicked.connect(self._ask_save)
        self.load.clicked.connect(self._ask_load)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("capture", self.captures)
        form.addRow("regions", self.layers)
        content = QWidget()
        column = QVBoxLayout(content)
        column.addLayout(form)
        column.addWidget(self.regions)
        column.addWidget(self.sampling)
        column.addWidget(self.show_chosen)
        column.addWidget(self.count)
        column.addLayout(row_of(self.load, self.save))
        column.addWidget(self.structure)
        column.addWidget(self.texel_section)
        column.addStretch(1)
        # Open sections may need more height than the window has.
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(Scrolled(content))

    def showEvent(self, event: QShowEvent | None) -> None:
        """Show the present capture and its regions."""
        super().showEvent(event)
        self._on_capture()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Remove all but the regions from the canvas."""
        super().hideEvent(event)
        self._kept.cancel()
        self.structure.stop()
        self.overlay.hide()

    def regions_layer(self) -> Any:
        """The Labels layer with the regions of the chosen capture, or None."""
        return self._workspace.regions.layer(self.captures.layer)

    def texels(self) -> NDArray[np.intp]:
        """The chosen texels, rows (y, x): painted, and kept by the sampling."""
        return self._workspace.regions.selected_texels(self.captures.layer)

    def start_painting(self) -> Any:
        """Create the Labels layer if there is none, and select the brush."""
        return self.regions.start_painting()

    # ----------------------------------------------------------------- files

    def save_csv(self, path: str) -> None:
        """Write the chosen texels; an error becomes a notification."""
        texels = self.painted.by_region(self.texels())
        names = self.painted.chosen_names(texels)
        if attempt(lambda: coordinates.write_coordinates(path, texels, names)):
            show_info(f"{len(texels):,} texels written to {path}.")

    def load_csv(self, path: str) -> None:
        """Paint the texels of a file; an error becomes a notification."""
        if self.captures.btf is None:
            show_error(NO_CAPTURE)
            return

        def load() -> None:
            self.painted.load(coordinates.read_regions(path, *self.painted.data.shape))

        if attempt(load):
            # What is in the file is what was chosen: thinning it out again would be wrong.
            self._on_sampling(Sampling())
            self.sampling.set_sampling(Sampling())

    # ----------------------------------------------------------------- state

    def _on_capture(self) -> None:
        capture = self.captures.layer
        self.painted.capture = capture
        self.sampling.set_sampling(self._workspace.regions.sampling(capture))
        self.structure.set_capture(capture)
        self.texel.set_capture(capture)
        if self.overlay.was_deleted:
            # Whoever deletes it does not want to see it.
            self.overlay.hide()
            self.show_chosen.setChecked(False)
        self._show()

    def _on_sampling(self, sampling: Sampling) -> None:
        if self.captures.layer is not None:
            self._workspace.regions.set_sampling(self.captures.layer, sampling)
        self._show()

    def _on_painted(self) -> None:
        self._update()

    def _show(self, _: Any = None) -> None:
        """Show regions and counts; a large image is sampled in a thread."""
        self._kept.cancel()
        capture, btf = self.captures.layer, self.captures.btf
        self.layers.refresh()
        if btf is None:
            self.regions.set_regions(())
            self.count.setText(NO_CAPTURE)
            self.overlay.hide()
            self._show_controls(0)
            return
        sampling = self._workspace.regions.sampling(capture)
        if sampling.count is None and sampling.step == 1:
            # Where all that is painted is chosen, the regions themselves show it, in their colours.
            self._show_rows(self.painted.regions())
            self.overlay.hide()
            return
        job = _sample(self.painted.data, sampling)
        if btf.height * btf.width <= _AT_ONCE:
            self._show_kept(finish(job))
        else:
            self._kept.want(lambda: job)

    def _show_rows(self, regions: list[Region], total: int | None = None) -> None:
        btf = self.captures.btf
        assert btf is not None
        self.regions.set_regions(regions)
        used = [region.chosen for region in regions if region.chosen]
        chosen = sum(used) if total is None else total
        self.count.setText(_count_text(chosen, btf.height * btf.width, len(used)))
        self._show_controls(chosen)
        self.structure.region_changed()

    def _show_kept(self, found: Kept) -> None:
        capture, btf = self.captures.layer, self.captures.btf
        if btf is None or found.mask.shape != (btf.height, btf.width):
            return
        self._show_rows(self.painted.regions(found.counts), found.total)
        # Results may come after the dock was hidden.
        if self.isVisible() and self.show_chosen.isChecked() and found.thins_out:
            self.overlay.show(capture, found.mask)
        else:
            self.overlay.hide()

    def _show_controls(self, chosen: int) -> None:
        no_capture = "" if self.captures.btf is not None else NO_CAPTURE
        nothing = "" if chosen else f"{NO_REGION} Or choose texels at random."
        allow(self.load, _LOAD, no_capture)
        allow(self.save, _SAVE, no_capture or nothing)
        allow(self.sampling, "", no_capture)
        allow(self.show_chosen, "Light up the texels that are left after sampling", no_capture)

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save texels", "texels.csv", "CSV (*.csv)")
        if path:
            self.save_csv(path)

    def _ask_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load texels", "", "CSV (*.csv)")
        if path:
            self.load_csv(path)


class Kept(NamedTuple):
    """The texels that a sampling keeps."""

    mask: NDArray[np.bool_]
    """Shape (H, W)."""
    counts: dict[int, int]
    """How many of each region, by label."""
    total: int
    thins_out: bool
    """Whether some of the painted texels are not kept, or texels are kept that nobody painted."""


def _sample(labels: NDArray[Any], sampling: Sampling) -> Job[Kept]:
    yield Progress("sample", 0, 0)
    mask = sampled(labels, sampling)
    counts = region_counts(np.where(mask, labels, labels.dtype.type(0)))
    total = int(np.count_nonzero(mask))
    painted = np.count_nonzero(labels)
    return Kept(mask, counts, total, total > 0 and total != painted)


def _count_text(chosen: int, total: int, regions: int) -> str:
    if not chosen:
        return f"Nothing is painted yet: all {total:,} texels would be used."
    if not regions:
        return f"{chosen:,} of {total:,} texels, from the whole image"
    return f"{chosen:,} of {total:,} texels, {regions} region{'s' * (regions != 1)}"
