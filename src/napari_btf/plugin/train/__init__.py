"""The dock *Train*."""

from __future__ import annotations

from napari_btf.plugin.train.dock import Train

__all__ = ["Train"]
