"""The layers of a model: its latents as a picture and as a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.plugin.viewer.layers import TAG, capture_of, is_kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF

__all__ = ["LayerData", "grid_of", "keep_slider_apart", "latent_layer_data", "model_of"]

#: What counts as black and as white in a latent, in percent of the texels.
_PERCENTILES = (1.0, 99.0)
#: So many texels tell the percentiles.
_ENOUGH = 1 << 18
#: Latents in the picture.
_COLOURS = 3

LayerData = tuple[Any, dict[str, Any], str]


def model_of(layer: Any) -> CompressedBTF | None:
    """Return the model of a layer of latents, or None."""
    return layer.metadata[TAG]["model"] if is_kind(layer, "latents") else None


def grid_of(layer: Any) -> tuple[int, int] | None:
    """Return the height and width of the texel grid that a layer shows, or None."""
    btf, model = capture_of(layer), model_of(layer)
    owner = model if btf is None else btf
    return None if owner is None else (owner.height, owner.width)


def latent_layer_data(
    model: CompressedBTF, btf: BTF | None = None, facts: dict[str, Any] | None = None
) -> list[LayerData]:
    """Return the latent map as napari layer data.

    Parameters
    ----------
    model : CompressedBTF
    btf : BTF, optional
        An open capture: the stack then stands still while its sliders move.
    facts : dict, optional
        Kept in the tags.

    Returns
    -------
    list of tuple
        An RGB image of the first three latents, and a stack of the others if there are any, with
        the axis "latent". Both know the model, so that it can be saved from either.
    """
    latents = model.latent_map
    tag = {"kind": "latents", "model": model, **(facts or {})}
    name = model.source or "model"
    layers: list[LayerData] = [
        (
            _picture(latents[..., :_COLOURS]),
            {
                "name": f"latents of {name}",
                "rgb": True,
                "axis_labels": ("y", "x"),
                "metadata": {TAG: dict(tag)},
            },
            "image",
        )
    ]
    rest = np.moveaxis(latents[..., _COLOURS:], -1, 0)
    if not len(rest):
        return layers
    others = _other_axes(btf)
    thin = _thinning(latents)
    low, high = np.percentile(rest[:, ::thin, ::thin], _PERCENTILES)
    layers.append(
        (
            _for_all(rest, [length for _, length in others]),
            {
                "name": f"more latents of {name}",
                "rgb": False,
                "axis_labels": ("latent", *(label for label, _ in others), "y", "x"),
                "contrast_limits": (float(low), float(max(high, low + 1e-6))),
                "metadata": {TAG: dict(tag)},
            },
            "image",
        )
    )
    return layers


def keep_slider_apart(layer: Any, btf: BTF) -> None:
    """Add the axes of a capture to a stack of latents that was opened before it.

    napari matches axes from the last one, so the slider "latent" would also move the capture's
    lights.

    Parameters
    ----------
    layer : napari.layers.Layer
        Left as it is, unless it is a stack of latents with fewer axes than the capture.
    btf : BTF
    """
    others = _other_axes(btf)
    labels = tuple(layer.axis_labels)
    if model_of(layer) is None or labels[:1] != ("latent",) or layer.ndim >= 3 + len(others):
        return
    rest = layer.data[(slice(None), *(0,) * (layer.ndim - 3))]
    layer.data = _for_all(rest, [length for _, length in others])
    layer.axis_labels = ("latent", *(label for label, _ in others), "y", "x")


def _for_all(rest: NDArray[np.float32], lengths: list[int]) -> NDArray[np.float32]:
    """Return a stack (K, H, W) as (K, ..., H, W), constant along the other axes, without a copy."""
    count, height, width = rest.shape
    thin = rest.reshape(count, *(1 for _ in lengths), height, width)
    return np.broadcast_to(thin, (count, *lengths, height, width))


def _other_axes(btf: BTF | None) -> list[tuple[str, int]]:
    """Return names and lengths of the axes that a capture's layer has before y and x."""
    if btf is None:
        return []
    axes = list(zip(("view", "light"), btf.grid.shape, strict=True))
    if not btf.is_grid:
        axes = [("observation", len(btf))]
    if btf.channels not in (1, 3):
        axes.append(("channel", btf.channels))
    return axes


def _picture(latents: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return up to three latents as red, green and blue, each scaled to its own range."""
    picture = np.zeros((*latents.shape[:2], 3), dtype=np.uint8)
    thin = _thinning(latents)
    low, high = np.percentile(latents[::thin, ::thin], _PERCENTILES, axis=(0, 1))
    span = np.maximum(high - low, 1e-6)
    # Row by row, because all at once a large surface takes gigabytes.
    for row, values in zip(picture, latents, strict=True):
        row[:, : latents.shape[-1]] = 255 * np.clip((values - low) / span, 0, 1)
    return picture


def _thinning(latents: NDArray[np.float32]) -> int:
    """Return a step, so that every such row and column has enough texels for percentiles."""
    return max(1, int(np.sqrt(latents.shape[0] * latents.shape[1] / _ENOUGH)))
