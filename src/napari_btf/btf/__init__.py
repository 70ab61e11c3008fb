"""The BTF: observations with their directions, arranged and read lazily."""

from __future__ import annotations

from napari_btf.btf.btf import BTF, SMALL_BYTES, into_memory
from napari_btf.btf.direction_grid import DirectionGrid
from napari_btf.btf.observations import Frames, Gatherer

__all__ = ["BTF", "SMALL_BYTES", "DirectionGrid", "Frames", "Gatherer", "into_memory"]
