"""Opening a napari window for the command line."""

from __future__ import annotations

from typing import Any

from napari_btf.codec.model import CompressedBTF

__all__ = ["open_demo", "show_demo"]


def open_demo(model: CompressedBTF) -> None:
    """Open the sample with all docks and a trained model, until the window is closed."""
    import napari

    show_demo(napari.Viewer(title="napari-btf"), model)
    napari.run()


def show_demo(viewer: Any, model: CompressedBTF) -> None:
    """Arrange the sample, the docks and a relit image in a viewer."""
    from napari_btf.plugin.workspace import workspace_of

    viewer.open_sample("napari-btf", "weave")
    workspace_of(viewer).model = model
    for name in ("Select texels", "Train", "Relight"):
        viewer.window.add_plugin_dock_widget("napari-btf", name)
    viewer.reset_view()
