"""The header of a UBO2014 ``.btf`` file, and the positions of its matrices.

All positions and sizes are checked against the size of the file before anything is read or
allocated.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_btf.btf.physical_size import is_size
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import CaptureError
from napari_btf.formats.ubo2014.cursor import COPY_AGAIN, Cursor

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "LOG_RGB",
    "LOG_Y_UV_BY_Y",
    "RGB",
    "SIGNATURES",
    "Factor",
    "Header",
    "Matrix",
    "read_header",
]

#: Supported signatures; the first that matches the start of a file is used.
SIGNATURES = ("!DFMF08FCR", "!FMF12FCER", "!FMF06FCR", "!FMF06FC")

#: Supported colour models, by their number in the file.
RGB, LOG_Y_UV_BY_Y, LOG_RGB = 0, 11, 12

_FAMILIES = {"!PVF": "a factorisation per view", "!BDI": "uncompressed images"}
_OTHER_COLOUR_MODELS = {
    1: "YUV",
    2: "Lab",
    3: "principal components",
    4: "YCoCg",
    5: "spectral",
    6: "linear spectral",
    9: "log Y, U, V",
    10: "log Y, log U, log V",
}
_SCALARS: dict[int, np.dtype[Any]] = {2: np.dtype("<f2"), 4: np.dtype("<f4"), 8: np.dtype("<f8")}
_NAMES_BYTES = 3 * 80
"""Bytes of the names of setup, sensor and light source, 80 characters each."""
_LARGEST_THETA = 90.01
"""Degrees; more than 90, because pi / 2 in single precision is slightly too large."""


class Matrix(NamedTuple):
    """Position, shape and type of a matrix in the file, stored row by row."""

    offset: int
    rows: int
    columns: int
    dtype: np.dtype[Any]


class Factor(NamedTuple):
    """Two matrices whose product ``texels @ observations.T`` gives the values of a BTF."""

    texels: Matrix
    """Shape (texels, K), or (texels * channels, K) if it contains all channels."""
    observations: Matrix
    """Shape (observations, K), or (observations * channels, K) if it contains all channels."""
    components: int
    """Number of columns to use, at most K."""


class Header(NamedTuple):
    """The contents of a file's header."""

    signature: str
    file_size: int
    light: NDArray[np.float64]
    """Unit vectors, shape (N, 3), one per observation in the order of the file."""
    view: NDArray[np.float64]
    """Unit vectors, shape (N, 3), in the same order."""
    height: int
    width: int
    channels: int
    """1 or 3."""
    colour_model: int
    """`RGB`, `LOG_Y_UV_BY_Y` or `LOG_RGB`."""
    factors: tuple[Factor, ...]
    """One factor for all channels, or one per channel."""
    notes: tuple[str, ...]
    """Sentences about contents of the file that are not used."""
    mm_per_texel: float | None
    """From the pixels per millimetre that it states; None if that is 0 or out of range."""


def read_header(path: Path) -> Header:
    """Read everything in a file except the values of the factors.

    Raises
    ------
    CaptureError
        If the file cannot be opened, is of an unsupported kind, is damaged or truncated.
    """
    try:
        with path.open("rb") as file:
            return _read(Cursor(path, file))
    except OSError as error:
        raise CaptureError(
            path, f"it cannot be read ({error.strerror or error})", "check the file"
        ) from error


def _read(cursor: Cursor) -> Header:
    signature = _read_signature(cursor)
    notes: list[str] = []
    channels, mm_per_texel = _read_description(cursor, notes)
    light, view = _read_directions(cursor)
    cursor.part = "header"
    width, height = cursor.integer(), cursor.integer()
    if not width or not height:
        raise cursor.error(f"the images are {width} x {height} texels")
    if signature.endswith("R"):
        rotations = cursor.integer()
        cursor.skip(36 * rotations)
        if rotations:
            notes.append(f"{rotations} rotations of local coordinate frames were left out")
    texels, observations = height * width, len(light)
    if signature.startswith("!DFMF"):
        colour_model = _read_colour_model(cursor, channels)
        factors = [_read_factor(cursor, texels, observations) for _ in range(channels)]
    else:
        extended = signature == "!FMF12FCER"
        colour_model = _read_range_reduction(cursor, notes) if extended else RGB
        components = cursor.integer()
        factors = [_read_factor(cursor, texels, observations, channels, components)]
    if cursor.left:
        notes.append(f"{cursor.left} bytes after the last factor were left out")
    return Header(
        signature=signature,
        file_size=cursor.size,
        light=light,
        view=view,
        height=height,
        width=width,
        channels=channels,
        colour_model=colour_model,
        factors=tuple(factors),
        notes=tuple(notes),
        mm_per_texel=mm_per_texel,
    )


def _read_signature(cursor: Cursor) -> str:
    head = cursor.file.read(max(map(len, SIGNATURES)))
    text = head.decode("ascii", "replace")
    known = " or ".join(SIGNATURES)
    if not head:
        raise cursor.error("the file is empty")
    if not text.startswith("!"):
        raise cursor.error(
            f"it is not a BTF of the University of Bonn (it starts with {head!r})",
            f"such a file starts with {known}",
        )
    signature = next((known for known in SIGNATURES if text.startswith(known)), None)
    if signature is None:
        family = next((_FAMILIES[key] for key in _FAMILIES if text.startswith(key)), "")
        found = "".join(letter if letter.isprintable() else "?" for letter in text)
        raise cursor.error(
            f'BTF files of the kind "{found}"{f" ({family})" if family else ""} are not read',
            f"export it as {known}",
        )
    if signature == "!FMF06FCR":
        # "R" may also be the first byte of the size that follows "!FMF06FC". The next field, the
        # version, decides.
        cursor.file.seek(len(signature) + 4)
        if cursor.file.read(4) not in (struct.pack("<I", version) for version in range(1, 5)):
            signature = "!FMF06FC"
    cursor.file.seek(len(signature))
    return signature


def _read_description(cursor: Cursor, notes: list[str]) -> tuple[int, float | None]:
    """Read the description of the measurement; return channels, and millimetres per texel."""
    start = cursor.file.tell()
    size, version = cursor.integer(), cursor.integer()
    if not 1 <= version <= 4:
        raise cursor.error(
            f"its header is of version {version}, versions 1 to 4 are known",
            f"{COPY_AGAIN} or export it again",
        )
    cursor.skip(_NAMES_BYTES)
    per_mm = float(cursor.floats(1)[0])
    mm_per_texel = 1 / per_mm if per_mm > 0 else 0.0
    # Three colour factors are skipped, as no known reader uses them.
    cursor.skip(12)
    if version > 1 and cursor.integer():
        notes.append("the values contain the cosine of the light's polar angle")
    if version > 2:
        cursor.skip(cursor.integer())
    channels = 3
    if version > 3:
        channels = cursor.integer()
        cursor.require(4 * channels)
        for _ in range(channels):
            cursor.skip(cursor.integer())
    if cursor.file.tell() != start + size:
        raise cursor.error(
            f"its header takes {cursor.file.tell() - start} bytes, but states {size}"
        )
    if channels not in (1, 3):
        raise cursor.error(
            f"it has {channels} channels, only grey and RGB captures are read",
            "export it with 1 or 3 channels",
        )
    return channels, mm_per_texel if is_size(mm_per_texel) else None


def _read_directions(cursor: Cursor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read light and view vectors of all observations; each view has its own list of lights."""
    cursor.part = "list of directions"
    views = cursor.integer()
    cursor.require(12 * views)
    light, view = [], []
    for _ in range(views):
        angles = cursor.floats(2)
        light.append(cursor.floats(2 * cursor.integer()).reshape(-1, 2))
        view.append(np.broadcast_to(angles, light[-1].shape))
    if not sum(map(len, light)):
        raise cursor.error("it has no observations")
    return _vectors(cursor, "light", light), _vectors(cursor, "view", view)


def _vectors(cursor: Cursor, name: str, angles: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Convert (theta, phi) in radians to unit vectors; raise a CaptureError if out of range."""
    degrees = np.rad2deg(np.concatenate(angles))
    wrong = ~(np.isfinite(degrees).all(axis=1) & (np.abs(degrees[:, 0]) <= _LARGEST_THETA))
    if wrong.any():
        i = int(np.argmax(wrong))
        theta, phi = degrees[i]
        raise cursor.error(
            f"the {name} of observation {i} has theta {theta:g} and phi {phi:g} degrees, "
            "a polar angle lies between -90 and 90"
        )
    return angles_to_vectors(degrees[:, 0], degrees[:, 1])


def _read_colour_model(cursor: Cursor, channels: int) -> int:
    cursor.part = "colour model"
    cursor.integer()
    model = cursor.integer()
    if model not in (RGB, LOG_Y_UV_BY_Y, LOG_RGB):
        name = _OTHER_COLOUR_MODELS.get(model, "unknown")
        raise cursor.error(
            f"its colour model is {model} ({name}), only 0 (RGB), 11 (log Y, U/Y, V/Y) and "
            "12 (log RGB) are read",
            "export it with one of these",
        )
    if model == LOG_Y_UV_BY_Y and channels != 3:
        raise cursor.error("its colour model is 11 (log Y, U/Y, V/Y) but it has one channel")
    # Mean and matrix of the principal components are skipped, as only model 3 uses them.
    cursor.skip(12 + 36)
    return model


def _read_range_reduction(cursor: Cursor, notes: list[str]) -> int:
    """Read the additional fields of "!FMF12FCER" and return the colour model they imply."""
    cursor.part = "extended header"
    version = cursor.take(1)[0]
    if version > 2:
        raise cursor.error(
            f"its extended header is of version {version}, versions 0 to 2 are known",
            f"{COPY_AGAIN} or export it again",
        )
    logarithmic = version >= 1 and cursor.integer() != 0
    if version == 2:
        width, height = cursor.integer(), cursor.integer()
        cursor.skip(2 * width * height)
        if width * height:
            notes.append(f"a height map of {width} x {height} values was left out")
    return LOG_RGB if logarithmic else RGB


def _read_factor(
    cursor: Cursor,
    texels: int,
    observations: int,
    channels: int = 1,
    components: int | None = None,
) -> Factor:
    """Locate the two matrices of one factorisation and check their sizes, not their values.

    Parameters
    ----------
    texels, observations, channels : int
        The counts that the rows of the two matrices must match.
    components : int, optional
        Maximum number of components to use; all stored ones by default.
    """
    cursor.part = "factors"
    scalar = cursor.take(1)[0]
    if scalar not in _SCALARS:
        raise cursor.error(f"its factors have values of {scalar} bytes, expected 2, 4 or 8")
    stored, rows, columns = cursor.integer(), cursor.integer(), cursor.integer()
    used = stored if components is None else min(stored, components)
    if not used:
        raise cursor.error("its factors have no components")
    dtype = _SCALARS[scalar]
    # The singular values come first. They are skipped, because the second matrix includes them.
    first = Matrix(cursor.file.tell() + scalar * stored, rows, stored, dtype)
    second = Matrix(first.offset + scalar * stored * rows, columns, stored, dtype)
    if (rows, columns) == (channels * observations, texels):
        factor = Factor(texels=second, observations=first, components=used)
    elif (rows, columns) == (channels * texels, observations):
        factor = Factor(texels=first, observations=second, components=used)
    else:
        raise cursor.error(
            f"its factors have {rows} and {columns} rows, "
            f"expected {channels * observations} and {texels}"
        )
    cursor.skip(scalar * stored * (1 + rows + columns))
    return factor
