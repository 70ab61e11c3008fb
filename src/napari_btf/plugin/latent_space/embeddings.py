"""The maps of the models: computed, read from a file, or written to one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_btf.embedding import embed, read_embedding, write_embedding
from napari_btf.embedding.latent_map import LatentMap
from napari_btf.plugin.jobs.task import Task
from napari_btf.texels.sampling import all_texels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.embedding import Method
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["NAMES", "Embeddings"]

#: Of methods, for people; in the order in which files beside a model are looked for.
NAMES: dict[Method, str] = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}


class Embeddings(QObject):
    """One map for each model, which the workspace keeps, and one job at a time for any model.

    Signals
    -------
    changed
        The model that is looked at has another map.
    opened
        It is that of a file: its path and the `EmbeddingTable`.
    """

    changed = Signal()
    opened = Signal(object, object)

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._model: CompressedBTF | None = None
        self._computed: CompressedBTF | None = None
        self._method: Method = "pca"
        self._coords: NDArray[np.intp] = all_texels(0, 0)
        self.run = Task(self)
        self.run.previewed.connect(self._on_points)
        self.run.done.connect(self._on_points)

    @property
    def map(self) -> LatentMap | None:
        """The map of the current model, or None."""
        return None if self._model is None else self._workspace.models.maps.get(self._model)

    @property
    def running(self) -> bool:
        """Whether a map of the current model is being computed."""
        return self.run.running and self._computed is self._model

    def set_model(self, model: CompressedBTF | None) -> None:
        """Change to another model; a job for the previous one continues."""
        self._model = model
        self.changed.emit()

    def compute(
        self, method: Method, coords: NDArray[np.intp] | None = None, seed: int = 0
    ) -> None:
        """Start a job in place of a running one.

        Parameters
        ----------
        method : {"tsne", "pca", "umap"}
        coords : ndarray of int, shape (T, 2), optional
            Rows (y, x) of the texels; all by default.
        seed : int
        """
        model = self._model
        if model is None:
            return
        self._computed, self._method = model, method
        self._coords = all_texels(model.height, model.width) if coords is None else coords
        job = embed(model, method, coords, seed)
        self.run.start(job, f"{NAMES[method]} of {model.source or 'the model'}")

    def cancel(self) -> None:
        """End the job; its last picture stays."""
        self.run.cancel()

    # ----------------------------------------------------------------- files

    def file_beside(self, method: Method) -> Path | None:
        """Return the path where the map of a model is expected: NAME.tsne.csv beside its file."""
        path = None if self._model is None else self._workspace.models.path_of(self._model)
        return None if path is None else path.with_suffix(f".{method}.csv")

    def restore(self) -> bool:
        """Read the map that lies beside the model; return whether there is one.

        Raises
        ------
        CoordinatesError
            If it cannot be read, or is of another surface.
        """
        for method in NAMES:
            path = self.file_beside(method)
            if path is not None and path.is_file():
                self.open(path)
                return True
        return False

    def open(self, path: str | Path) -> None:
        """Read the map of a file.

        Raises
        ------
        CoordinatesError
            If it cannot be read, or is of another surface.
        """
        model = self._model
        if model is None:
            return
        table = read_embedding(path, model.height, model.width)
        self.run.cancel()
        self._take(model, LatentMap(table.points, table.coords, model.height, model.width))
        self.opened.emit(Path(path), table)

    def save(self, path: str | Path, regions: Sequence[str] | None) -> None:
        """Write the map to a file.

        Parameters
        ----------
        path : str or Path
        regions : sequence of str, optional
            The region of each point, "" for none.

        Raises
        ------
        BTFError
            If it cannot be written.
        """
        found = self.map
        if found is not None:
            write_embedding(path, found.points, found.coords, regions)

    def _on_points(self, points: NDArray[Any]) -> None:
        model = self._computed
        if model is not None:
            found = LatentMap(points, self._coords, model.height, model.width, self._method)
            self._take(model, found)

    def _take(self, model: CompressedBTF, found: LatentMap) -> None:
        self._workspace.models.maps[model] = found
        if model is self._model:
            self.changed.emit()
