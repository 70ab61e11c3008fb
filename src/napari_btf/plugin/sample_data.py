"""The napari sample data: File > Open Sample."""

from __future__ import annotations

from typing import Any

__all__ = ["weave", "weave_lights"]


LayerData = tuple[Any, dict[str, Any], str]


def weave() -> list[LayerData]:
    """The woven cloth under 81 lights, seen from 7 directions."""
    return _layers("weave")


def weave_lights() -> list[LayerData]:
    """The woven cloth under 81 lights, seen from above, and finer."""
    return _layers("weave-lights")


def _layers(name: str) -> list[LayerData]:
    from napari_btf.plugin.viewer.layers import capture_layer_data
    from napari_btf.plugin.viewer.workspace import current_workspace
    from napari_btf.samples import open_sample

    current_workspace()
    return [capture_layer_data(open_sample(name))]
