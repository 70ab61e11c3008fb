"""The dock *Relight*."""

from __future__ import annotations

from napari_btf.plugin.relight.dock import Relight

__all__ = ["Relight"]
