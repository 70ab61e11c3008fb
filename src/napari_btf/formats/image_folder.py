"""Folders (or zip archives) of images whose names carry their angles.

Known names, in degrees:

- ``NNNNN tlTTT plPPP tvTTT pvPPP.jpg`` (Bonn UBO2003), in one folder or one folder per view;
- ``img_tv0_pv0_tl15_pl0.jpg``.

tl, pl are theta and phi of the light, tv, pv of the view. The keys may stand in any order.
"""

from __future__ import annotations

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_btf.btf import BTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import CaptureError
from napari_btf.formats._files import image_names, iter_image_names, read_bytes
from napari_btf.formats._images import ImageFileError, ImageHeader, decode, header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Angles", "parse_angles", "read", "recognises"]

KNOWN_NAMES = '"00000 tl000 pl000 tv000 pv000.jpg" or "img_tv0_pv0_tl15_pl0.jpg"'

_KEY = re.compile(r"(?<![A-Za-z])(tl|pl|tv|pv)(-?\d+(?:\.\d+)?)(?![A-Za-z\d])", re.IGNORECASE)
_HEADER_BYTES = 1 << 16
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
        first = ", ".join(f'"{name}"' for name in names[:3])
        raise CaptureError(
            path,
            f"no image name carries the light and view angles (found {first})",
            f"rename the images like {KNOWN_NAMES} "
            "(t = theta, p = phi, l = light, v = view; degrees)",
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
    kept = list(parsed)
    shape, alpha = _common_header(path, kept)
    if alpha:
        notes.append("the alpha channel of the images was left out")

    import dask.array as da

    source = _Frames(path, kept, shape)
    angles_of = np.array(list(parsed.values()), dtype=np.float64)
    return BTF(
        frames=da.from_array(
            source, chunks=(1, *source.shape[1:]), asarray=False, meta=source.meta
        ),
        light=angles_to_vectors(angles_of[:, 0], angles_of[:, 1]),
        view=angles_to_vectors(angles_of[:, 2], angles_of[:, 3]),
        source=str(path),
        format="image folder" if path.is_dir() else "zip of images",
        notes=tuple(notes),
    )


def _check_range(path: Path, name: str, angles: Angles) -> None:
    for key, theta in (("tl", angles.theta_light), ("tv", angles.theta_view)):
        if not -90.0 <= theta <= 90.0:
            raise CaptureError(
                path / name,
                f"{key} is {theta:g} degrees, a polar angle lies between -90 and 90",
                "correct the name or move the image away",
            )


def _common_header(path: Path, names: Sequence[str]) -> tuple[ImageHeader, bool]:
    """The header all images share, and whether any has an alpha channel."""
    with ThreadPoolExecutor(4) as pool:
        headers = list(pool.map(lambda name: _header(path, name), names))
    # The odd ones out are named, not the majority.
    shapes: dict[tuple[Any, ...], int] = {}
    for found in headers:
        shapes[found[:4]] = shapes.get(found[:4], 0) + 1
    usual = max(shapes, key=lambda shape: shapes[shape])
    for name, found in zip(names, headers, strict=True):
        if found[:4] != usual:
            raise CaptureError(
                path / name,
                f"the image is {_describe(found[:4])}, the other images are {_describe(usual)}",
                "all images of a capture need one size and type; convert it or move it away",
            )
    return headers[0], any(found.has_alpha for found in headers)


def _describe(shape: tuple[Any, ...]) -> str:
    height, width, channels, dtype = shape
    return f"{width} x {height} {'grey' if channels == 1 else 'RGB'} {dtype.itemsize * 8} bit"


def _header(path: Path, name: str) -> ImageHeader:
    try:
        start = read_bytes(path, name, _HEADER_BYTES)
        try:
            return header(start)
        except ImageFileError:
            if len(start) < _HEADER_BYTES:
                raise
            return header(start, read_bytes(path, name))
    except ImageFileError as problem:
        raise _unreadable(path, name, f"the image {problem}") from problem
    except OSError as error:
        raise _unreadable(path, name, f"it cannot be read ({error.strerror or error})") from error


def _unreadable(path: Path, name: str, problem: str) -> CaptureError:
    return CaptureError(path / name, problem, "copy it again from the original or move it away")


class _Frames:
    """The images as one lazy (N, H, W, C) array; the unit of reading is one image."""

    def __init__(self, root: Path, names: Sequence[str], found: ImageHeader) -> None:
        self.root = root
        self.names = list(names)
        self.dtype = found.dtype
        self.shape = (len(self.names), found.height, found.width, found.channels)
        self.ndim = 4
        self.meta = np.empty((0, 0, 0, 0), dtype=self.dtype)

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[Any]:
        # dask asks with slices, or with integers for the axes that are to go.
        chosen = self.names[key[0]]
        if isinstance(chosen, str):
            return np.asarray(self._read(chosen)[key[1:]])
        return np.stack([self._read(name)[key[1:]] for name in chosen])

    def _read(self, name: str) -> NDArray[Any]:
        try:
            pixels = decode(read_bytes(self.root, name))
        except ImageFileError as problem:
            raise _unreadable(self.root, name, f"the image {problem}") from problem
        except OSError as error:
            message = f"it cannot be read ({error.strerror or error})"
            raise _unreadable(self.root, name, message) from error
        if pixels.shape != self.shape[1:] or pixels.dtype != self.dtype:
            raise _unreadable(self.root, name, "the image changed since the capture was opened")
        return pixels
