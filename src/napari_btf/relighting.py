"""Images of a compressed BTF under chosen directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.directions import angles_to_vectors, vectors_to_angles, vectors_to_disk
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec import CompressedBTF

__all__ = ["limits", "outside", "relight"]

Angles = tuple[float, float]


def relight(model: CompressedBTF, light: Angles, view: Angles | None = None) -> NDArray[Any]:
    """The surface under one light from one view, as an image.

    Parameters
    ----------
    model : CompressedBTF
    light, view : (theta, phi)
        Degrees. Directions beyond the captured ones (see `outside`) give the image at the
        edge of the captured range. Without ``view``: the captured view nearest to normal.

    Returns
    -------
    ndarray, shape (H, W, C)
        In the type of the captured images.

    Raises
    ------
    UsageError
        If a theta lies outside -90 to 90.
    """
    view = default_view(model) if view is None else view
    for name, (theta, phi) in (("light", light), ("view", view)):
        if not (np.isfinite(phi) and -90.0 <= theta <= 90.0):
            raise UsageError(
                None,
                f"{name} {theta:g},{phi:g} is not a direction above the surface",
                "give theta between -90 and 90 and any phi, in degrees",
            )
    decoded = model.decode(angles_to_vectors(*light), angles_to_vectors(*view))
    return model.values.store(decoded)


def default_view(model: CompressedBTF) -> Angles:
    """(theta, phi) of the captured view nearest to the normal, degrees."""
    theta, phi = vectors_to_angles(model.view[np.argmax(model.view[:, 2])])
    return float(theta), float(phi)


def limits(model: CompressedBTF) -> tuple[float, float]:
    """Largest theta of the captured lights and of the captured views, degrees."""
    light, view = vectors_to_angles(model.light)[0], vectors_to_angles(model.view)[0]
    return float(light.max()), float(view.max())


def outside(model: CompressedBTF, light: Angles, view: Angles | None = None) -> str | None:
    """Why an image is not what was asked for, in one sentence; None if it is."""
    most_light, most_view = limits(model)
    if abs(light[0]) > most_light + 0.05:
        return (
            f"the captured lights reach theta {most_light:.4g}; "
            f"the image shows light {most_light:.4g},{light[1]:g}"
        )
    if view is None:
        return None
    if model.fixed_view:
        asked, only = vectors_to_disk(angles_to_vectors(*view)), vectors_to_disk(model.view[0])
        if np.hypot(*(asked - only)) > 1e-3:
            theta, phi = default_view(model)
            return f"the model knows one view only, {theta:.4g},{phi:.4g}; the image shows that one"
    elif abs(view[0]) > most_view + 0.05:
        return (
            f"the captured views reach theta {most_view:.4g}; "
            f"the image shows view {most_view:.4g},{view[1]:g}"
        )
    return None
