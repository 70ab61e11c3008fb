"""Embeddings: the latents of all texels as points in the plane, where similar texels are close.

This folder holds the methods (t-SNE, PCA, UMAP), files of embeddings, and what a map of the points
needs: colours, density, lasso, nearest point. Clusters of latents are in
`napari_btf.segmentation`, plots in `napari_btf.plots`, and the dock in
`napari_btf.plugin.latent_space`.
"""

from __future__ import annotations

from napari_btf.embedding.methods import DEFAULT_BUDGET, METHODS, Method, embed
from napari_btf.embedding.points import (
    Density,
    PointIndex,
    density,
    in_polygon,
    spread_sample,
)
from napari_btf.embedding.table import EmbeddingTable, read_embedding, write_embedding

__all__ = [
    "DEFAULT_BUDGET",
    "METHODS",
    "Density",
    "EmbeddingTable",
    "Method",
    "PointIndex",
    "density",
    "embed",
    "in_polygon",
    "read_embedding",
    "spread_sample",
    "write_embedding",
]
