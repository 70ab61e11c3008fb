"""The class `BTF`: observations with their light and view directions, read lazily.

Readers of file formats belong in `napari_btf.formats`, and the choice of texels in
`napari_btf.texels`.
"""

from __future__ import annotations

from napari_btf.btf.btf import BTF, SMALL_BYTES, into_memory
from napari_btf.btf.direction_grid import DirectionGrid
from napari_btf.btf.observations import Frames, Gatherer

__all__ = ["BTF", "SMALL_BYTES", "DirectionGrid", "Frames", "Gatherer", "into_memory"]
