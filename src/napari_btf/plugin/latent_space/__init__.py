"""The dock *Latent space*."""

from __future__ import annotations

from napari_btf.plugin.latent_space.dock import LatentSpace

__all__ = ["LatentSpace"]
