"""The menu command "Open BTF capture...": napari's own reader also claims folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.errors import BTFError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_capture", "open_folder"]


def open_capture() -> None:
    """Ask for a folder and open it as a BTF capture."""
    import napari
    from qtpy.QtWidgets import QFileDialog

    viewer = napari.current_viewer()
    if viewer is None:
        return
    folder = QFileDialog.getExistingDirectory(None, "Open BTF capture: folder of images")
    if folder:
        open_folder(viewer, folder)


def open_folder(viewer: Any, folder: str | Path) -> list[Any]:
    """Open a capture in a viewer; what is wrong with it becomes a notification.

    Returns
    -------
    list
        The new layers; empty if it could not be read.
    """
    from napari.layers import Layer
    from napari.utils.notifications import show_error

    from napari_btf.plugin.reader import read_capture
    from napari_btf.plugin.workspace import workspace_of

    try:
        layers = [Layer.create(*data) for data in read_capture(str(folder))]
    except BTFError as error:
        show_error(str(error))
        return []
    workspace_of(viewer)
    for layer in layers:
        viewer.add_layer(layer)
    return layers
