"""Latents in the plane: how the surface is organised."""

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
