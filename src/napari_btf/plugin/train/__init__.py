"""The dock *Train*: options, progress, preview and results of a training.

Training itself belongs in the core (`napari_btf.training`).
"""

from __future__ import annotations

from napari_btf.plugin.train.dock import Train

__all__ = ["Train"]
