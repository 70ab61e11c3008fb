"""Texel stores: captures in Zarr, where images and texels are both found at once."""

from __future__ import annotations

from napari_btf.formats.texel_store.store import read, recognises

__all__ = ["read", "recognises"]
