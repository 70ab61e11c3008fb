"""The painted regions of a viewer: which Labels layer holds them, and how many texels each has."""

from __future__ import annotations

from napari_btf.plugin.viewer.regions.regions import Regions

__all__ = ["Regions"]
