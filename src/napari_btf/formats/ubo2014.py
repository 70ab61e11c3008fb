"""BTF files of the University of Bonn (UBO2014 and others), a matrix factorisation in one file.

The kinds that are read, by the characters a file starts with:

- ``!DFMF08FCR``: decorrelated full matrix factorisation, one factorisation per channel of a
  colour model;
- ``!FMF12FCER``, ``!FMF06FCR``, ``!FMF06FC``: full matrix factorisation, one for all channels.

All values are little-endian, without padding; integers have 32 bits and no sign::

    signature
    size of the description up to the directions, version (1 to 4)
    setup, sensor, light source       3 x 80 characters
    pixels per mm, factors of R, G, B 4 float32
    version > 1: cosine included?     integer
    version > 2: measurement (XML)    length, characters
    version > 3: channels             number, then length and characters of each name
    views                             number, then of each view:
        theta, phi                    2 float32, radians
        lights                        number, then theta, phi of each
    width, height                     2 integers
    signature ends in R: rotations    number, then 9 float32 each
    DFMF: components, colour model    2 integers
          mean, matrix of the colours 3 + 9 float32
          factors of each channel
    FMF:  with E in the signature: version (1 byte)
              version > 0: logarithm taken?  integer
              version > 1: height map        width, height, float16 values
          components                  integer
          factors of all channels

    factors: bytes of a value (1 byte: 2, 4 or 8), components K, rows M, columns N
             S (K), U (M x K), V S (N x K), row after row

Of U and V S, one has a row per texel, the other a row per observation: the lights of the first
view, then those of the next (if both sizes fit either way, U is the one of the observations). In
FMF files U has a row per channel of each, one after the other. A value is the scalar product of
two rows, then

- colour model 0 (RGB): itself;
- 11 (log Y, U/Y, V/Y): with e = 1e-5, Y = exp(v0) - e, U = v1 (Y + e), V = v2 (Y + e), and
  RGB from YUV;
- 12 (log RGB), and FMF with the logarithm taken: exp(v) - e.

Values are linear, may exceed 1, and are not clipped. Whether the cosine of the light's polar
angle is in them is up to the file; it is neither multiplied nor divided.

**Rows.** The first row of the file is the top of the image, so nothing is flipped: the
university's own library shows it there (in MATLAB, whose images begin at the top) and fills it
from the first row of OpenEXR images. The reader ``btf.hh``, and with it the Python package
btf-extractor, turns the images over to count rows from the bottom; its own example writes them
to a TGA file from the bottom up, so that the file's first row is the top there, too.

References
----------
The data: M. Weinmann, J. Gall and R. Klein, "Material Classification Based on Training Data
Synthesized Using a BTF Database", ECCV 2014. The factorisations: G. Müller, "Data-Driven Methods
for Compression and Editing of Spatially Varying Appearance", dissertation, University of Bonn,
2009. The layout of the files: https://github.com/cgbonn/btflib, the university's library; and
https://github.com/zeroeffects/btf by Z. Velinov.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.btf import BTF
from napari_btf.errors import CaptureError
from napari_btf.formats._binary import COPY_AGAIN
from napari_btf.formats._ubo2014_header import LOG_RGB, LOG_Y_UV_BY_Y, read_header

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.formats._ubo2014_header import Factor, Header, Matrix

__all__ = ["read", "recognises"]

_FAMILIES = (b"!DFMF", b"!FMF", b"!PVF", b"!BDI")
_EPSILON = 1e-5
"""What was added to a value before its logarithm was taken."""
_YUV_TO_RGB = np.array(
    [[1.0, 0.0, 1.13983], [1.0, -0.39465, -0.58060], [1.0, 2.03211, 0.0]], dtype=np.float32
)
_BLOCK_VALUES = 1 << 18
"""Values of a factor that are converted at a time: few enough to stay in the cache."""


def recognises(path: Path) -> bool:
    """Whether a file starts like a BTF of the University of Bonn, of whatever kind."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(max(map(len, _FAMILIES)))
        return head.startswith(_FAMILIES) or (head[:1] == b"!" and path.suffix.lower() == ".btf")
    except Exception:
        # Asked of anything a user drops on the viewer: an unreadable path is not ours.
        return False


def read(path: Path) -> BTF:
    """Open a BTF file of the University of Bonn.

    The header is read and checked now; an image is computed from the factors when asked for.

    Returns
    -------
    BTF
        Observations in float32, one per (view, light) pair in the order of the file: the
        lights of the first view, then those of the next.

    Raises
    ------
    CaptureError
        The file is of a kind or colour model that is not read, is damaged, or is shorter than
        it says.
    """
    header = read_header(path)
    return BTF(
        frames=_Frames(path, header),
        light=header.light,
        view=header.view,
        source=str(path),
        format=f"UBO2014 {header.signature[1:]}",
        notes=header.notes,
    )


class _Frames:
    """The observations as one lazy (N, H, W, C) array; the unit of decoding is one image."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.header = header
        self.dtype = np.dtype(np.float32)
        self.shape = (len(header.light), header.height, header.width, header.channels)

    def __getitem__(self, i: int, /) -> NDArray[np.float32]:
        """Observation ``i`` as (H, W, C)."""
        content = self._map()
        observations, height, width, _ = self.shape
        with np.errstate(all="ignore"):
            parts = [
                _product(content, factor, i, observations).reshape(height * width, -1)
                for factor in self.header.factors
            ]
            values = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
            values = _to_rgb(values, self.header.colour_model)
        if not np.isfinite(values).all():
            raise CaptureError(
                self.path, f"observation {i} has values that are not finite", COPY_AGAIN
            )
        return values.reshape(self.shape[1:])

    def _map(self) -> NDArray[np.uint8]:
        """The file's bytes, mapped into memory anew: no open file outlives an image."""
        try:
            changed = self.path.stat().st_size != self.header.file_size
            content = None if changed else np.memmap(self.path, dtype=np.uint8, mode="r")
        except (OSError, ValueError) as error:
            message = getattr(error, "strerror", None) or error
            raise CaptureError(self.path, f"it cannot be read ({message})", COPY_AGAIN) from error
        if content is None or content.size != self.header.file_size:
            raise CaptureError(self.path, "the file changed since it was opened", "open it again")
        return content


def _matrix(content: NDArray[np.uint8], matrix: Matrix) -> NDArray[Any]:
    """A matrix of the file as it is stored, without reading it."""
    size = matrix.rows * matrix.columns * matrix.dtype.itemsize
    stored: NDArray[Any] = content[matrix.offset : matrix.offset + size].view(matrix.dtype)
    return stored.reshape(matrix.rows, matrix.columns)


def _product(
    content: NDArray[np.uint8], factor: Factor, i: int, observations: int
) -> NDArray[np.float32]:
    """Values of all texels in observation ``i``, in the order texel, channel.

    Computed in single precision but for factors in double precision.
    """
    texels, weights = _matrix(content, factor.texels), _matrix(content, factor.observations)
    dtype = np.dtype(np.float64 if texels.dtype.itemsize == 8 else np.float32)
    used = slice(factor.components)
    channels = len(weights) // observations
    own = weights[channels * i : channels * (i + 1), used].astype(dtype).T
    out = np.empty((len(texels), channels), dtype=np.float32)
    step = max(1, _BLOCK_VALUES // factor.components)
    for start in range(0, len(texels), step):
        block = slice(start, start + step)
        out[block] = texels[block, used].astype(dtype) @ own
    return out


def _to_rgb(values: NDArray[np.float32], model: int) -> NDArray[np.float32]:
    """Linear RGB of (texels, channels) values in a colour model."""
    if model == LOG_RGB:
        return np.exp(values) - np.float32(_EPSILON)
    if model == LOG_Y_UV_BY_Y:
        values[:, 0] = np.exp(values[:, 0])
        values[:, 1:] *= values[:, :1]
        values[:, 0] -= _EPSILON
        return values @ _YUV_TO_RGB.T
    return values
