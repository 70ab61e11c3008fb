"""RTI captures: photographs with an .lp file of light directions.

This folder parses .lp files and finds their images. Reading the images themselves belongs in
`napari_btf.formats.frames`.
"""

from __future__ import annotations

from napari_btf.formats.rti.reader import read, recognises

__all__ = ["read", "recognises"]
