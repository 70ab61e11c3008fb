"""The napari writer: File > Save on the latents of a model writes the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.errors import UsageError
from napari_btf.plugin.viewer.layers import TAG

if TYPE_CHECKING:
    from napari_btf.codec.model import CompressedBTF

__all__ = ["write_model"]


def write_model(path: str, layers: list[tuple[Any, dict[str, Any], str]]) -> list[str]:
    """Write the model whose latents are among the given layers.

    Parameters
    ----------
    path : str
    layers : list of tuple
        As napari gives them to writers: data, attributes, type. Others are passed over.

    Returns
    -------
    list of str
        The file.

    Raises
    ------
    UsageError
        If the layers are of no model, or of several.
    ModelFileError
        If the place cannot be written to.
    """
    from napari_btf.plugin.viewer.workspace import saved_anywhere

    found: dict[int, CompressedBTF] = {}
    for _, attributes, _ in layers:
        tag = attributes.get("metadata", {}).get(TAG)
        if isinstance(tag, dict) and tag.get("kind") == "latents":
            found[id(tag["model"])] = tag["model"]
    if len(found) != 1:
        problem = "these layers are of several models" if found else "no layer of a model is here"
        raise UsageError(path, problem, "select the latents of one model and save them")
    (model,) = found.values()
    saved = model.save(path)
    saved_anywhere(model, saved)
    return [str(saved)]
