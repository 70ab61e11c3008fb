"""The napari readers: a capture becomes one lazy Image layer, a model the layers of its latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.formats import read, recognises

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["get_model_reader", "get_reader", "read_capture", "read_model"]

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | Sequence[str]) -> Callable[[str], list[LayerData]] | None:
    """Offer `read_capture` for a folder or zip that looks like a capture; never raises."""
    if not isinstance(path, str):
        return None
    return read_capture if recognises(path) else None


def read_capture(path: str) -> list[LayerData]:
    """Read a capture.

    Raises
    ------
    CaptureError
        napari shows its one sentence as a notification.
    """
    from napari_btf.plugin.notices import show_info
    from napari_btf.plugin.viewer.layers import capture_layer_data
    from napari_btf.plugin.viewer.workspace import current_workspace

    btf = read(path)
    for note in btf.notes:
        show_info(f"{path}: {note}.")
    # Starts showing the angles on the canvas.
    current_workspace()
    return [capture_layer_data(btf)]


def get_model_reader(path: str | Sequence[str]) -> Callable[[str], list[LayerData]] | None:
    """Offer `read_model` for a ``.safetensors`` file; never raises."""
    return read_model if isinstance(path, str) and path.endswith(".safetensors") else None


def read_model(path: str) -> list[LayerData]:
    """Read a model as layers of its latents, which the docks of the window can use.

    The layers cover nothing: if a capture is open, they stand below it.

    Raises
    ------
    ModelFileError
        napari shows its one sentence as a notification.
    """
    from napari_btf.codec.storage import load
    from napari_btf.plugin.viewer.layers import capture_of
    from napari_btf.plugin.viewer.model_layers import latent_layer_data
    from napari_btf.plugin.viewer.placing import free_places
    from napari_btf.plugin.viewer.workspace import current_workspace

    model = load(path)
    workspace = current_workspace()
    captures = [] if workspace is None else workspace.captures.layers()
    layers = latent_layer_data(model, capture_of(captures[0]) if captures else None)
    if workspace is not None:
        size = model.height, model.width
        below = free_places(workspace.viewer, *size, row=1)
        # The first place of all is for the capture; beside it Relight shows its image.
        first = below if captures else free_places(workspace.viewer, *size)
        for (_, options, _), place in zip(layers, (next(first), next(below)), strict=False):
            options["translate"] = (0.0,) * (len(options["axis_labels"]) - 2) + place
        _show_all_later(workspace)
    return layers


def _show_all_later(workspace: Workspace) -> None:
    """Zoom to all layers after napari has added those that are read."""
    from qtpy.QtCore import QTimer

    from napari_btf.plugin.viewer.placing import Watch

    watch = Watch(workspace.viewer)
    watch.begin()
    # napari itself turns to the first layer of a viewer, and to that one alone.
    is_first = not workspace.viewer.layers
    QTimer.singleShot(0, workspace.viewer.reset_view if is_first else watch.show_all)
