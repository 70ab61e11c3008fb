"""The napari sample data: File > Open Sample."""

from __future__ import annotations

from typing import Any

__all__ = ["weave"]


def weave() -> list[tuple[Any, dict[str, Any], str]]:
    """The woven cloth that ships with the package."""
    from napari_btf.plugin.viewer.layers import capture_layer_data
    from napari_btf.plugin.viewer.workspace import current_workspace
    from napari_btf.samples import open_sample

    current_workspace()
    return [capture_layer_data(open_sample())]
