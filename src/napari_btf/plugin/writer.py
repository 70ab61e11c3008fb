"""The napari writer: File > Save on the latents of a model writes the model.

napari cannot be told which image layers are of a model. So this writer is the first that the dialog
offers for any image, and the one that *Save to Folder* asks. It hands other images on to napari.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_btf.errors import UsageError
from napari_btf.plugin.viewer.layers import TAG

if TYPE_CHECKING:
    from napari_btf.codec.model import CompressedBTF

__all__ = ["write_model"]


def write_model(path: str, layers: list[tuple[Any, dict[str, Any], str]]) -> list[str]:
    """Write the model whose latents are among the given layers, or a single image as TIFF.

    Parameters
    ----------
    path : str
        ``.safetensors`` is added to a name without it.
    layers : list of tuple
        As napari gives them to writers: data, attributes, type. Others are passed over.

    Returns
    -------
    list of str
        The file.

    Raises
    ------
    UsageError
        If several layers are of no model, or of several models.
    ModelFileError
        If the place cannot be written to.
    """
    from napari_btf.plugin.viewer.workspace import saved_anywhere

    found: dict[int, CompressedBTF] = {}
    for _, attributes, _ in layers:
        tag = attributes.get("metadata", {}).get(TAG)
        if isinstance(tag, dict) and tag.get("kind") == "latents":
            found[id(tag["model"])] = tag["model"]
    if not found and len(layers) == 1:
        return _write_image(Path(path), *layers[0][:2])
    if len(found) != 1:
        problem = "these layers are of several models" if found else "no layer of a model is here"
        raise UsageError(path, problem, "select the latents of one model and save them")
    (model,) = found.values()
    saved = model.save(named(Path(path)))
    saved_anywhere(model, saved)
    return [str(saved)]


def named(path: Path) -> Path:
    """Return the path with the extension of models, which napari does not add."""
    return path if path.suffix == ".safetensors" else path.with_name(f"{path.name}.safetensors")


def _write_image(path: Path, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an image that is of no model, as napari's own writer does."""
    from napari_builtins.io import napari_write_image  # type: ignore[import-untyped]

    place = path.with_suffix(".tif") if path.suffix == ".safetensors" else path
    written = napari_write_image(str(place), data, attributes)
    if written is None:
        problem = "this image is of no model, and napari cannot write it"
        raise UsageError(path, problem, "choose another type of file")
    return [written]
