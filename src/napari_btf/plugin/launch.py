"""Open a napari window for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_btf.codec.model import CompressedBTF

__all__ = ["open_demo", "show_demo"]

#: Width and height of the window in pixels.
_SIZE = 1400, 900


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
    # The docks come together as tabs, see `plugin/frame/`.
    for name in ("Select texels", "Train", "Relight"):
        viewer.window.add_plugin_dock_widget("napari-btf", name)
    _fit_to_screen(viewer)
    # The canvas gets its size when Qt lays the window out, which is later.
    QTimer.singleShot(0, viewer.reset_view)


def _fit_to_screen(viewer: Any) -> None:
    """Give the window the size of a laptop's screen, but no more than there is."""
    from qtpy.QtGui import QGuiApplication

    screen = QGuiApplication.primaryScreen()
    width, height = _SIZE
    if screen is not None:
        there = screen.availableGeometry()
        width, height = min(width, there.width()), min(height, there.height())
    viewer.window.resize(width, height)
