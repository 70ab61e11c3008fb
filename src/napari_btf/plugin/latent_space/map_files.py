"""The tables of points of *Latent space*: opened and saved as CSV, with the regions in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QPushButton, QWidget

from napari_btf.plugin.notices import show_info
from napari_btf.plugin.widgets.basics import attempt, row_of
from napari_btf.plugin.widgets.section import allow

if TYPE_CHECKING:
    from pathlib import Path

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.embedding import EmbeddingTable
    from napari_btf.plugin.latent_space.embeddings import Embeddings
    from napari_btf.plugin.latent_space.region_link import RegionLink
    from napari_btf.texels.coordinates import RegionTexels

__all__ = ["MapFiles"]


class MapFiles(QWidget):
    """Two buttons that open and save the map of a model as a table.

    Parameters
    ----------
    embeddings : Embeddings
    regions : RegionLink
        Its names are written, and those of an opened table are painted.
    """

    def __init__(self, embeddings: Embeddings, regions: RegionLink) -> None:
        super().__init__()
        self._embeddings, self._regions = embeddings, regions
        self._to_paint: dict[CompressedBTF, tuple[RegionTexels, str]] = {}
        self.open_button = QPushButton("Open CSV...")
        self.save_button = QPushButton("Save CSV...")
        row = row_of(self.open_button, self.save_button)
        row.setContentsMargins(0, 0, 0, 0)
        self.setLayout(row)
        self.open_button.clicked.connect(self._ask_open)
        self.save_button.clicked.connect(self._ask_save)

    def set_allowed(self, why_not_open: str, why_not_save: str) -> None:
        """Enable the buttons, or say in their tool tips why they are not."""
        allow(self.open_button, "Take the points of a table", why_not_open)
        allow(self.save_button, "Write the points and their texels as a table", why_not_save)

    def open(self, path: str) -> None:
        """Read the points of a file; an error becomes a notification."""
        attempt(lambda: self._embeddings.open(path))

    def save(self, path: str) -> None:
        """Write the points to a file; an error becomes a notification."""
        found = self._embeddings.map
        if found is None:
            return
        names = {0: "", **self._regions.names()}
        labels = found.at_points(self._regions.labels)
        regions = [names[int(label)] for label in labels] if labels.any() else None
        if attempt(lambda: self._embeddings.save(path, regions)):
            show_info(f"{len(found.points):,} points written to {path}.")

    def remember_regions(self, model: CompressedBTF, path: Path, table: EmbeddingTable) -> bool:
        """Keep the regions of a table that was opened for a model; False if it has none.

        They are not painted at once: the model may come with layers that are just being added.
        """
        texels = table.region_texels()
        if texels is None:
            return False
        self._to_paint[model] = texels, path.name
        return True

    def has_regions(self, model: CompressedBTF | None) -> bool:
        """Whether regions of a model wait to be painted."""
        return model in self._to_paint

    def restore_regions(self, model: CompressedBTF | None) -> None:
        """Paint the regions of the table that was opened."""
        if model not in self._to_paint:
            return
        texels, name = self._to_paint.pop(model)

        def restore() -> None:
            sentence = self._regions.restore(texels, name)
            if sentence:
                show_info(sentence)

        attempt(restore)

    def _ask_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open points", "", "CSV (*.csv)")
        if path:
            self.open(path)

    def _ask_save(self) -> None:
        found, beside = self._embeddings.map, None
        if found is not None:
            beside = self._embeddings.file_beside(found.method or "tsne")
        name = "tsne.csv" if beside is None else str(beside)
        path, _ = QFileDialog.getSaveFileName(self, "Save points", name, "CSV (*.csv)")
        if path:
            self.save(path)
