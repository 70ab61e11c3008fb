"""The dock *Select texels*: regions of interest, their sampling, single texels.

The painted Labels layers belong to `napari_btf.plugin.viewer.regions`.
"""

from __future__ import annotations

from napari_btf.plugin.select_texels.dock import SelectTexels

__all__ = ["SelectTexels"]
