"""BTF files of the University of Bonn (UBO2014 and others): a matrix factorisation in one file.

The supported kinds, by the first characters of a file:

- ``!DFMF08FCR``: decorrelated full matrix factorisation, one factorisation per channel of a
  colour model;
- ``!FMF12FCER``, ``!FMF06FCR``, ``!FMF06FC``: full matrix factorisation, one for all channels.

All values are little-endian without padding; integers are unsigned with 32 bits::

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

One of U and V S has a row per texel, and the other has a row per observation: the lights of the
first view, then those of the next. If the sizes allow both, U is the matrix of the observations.
In FMF files U has one row per channel of each texel or observation, in consecutive rows. The
scalar product v of two rows is decoded according to the colour model:

- colour model 0 (RGB): v is the value;
- 11 (log Y, U/Y, V/Y): with e = 1e-5, Y = exp(v0) - e, U = v1 (Y + e), V = v2 (Y + e), and
  RGB from YUV;
- 12 (log RGB), and FMF with the logarithm taken: exp(v) - e.

Values are linear, may exceed 1, and are not clipped. The file decides whether they include the
cosine of the light's polar angle; the reader neither multiplies nor divides by it.

**Rows.** The first row of the file is the top of the image, so nothing is flipped: the
university's own library shows it at the top (in MATLAB, whose images begin at the top) and fills
it from the first row of OpenEXR images. The reader ``btf.hh``, and with it the Python package
btf-extractor, flips the images to count rows from the bottom; but its own example writes them
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
from napari_btf.formats.ubo2014.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.formats.capture_files import ReadOptions
    from napari_btf.formats.ubo2014.header import Factor, Header

__all__ = ["read", "recognises"]

_FAMILIES = (b"!DFMF", b"!FMF", b"!PVF", b"!BDI")
_EPSILON = 1e-5
"""Constant that was added to a value before its logarithm was taken."""
_YUV_TO_RGB = np.array(
    [[1.0, 0.0, 1.13983], [1.0, -0.39465, -0.58060], [1.0, 2.03211, 0.0]], dtype=np.float32
)
_BLOCK_VALUES = 1 << 18
"""Number of values of a factor that are converted at a time, small enough for the CPU cache."""


def recognises(path: Path) -> bool:
    """Return whether a file starts like a BTF of the University of Bonn, of any kind."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(max(map(len, _FAMILIES)))
        return head.startswith(_FAMILIES) or (head[:1] == b"!" and path.suffix.lower() == ".btf")
    except Exception:
        # Any exception means "no", because this is asked of every path a user drops on the viewer.
        return False


def read(path: Path, options: ReadOptions | None = None) -> BTF:
    """Open a BTF file of the University of Bonn.

    The header is read and checked now; an image is computed from the factors on access.

    Returns
    -------
    BTF
        Observations in float32, one per (view, light) pair in the order of the file: the
        lights of the first view, then those of the next.

    Raises
    ------
    CaptureError
        If the kind or colour model of the file is not supported, or the file is damaged or
        truncated.
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
        mm_per_texel=header.mm_per_texel,
    )


class _Frames:
    """The observations as one lazy (N, H, W, C) array, and their `Gatherer`.

    Parameters
    ----------
    path : Path
    header : Header
    observations : ndarray of int, optional
        Indices of the observations in the file; all by default.
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
        """The gatherer itself, since it is also the lazy array of its observations."""
        return self

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Sizes of the chunks along each axis, as in dask: one observation per chunk.

        `__getitem__` also accepts slices, because computing several observations together is
        several times faster per observation.
        """
        return ((1,) * len(self.observations), *((length,) for length in self.shape[1:]))

    def select(self, observations: NDArray[np.intp]) -> _Frames:
        """Return a restriction to the observations with these indices."""
        return _Frames(self.path, self.header, self.observations[observations])

    def __getitem__(self, key: int | slice, /) -> NDArray[np.float32]:
        """Compute one observation (H, W, C), or those of a slice (n, H, W, C)."""
        which = np.atleast_1d(self.observations[key])
        texels = self.shape[1] * self.shape[2]
        flat = np.empty((len(which), texels, self.shape[3]), dtype=np.float32)
        for block, values in self._blocks(np.arange(texels), which):
            flat[:, block] = values.transpose(1, 0, 2)
        images = flat.reshape(-1, *self.shape[1:])
        return images if isinstance(key, slice) else np.asarray(images[0])

    def gather(self, yx: NDArray[np.intp], out: NDArray[Any]) -> Iterator[tuple[int, int]]:
        """Fill ``out`` (T, N, C) with the ABRDFs at ``yx`` (T, 2); yield (done, total) texels."""
        texels = yx[:, 0] * self.shape[2] + yx[:, 1]
        for block, values in self._blocks(texels, self.observations):
            out[block] = values
            yield block.stop, len(texels)

    def _blocks(
        self, texels: NDArray[np.intp], observations: NDArray[np.intp]
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield values (texels, observations, C) of some texels in blocks that fit the cache."""
        total = self.shape[1] * self.shape[2]
        widest = max(factor.components for factor in self.header.factors)
        columns = max(widest, len(observations) * self.shape[3])
        step = max(1, _BLOCK_VALUES // columns)
        with Rows(self.path, self.header.file_size) as rows:
            weights = [
                _weights(rows, factor, observations, len(self.header.light))
                for factor in self.header.factors
            ]
            for start in range(0, len(texels), step):
                block = slice(start, min(start + step, len(texels)))
                with np.errstate(all="ignore"):
                    parts = [
                        _product(rows, factor, texels[block], own, len(observations), total)
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


def _precision(factor: Factor) -> np.dtype[Any]:
    """Return the type to compute in: double precision for factors stored so, else single."""
    return np.dtype(np.float64 if factor.texels.dtype.itemsize == 8 else np.float32)


def _weights(
    rows: Rows, factor: Factor, observations: NDArray[np.intp], total: int
) -> NDArray[Any]:
    """Return the right-hand matrix of the product, (components, observations * channels)."""
    stored = rows.of(factor.observations, total, observations)[:, :, : factor.components]
    return stored.reshape(-1, factor.components).astype(_precision(factor)).T


def _product(
    rows: Rows,
    factor: Factor,
    texels: NDArray[np.intp],
    weights: NDArray[Any],
    observations: int,
    total: int,
) -> NDArray[np.float32]:
    """Multiply a factor's rows of some of the ``total`` texels by the weights.

    Returns
    -------
    ndarray, shape (texels, observations, channels)
    """
    stored = rows.of(factor.texels, total, texels)[:, :, : factor.components]
    values = stored.reshape(-1, factor.components).astype(_precision(factor)) @ weights
    # Channels are rows of either the texels or the observations; the reshape allows both.
    values = values.reshape(len(texels), stored.shape[1], observations, -1).transpose(0, 2, 1, 3)
    return np.asarray(values.reshape(len(texels), observations, -1), dtype=np.float32)


def _to_rgb(values: NDArray[np.float32], model: int) -> NDArray[np.float32]:
    """Convert values (texels, channels) from a colour model to linear RGB."""
    if model == LOG_RGB:
        return np.exp(values) - np.float32(_EPSILON)
    if model == LOG_Y_UV_BY_Y:
        values[:, 0] = np.exp(values[:, 0])
        values[:, 1:] *= values[:, :1]
        values[:, 0] -= _EPSILON
        return values @ _YUV_TO_RGB.T
    return values
