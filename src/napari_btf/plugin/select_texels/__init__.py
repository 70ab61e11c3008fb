"""The dock *Select texels*."""

from __future__ import annotations

from napari_btf.plugin.select_texels.dock import SelectTexels

__all__ = ["SelectTexels"]
