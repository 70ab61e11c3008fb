"""Directions: which can be asked for, and how far a model reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.directions import Angles, angle_between, angles_to_vectors, vectors_to_angles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec import CompressedBTF

__all__ = ["default_view", "limits", "outside"]

#: Degrees a shown direction may differ from the one asked for: the rig's own tolerance.
_TOLERANCE = 0.15


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
    asked = [angles_to_vectors(*light), angles_to_vectors(*(view or default_view(model)))]
    shown = model.shown(*asked)
    if angle_between(asked[0], shown[0]) > _TOLERANCE:
        return _difference("light", asked[0], shown[0], model.light)
    if view is not None and angle_between(asked[1], shown[1]) > _TOLERANCE:
        return _difference("view", asked[1], shown[1], model.view)
    return None


def _difference(
    name: str,
    asked: NDArray[np.float64],
    shown: NDArray[np.float64],
    captured: NDArray[np.float64],
) -> str:
    if np.ptp(captured, axis=0).max() < 1e-3:
        return f"the model knows one {name} only, {_text(shown)}; the image shows that one"
    most = vectors_to_angles(captured)[0].max()
    if vectors_to_angles(asked)[0] > most + _TOLERANCE:
        reason = f"the captured {name}s reach theta {most:.4g}"
    else:
        reason = f"the captured {name}s do not vary in the direction of {_text(asked)}"
    return f"{reason}; the image shows {name} {_text(shown)}"


def _text(vector: NDArray[np.float64]) -> str:
    """``THETA,PHI`` as they are asked for."""
    theta, phi = (float(angle) for angle in vectors_to_angles(vector))
    return f"{theta:.4g},{round(phi, 2) % 360:g}" if theta >= 0.01 else "0,0"
