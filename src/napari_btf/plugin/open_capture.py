"""The menu commands that open captures, because napari's own reader claims folders and images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.errors import BTFError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_capture", "open_capture_file", "open_path", "use_layer"]

_FILES = "BTF captures (*.zip *.lp *.btf *.tif *.tiff *.npy *.csv);;All files (*)"


def open_capture() -> None:
    """Ask for a folder and open it as a BTF capture."""
    import napari
    from qtpy.QtWidgets import QFileDialog

    viewer = napari.current_viewer()
    if viewer is None:
        return
    folder = QFileDialog.getExistingDirectory(
        None, "Open BTF capture: folder of images, or texel store"
    )
    if folder:
        open_path(viewer, folder)


def open_capture_file() -> None:
    """Ask for a file and open it as a BTF capture."""
    import napari
    from qtpy.QtWidgets import QFileDialog

    viewer = napari.current_viewer()
    if viewer is None:
        return
    path, _ = QFileDialog.getOpenFileName(None, "Open BTF capture", "", _FILES)
    if path:
        open_path(viewer, path)


def use_layer() -> None:
    """Turn the selected Image layer into a BTF capture; ask for its angles if it has none."""
    import napari
    from qtpy.QtWidgets import QFileDialog

    from napari_btf.plugin.from_layer import add_capture_of, has_angles
    from napari_btf.plugin.notices import show_error

    viewer = napari.current_viewer()
    layer = None if viewer is None else viewer.layers.selection.active
    if viewer is None:
        return
    table = None
    if layer is not None and not has_angles(layer):
        table, _ = QFileDialog.getOpenFileName(
            None, f'Angles of the images of "{layer.name}"', "", "CSV (*.csv);;All files (*)"
        )
        if not table:
            return
    try:
        add_capture_of(viewer, layer, table)
    except BTFError as error:
        show_error(str(error))


def open_path(viewer: Any, folder: str | Path) -> list[Any]:
    """Open a capture in a viewer; an error becomes a notification.

    Returns
    -------
    list
        The new layers; empty if it could not be read.
    """
    from napari.layers import Layer

    from napari_btf.plugin.notices import show_error
    from napari_btf.plugin.reader import read_capture
    from napari_btf.plugin.viewer.workspace import workspace_of

    try:
        layers = [Layer.create(*data) for data in read_capture(str(folder))]
    except BTFError as error:
        show_error(str(error))
        return []
    workspace_of(viewer)
    for layer in layers:
        viewer.add_layer(layer)
    return layers
