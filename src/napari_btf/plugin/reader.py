"""napari readers: a capture becomes one lazy Image layer, a model the layers of its latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.formats import read, recognises

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    from napari.utils.notifications import show_info

    from napari_btf.plugin.layers import capture_layer_data
    from napari_btf.plugin.workspace import current_workspace

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
    """Read a model: its latents as layers. The docks of the window work with it from then on.

    Raises
    ------
    ModelFileError
        napari shows its one sentence as a notification.
    """
    from napari_btf.codec.storage import load
    from napari_btf.plugin.layers import capture_of
    from napari_btf.plugin.model_layers import latent_layer_data
    from napari_btf.plugin.workspace import current_workspace

    model = load(path)
    workspace = current_workspace()
    layers = [] if workspace is None else workspace.capture_layers()
    return latent_layer_data(model, capture_of(layers[0]) if layers else None)
