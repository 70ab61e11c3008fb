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
from napari_btf.formats.ubo2014.cursor import COPY_AGAIN
from napari_btf.formats.ubo2014.header import LOG_RGB, LOG_Y_UV_BY_Y, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.formats.capture_files import ReadOptions
    from napari_btf.formats.ubo2014.header import Factor, Header, Matrix

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


def read(path: Path, options: ReadOptions | None = None) -> BTF:
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
    frames = _Frames(path, header)
    return BTF(
        frames=frames,
        light=header.light,
        view=header.view,
        source=str(path),
        format=f"UBO2014 {header.signature[1:]}",
        notes=header.notes,
        gatherer=frames,
    )


class _Frames:
    """The observations as one lazy (N, H, W, C) array, and a way to the texels of all of them.

    Parameters
    ----------
    path : Path
    header : Header
    observations : ndarray of int, optional
        Which ones, by their index in the file; all by default.
    """

    def __init__(
        self, path: Path, header: Header, observations: NDArray[np.intp] | None = None
    ) -> None:
        self.path = path
        self.header = header
        self.observations = np.arange(len(header.light)) if observations is None else observations
        self.dtype = np.dtype(np.float32)
        self.shape = (len(self.observations), header.height, header.width, header.channels)

    @property
    def frames(self) -> _Frames:
        """The observations: a gatherer of its own frames."""
        return self

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Any observations may be read together, which computes them several times faster."""
        return ((1,) * len(self.observations), *((length,) for length in self.shape[1:]))

    def select(self, observations: NDArray[np.intp]) -> _Frames:
        """Some of these observations, by their index among them."""
        return _Frames(self.path, self.header, self.observations[observations])

    def __getitem__(self, key: int | slice, /) -> NDArray[np.float32]:
        """Observations (H, W, C), or (n, H, W, C) of a slice."""
        which = np.atleast_1d(self.observations[key])
        texels = self.shape[1] * self.shape[2]
        flat = np.empty((len(which), texels, self.shape[3]), dtype=np.float32)
        for block, values in self._blocks(np.arange(texels), which):
            flat[:, block] = values.transpose(1, 0, 2)
        images = flat.reshape(-1, *self.shape[1:])
        return images if isinstance(key, slice) else np.asarray(images[0])

    def gather(self, yx: NDArray[np.intp], out: NDArray[Any]) -> Iterator[tuple[int, int]]:
        """Fill ``out`` (T, N, C) with the ABRDFs at ``yx`` (T, 2); yields (done, to do)."""
        texels = yx[:, 0] * self.shape[2] + yx[:, 1]
        for block, values in self._blocks(texels, self.observations):
            out[block] = values
            yield block.stop, len(texels)

    def _blocks(
        self, texels: NDArray[np.intp], observations: NDArray[np.intp]
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Values (texels, observations, C) of some texels, so many at a time."""
        content = self._map()
        total = self.shape[1] * self.shape[2]
        widest = max(factor.components for factor in self.header.factors)
        columns = max(widest, len(observations) * self.shape[3])
        step = max(1, _BLOCK_VALUES // columns)
        weights = [
            _weights(content, factor, observations, len(self.header.light))
            for factor in self.header.factors
        ]
        for start in range(0, len(texels), step):
            block = slice(start, min(start + step, len(texels)))
            with np.errstate(all="ignore"):
                parts = [
                    _product(content, factor, texels[block], own, len(observations), total)
                    for factor, own in zip(self.header.factors, weights, strict=True)
                ]
                flat = np.concatenate(parts, axis=2).reshape(-1, self.shape[3])
                flat = _to_rgb(flat, self.header.colour_model)
            values = flat.reshape(-1, len(observations), self.shape[3])
            self._check(values, observations)
            yield block, values

    def _check(self, values: NDArray[np.float32], observations: NDArray[np.intp]) -> None:
        if not np.isfinite(values).all():
            worst = observations[~np.isfinite(values).all(axis=(0, 2))][0]
            raise CaptureError(
                self.path, f"observation {worst} has values that are not finite", COPY_AGAIN
            )

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


def _precision(factor: Factor) -> np.dtype[Any]:
    """Single precision but for factors in double precision."""
    return np.dtype(np.float64 if factor.texels.dtype.itemsize == 8 else np.float32)


def _weights(
    content: NDArray[np.uint8], factor: Factor, observations: NDArray[np.intp], total: int
) -> NDArray[Any]:
    """What the texels of a factor are multiplied by: (components, observations x channels)."""
    stored = _matrix(content, factor.observations)
    rows = stored.reshape(total, -1, stored.shape[1])[observations, :, : factor.components]
    return rows.reshape(-1, factor.components).astype(_precision(factor)).T


def _product(
    content: NDArray[np.uint8],
    factor: Factor,
    texels: NDArray[np.intp],
    weights: NDArray[Any],
    observations: int,
    total: int,
) -> NDArray[np.float32]:
    """Values (texels, observations, channels) of a factor, of some of ``total`` texels."""
    stored = _matrix(content, factor.texels)
    rows = stored.reshape(total, -1, stored.shape[1])[texels, :, : factor.components]
    values = rows.reshape(-1, factor.components).astype(_precision(factor)) @ weights
    # Either a texel or an observation has a row for each channel.
    values = values.reshape(len(texels), rows.shape[1], observations, -1).transpose(0, 2, 1, 3)
    return np.asarray(values.reshape(len(texels), observations, -1), dtype=np.float32)


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
