"""What all docks have around their controls: a tab, a title, help, and first steps."""

from __future__ import annotations

from napari_btf.plugin.frame.dock import as_dock

__all__ = ["as_dock"]
