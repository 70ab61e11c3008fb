"""RTI captures: photographs with a table of light directions."""

from __future__ import annotations

from napari_btf.formats.rti.reader import read, recognises

__all__ = ["read", "recognises"]
