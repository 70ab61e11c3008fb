"""Open a napari window for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_btf.codec.model import CompressedBTF

__all__ = ["open_demo", "show_demo"]


def open_demo(model: CompressedBTF) -> None:
    """Open the sample with all docks and a trained model, until the window is closed."""
    import napari

    show_demo(napari.Viewer(title="napari-btf"), model)
    napari.run()


def show_demo(viewer: Any, model: CompressedBTF) -> None:
    """Arrange the sample, the docks and a relit image in a viewer."""
    from qtpy.QtCore import QTimer

    from napari_btf.plugin.viewer.workspace import workspace_of

    viewer.open_sample("napari-btf", "weave")
    workspace_of(viewer).models.current = model
    # Two docks share a place, so that all of them fit on a laptop's screen.
    first, _ = viewer.window.add_plugin_dock_widget("napari-btf", "Select texels")
    viewer.window.add_plugin_dock_widget("napari-btf", "Train", tabify=True)
    # Qt puts docks together when it lays the window out, which is later.
    QTimer.singleShot(0, first.raise_)
    viewer.window.add_plugin_dock_widget("napari-btf", "Relight")
    viewer.reset_view()
