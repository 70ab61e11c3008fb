"""The dock *Latent space*: a map of the latents that is linked to the images.

Embeddings, clusters and other computations belong in the core; here is what shows them.
"""

from __future__ import annotations

from napari_btf.plugin.latent_space.dock import LatentSpace

__all__ = ["LatentSpace"]
