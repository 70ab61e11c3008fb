"""The captured ABRDF of texels, read in a thread; values in memory are returned at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_btf.plugin.jobs.background import Background
from napari_btf.texels.abrdf import Patch, mean_abrdf, patch_in_memory, read_patch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.progress import Job

__all__ = ["CapturedValues"]

#: Files are read once nothing else is wanted for so long (milliseconds).
_REST = 120


class CapturedValues(QObject):
    """Reads the mean of texels under some observations; only the latest request counts.

    Signals
    -------
    found
        Values in the captured type, (L, C), one row an observation that was wanted.
    failed
        A sentence on what is wrong.
    """

    found = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._btf: BTF | None = None
        self._observations: NDArray[np.intp] | None = None
        self._coords: NDArray[np.intp] | None = None
        self._patch: Patch | None = None
        self._jobs = Background(self)
        self._jobs.done.connect(self._on_read)
        self._jobs.failed.connect(self.failed)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST)
        self._rest.timeout.connect(self._read)

    def want(self, btf: BTF, observations: NDArray[np.intp], coords: NDArray[np.intp]) -> None:
        """Request the mean of texels (T, 2), at least one."""
        if btf is not self._btf or not _same(observations, self._observations):
            self._patch = None
        self._btf, self._observations, self._coords = btf, observations, coords
        if len(coords) == 1:
            y, x = (int(i) for i in coords[0])
            patch = patch_in_memory(btf, observations, y, x) or self._patch
            if patch is not None and patch.covers(y, x):
                self._rest.stop()
                self._jobs.cancel()
                self.found.emit(patch.at(y, x))
                return
        self._rest.start()

    def cancel(self) -> None:
        """Want nothing any more."""
        self._rest.stop()
        self._jobs.cancel()

    def _read(self) -> None:
        btf, observations, coords = self._btf, self._observations, self._coords
        if btf is None or observations is None or coords is None:
            return
        job: Job[Any]
        if len(coords) == 1:
            # Texels near this one are looked at next.
            job = read_patch(btf, observations, int(coords[0, 0]), int(coords[0, 1]))
        else:
            job = mean_abrdf(btf, observations, coords)
        self._jobs.start(job)

    def _on_read(self, result: Any) -> None:
        if not isinstance(result, Patch):
            self.found.emit(result)
            return
        self._patch = result
        if self._btf is not None and self._observations is not None and self._coords is not None:
            self.want(self._btf, self._observations, self._coords)


def _same(first: NDArray[np.intp], second: NDArray[np.intp] | None) -> bool:
    return second is not None and len(first) == len(second) and bool((first == second).all())
