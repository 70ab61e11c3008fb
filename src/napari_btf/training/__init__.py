"""From an open capture to a model with its quality: options, held-out lights, training, outlook.

It joins the codec and the scores. What a codec does by itself belongs in `napari_btf.codec`; how
a training is shown belongs in the command line and the plugin. Names are imported when they are
first used, because the command line reads the options before it needs a codec.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_btf.training.held_out import (
        hold_out_lights,
        observations_under,
        read_lights,
        split_lights,
    )
    from napari_btf.training.run import TrainingReport, train

__all__ = [
    "TrainingReport",
    "hold_out_lights",
    "observations_under",
    "read_lights",
    "split_lights",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "run" if name in ("TrainingReport", "train") else "held_out"
    return getattr(import_module(f"{__name__}.{home}"), name)
