"""The .btf files of the University of Bonn: their header, and images computed from their factors.

Folders of images in Bonn's older naming (UBO2003) belong in `napari_btf.formats.image_folder`.
"""

from __future__ import annotations

from napari_btf.formats.ubo2014.reader import read, recognises

__all__ = ["read", "recognises"]
