"""The .btf files of the University of Bonn."""

from __future__ import annotations

from napari_btf.formats.ubo2014.reader import read, recognises

__all__ = ["read", "recognises"]
