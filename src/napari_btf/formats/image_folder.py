"""Folders (or zip archives) of images whose names carry their angles.

Known names, in degrees:

- ``NNNNN tlTTT plPPP tvTTT pvPPP.jpg`` (Bonn UBO2003), in one folder or one folder per view;
- ``img_tv0_pv0_tl15_pl0.jpg``.

tl, pl are theta and phi of the light, tv, pv of the view. The keys may stand in any order.
"""

from __future__ import annotations

import itertools
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.btf import BTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import CaptureError
from napari_btf.formats._files import image_names, iter_image_names, light_files, quoted
from napari_btf.formats._frames import lazy_frames

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Angles", "parse_angles", "read", "recognises"]

KNOWN_NAMES = '"00000 tl000 pl000 tv000 pv000.jpg" or "img_tv0_pv0_tl15_pl0.jpg"'

_KEY = re.compile(r"(?<![A-Za-z])(tl|pl|tv|pv)(-?\d+(?:\.\d+)?)(?![A-Za-z\d])", re.IGNORECASE)
_LOOK_AT_MOST = 2000


class Angles(NamedTuple):
    """Light and view angles of one image, degrees."""

    theta_light: float
    phi_light: float
    theta_view: float
    phi_view: float


def parse_angles(name: str) -> Angles | None:
    """Angles in an image name, or None if the four keys are not there once each.

    Parameters
    ----------
    name : str
        File name, with or without folders and extension. A key missing in the file's own
        name is looked for in the names of its folders.
    """
    path = PurePosixPath(name)
    found: dict[str, float] = {}
    for part in (path.stem, *reversed(path.parent.parts)):
        keys = [(key.lower(), float(value)) for key, value in _KEY.findall(part)]
        if len({key for key, _ in keys}) != len(keys):
            return None
        for key, value in keys:
            found.setdefault(key, value)
    if len(found) != 4:
        return None
    return Angles(found["tl"], found["pl"], found["tv"], found["pv"])


def recognises(path: Path) -> bool:
    """Whether some of the first names below a folder or in a zip carry angles."""
    try:
        if not (path.is_dir() or path.suffix.lower() == ".zip"):
            return False
        names = itertools.islice(iter_image_names(path), _LOOK_AT_MOST)
        return any(parse_angles(name) is not None for name in names)
    except Exception:
        # Asked of anything a user drops on the viewer: an unreadable path is not ours.
        return False


def read(path: Path) -> BTF:
    """Open a folder or zip archive of images named with their angles.

    Names and image headers are checked now, pixels are read when asked for.

    Raises
    ------
    CaptureError
        No images, no angles in any name, an angle out of range, an unreadable image, or
        images of different sizes.
    """
    names = image_names(path)
    if not names:
        raise CaptureError(path, "there is no image in it", f"expected images named {KNOWN_NAMES}")
    parsed = {name: angles for name in names if (angles := parse_angles(name)) is not None}
    if not parsed:
        raise CaptureError(
            path,
            f"no image name carries the light and view angles (found {quoted(names)})",
            f"rename the images like {KNOWN_NAMES} "
            "(t = theta, p = phi, l = light, v = view; degrees), "
            "or add the .lp file of an RTI capture",
        )
    for name, angles in parsed.items():
        _check_range(path, name, angles)
    notes = []
    left_out = [name for name in names if name not in parsed]
    if left_out:
        notes.append(
            f"{len(left_out)} images without angles in their names were left out, "
            f'the first is "{left_out[0]}"'
        )
    for name in light_files(path)[:1]:
        remedy = "; open the .lp file itself to use it" if path.is_dir() else ""
        notes.append(f'"{name}" was not used, the image names carry the angles{remedy}')
    frames, more_notes = lazy_frames(path, list(parsed))
    angles_of = np.array(list(parsed.values()), dtype=np.float64)
    return BTF(
        frames=frames,
        light=angles_to_vectors(angles_of[:, 0], angles_of[:, 1]),
        view=angles_to_vectors(angles_of[:, 2], angles_of[:, 3]),
        source=str(path),
        format="image folder" if path.is_dir() else "zip of images",
        notes=(*notes, *more_notes),
    )


def _check_range(path: Path, name: str, angles: Angles) -> None:
    for key, theta in (("tl", angles.theta_light), ("tv", angles.theta_view)):
        if not -90.0 <= theta <= 90.0:
            raise CaptureError(
                path / name,
                f"{key} is {theta:g} degrees, a polar angle lies between -90 and 90",
                "correct the name or move the image away",
            )
