"""Texel stores: captures in Zarr that give fast access to both images and texels.

This folder holds the layout, reading and writing of a store. The conversion job that uses it is
`napari_btf.formats.conversion`.
"""

from __future__ import annotations

from napari_btf.formats.texel_store.store import read, recognises

__all__ = ["read", "recognises"]
