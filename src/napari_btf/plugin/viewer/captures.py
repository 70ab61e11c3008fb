"""Which of the open captures belongs to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.plugin.viewer.layers import capture_of

if TYPE_CHECKING:
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["captures_of"]


def captures_of(workspace: Workspace, model: CompressedBTF) -> list[Any]:
    """The capture layers that belong to a model, the likeliest first.

    They have the size and the channels of the model. If some of them also have the name of the
    capture that the model was trained on, only those count. Of several such layers the one that
    lies on top comes first.

    Parameters
    ----------
    workspace : Workspace
    model : CompressedBTF

    Returns
    -------
    list of napari.layers.Image
    """
    shape = model.height, model.width, model.channels
    found = []
    for layer in workspace.capture_layers():
        btf = capture_of(layer)
        if btf is not None and (btf.height, btf.width, btf.channels) == shape:
            found.append((layer, btf.name))
    named = [layer for layer, name in found if name == model.source]
    return named or [layer for layer, _ in found]
