"""From an open capture to a model with its quality."""

from __future__ import annotations

from napari_btf.training.run import (
    TrainingReport,
    hold_out_lights,
    observations_under,
    read_lights,
    split_lights,
    train,
)

__all__ = [
    "TrainingReport",
    "hold_out_lights",
    "observations_under",
    "read_lights",
    "split_lights",
    "train",
]
