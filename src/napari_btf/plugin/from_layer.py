"""Captures made of Image layers that are already in the viewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.btf import BTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import UsageError
from napari_btf.formats.angles_file import read_angles_file
from napari_btf.formats.image_stack import image_shape
from napari_btf.plugin.viewer.layers import capture_layer_data
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["add_capture_of", "capture_from_layer", "has_angles"]

_VECTORS = ("light", "view")
_ANGLES = (("theta_l", "phi_l"), ("theta_v", "phi_v"))
_EXPECTED = (
    "give metadata theta_l and phi_l (theta_v and phi_v), or light (and view) as unit vectors, "
    "or a CSV file of angles"
)


def has_angles(layer: Any) -> bool:
    """Whether the metadata of a layer contain its light directions."""
    return "light" in layer.metadata or set(_ANGLES[0]) <= set(layer.metadata)


def capture_from_layer(layer: Any, table: str | Path | None = None) -> BTF:
    """Return the images of a layer as a BTF, as lazy as the layer's own data.

    Parameters
    ----------
    layer : napari.layers.Image
        With the axes (..., y, x). Without a table its metadata holds, for each image in order,
        ``theta_l, phi_l`` (and ``theta_v, phi_v``) in degrees, or unit vectors ``light`` (and
        ``view``) of shape (N, 3).
    table : str or Path, optional
        A CSV file with the header ``theta_l,phi_l,theta_v,phi_v``, one line an image.

    Raises
    ------
    UsageError, CaptureError
        If it is no Image layer, or the directions are missing or do not fit it.
    """
    from napari.layers import Image

    if not isinstance(getattr(layer, "__wrapped__", layer), Image) or layer.multiscale:
        raise UsageError(None, "no Image layer is selected", "select the layer of the images")
    if table is None:
        light, view = _directions(layer)
    else:
        found = read_angles_file(Path(table))
        light, view = found.light, found.view
    data = layer.data
    shape = data.shape if layer.rgb else (*data.shape, 1)
    found_shape = image_shape(shape, len(light)) if len(shape) >= 4 else None
    if found_shape is None or found_shape != shape[-3:]:
        raise UsageError(
            None,
            f'layer "{layer.name}" is {" x ".join(map(str, data.shape))}, and there are angles of '
            f"{len(light)} images",
            "one direction is needed for each image",
        )
    if np.dtype(data.dtype).kind == "b":
        raise UsageError(None, f'layer "{layer.name}" is a mask', "select the layer of the images")
    return BTF(
        frames=data.reshape(len(light), *found_shape),
        light=light,
        view=view,
        source=layer.name,
        format="napari layer",
    )


def add_capture_of(viewer: Any, layer: Any, table: str | Path | None = None) -> Any:
    """Add the capture made of a layer to the viewer, in place of the layer.

    Returns
    -------
    napari.layers.Image
        The new layer; the old one is hidden.
    """
    from napari.layers import Layer

    capture = Layer.create(*capture_layer_data(capture_from_layer(layer, table)))
    workspace_of(viewer)
    layer.visible = False
    return viewer.add_layer(capture)


def _directions(layer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not has_angles(layer):
        raise UsageError(None, f'layer "{layer.name}" has no light directions', _EXPECTED)
    found: list[NDArray[np.float64]] = []
    for name, (theta, phi) in zip(_VECTORS, _ANGLES, strict=True):
        metadata = layer.metadata
        try:
            if name in metadata:
                vectors = np.asarray(metadata[name], dtype=np.float64).reshape(-1, 3)
            elif {theta, phi} <= set(metadata):
                angles = [np.asarray(metadata[key], dtype=np.float64) for key in (theta, phi)]
                vectors = angles_to_vectors(*angles).reshape(-1, 3)
            else:
                vectors = np.tile([0.0, 0.0, 1.0], (len(found[0]), 1))
            length = np.linalg.norm(vectors, axis=1, keepdims=True)
            if not len(vectors) or not (np.isfinite(length).all() and length.min() > 0):
                raise ValueError("not directions")
        except (ValueError, TypeError) as error:
            raise UsageError(
                None, f'the {name} directions in the metadata of "{layer.name}" are none', _EXPECTED
            ) from error
        found.append(vectors / length)
    if len(found[0]) != len(found[1]):
        raise UsageError(
            None,
            f'the metadata of "{layer.name}" has {len(found[0])} lights and {len(found[1])} views',
            "one of each is needed for each image",
        )
    return found[0], found[1]
