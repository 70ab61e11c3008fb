"""napari reader: a capture becomes one lazy Image layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.formats import read, recognises

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["get_reader", "read_capture"]

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
