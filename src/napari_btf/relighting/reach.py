"""The directions a model covers, and notes on requests outside of them or far between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.directions import Angles, angle_between, angles_to_vectors, vectors_to_angles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec import CompressedBTF

__all__ = ["default_view", "differences", "differences_along", "limits", "outside"]

#: Largest angle in degrees between the requested and the shown direction that needs no note: the
#: accuracy of a measuring rig.
_TOLERANCE = 0.15
#: Largest angle in degrees to the nearest captured direction that needs no note: further away, as
#: in the middle of a ring of lights, smoothness alone says what the surface looks like.
_GAP = 30.0


def default_view(model: CompressedBTF) -> Angles:
    """Return (theta, phi) in degrees of the captured view nearest to the normal."""
    theta, phi = vectors_to_angles(model.view[np.argmax(model.view[:, 2])])
    return float(theta), float(phi)


def limits(model: CompressedBTF) -> tuple[float, float]:
    """Return the largest theta of the captured lights and of the captured views, in degrees."""
    light, view = vectors_to_angles(model.light)[0], vectors_to_angles(model.view)[0]
    return float(light.max()), float(view.max())


def outside(model: CompressedBTF, light: Angles | None, view: Angles | None = None) -> str | None:
    """Return one sentence on how the shown directions differ from the requested or captured ones.

    Return None if they do not differ; see `differences`.
    """
    return ", and ".join(differences(model, light, view)) or None


def differences(
    model: CompressedBTF, light: Angles | None, view: Angles | None = None
) -> list[str]:
    """Describe how the directions of an image differ from the requested or the captured ones.

    Parameters
    ----------
    model : CompressedBTF
    light, view : (theta, phi) or None
        The requested directions in degrees. None stands for a captured light or the default view,
        and never gives a note.

    Returns
    -------
    list of str
        A note on the light, on the view, on both or on neither, each without a full stop.
    """
    lit = model.light[0] if light is None else angles_to_vectors(*light)
    seen = angles_to_vectors(*(default_view(model) if view is None else view))
    shown = model.shown(lit, seen)
    found = []
    for name, given, asked, got, captured in (
        ("light", light, lit, shown[0], model.light),
        ("view", view, seen, shown[1], model.view),
    ):
        if given is None:
            continue
        if angle_between(asked, got) > _TOLERANCE:
            found.append(_difference(name, asked, got, captured))
        elif (apart := _apart(asked, captured)) > _GAP:
            found.append(f"the nearest captured {name} is {apart:.0f}° away; this is a guess")
    return found


def differences_along(
    model: CompressedBTF, light: NDArray[np.float64], view: NDArray[np.float64] | None = None
) -> list[str]:
    """Describe how the directions of a movie's frames differ from the requested ones.

    Parameters
    ----------
    model : CompressedBTF
    light : ndarray, shape (F, 3)
        Unit vectors, one per frame.
    view : ndarray, shape (F, 3), optional
        Unit vectors, one per frame; the default view if not given, which never gives a note.

    Returns
    -------
    list of str
        At most one note on the lights and one on the views; compare `differences`.
    """
    seen = angles_to_vectors(*default_view(model)) if view is None else view
    pairs = light, np.broadcast_to(seen, light.shape)
    shown = model.shown(*pairs)
    found = []
    for name, asked, got, captured in zip(
        ("light", "view"), pairs, shown, (model.light, model.view), strict=True
    ):
        off = angle_between(asked, got) > _TOLERANCE
        if off.any() and not (name == "view" and view is None):
            # The most grazing direction gives the reason.
            reason = _reason(name, asked[off][np.argmin(asked[off][:, 2])], captured)
            found.append(
                f"{reason}; {off.sum()} of {len(off)} frames show the nearest possible {name}"
            )
        far = np.array([_apart(direction, captured) for direction in asked])
        guessed = ~off & (far > _GAP)
        if guessed.any() and not (name == "view" and view is None):
            found.append(
                f"{guessed.sum()} of {len(off)} frames are a guess, up to"
                f" {far[guessed].max():.0f}° away from the nearest captured {name}"
            )
    return found


def _apart(direction: NDArray[np.float64], captured: NDArray[np.float64]) -> float:
    """Return the angle in degrees between a direction and the nearest captured one."""
    return float(np.min(angle_between(captured, direction)))


def _difference(
    name: str,
    asked: NDArray[np.float64],
    shown: NDArray[np.float64],
    captured: NDArray[np.float64],
) -> str:
    which = _text(shown) if _varies(captured) else "that one"
    return f"{_reason(name, asked, captured)}; showing {which}"


def _reason(name: str, asked: NDArray[np.float64], captured: NDArray[np.float64]) -> str:
    if not _varies(captured):
        return f"only one {name} was captured, {_text(captured[0])}"
    most = vectors_to_angles(captured)[0].max()
    if vectors_to_angles(asked)[0] > most + _TOLERANCE:
        return f"{name}s were captured up to {most:.4g}° from the normal"
    return f"the captured {name}s do not vary in the direction of {_text(asked)}"


def _varies(captured: NDArray[np.float64]) -> bool:
    return bool(np.ptp(captured, axis=0).max() >= 1e-3)


def _text(vector: NDArray[np.float64]) -> str:
    """Write the angles theta and phi of a direction."""
    theta, phi = (float(angle) for angle in vectors_to_angles(vector))
    return f"{theta:.4g}°, {round(phi, 2) % 360:g}°" if theta >= 0.01 else "0°, 0°"
