"""Latent maps as bytes: a cosine transform, one quantiser step, and lossless JPEG XL.

Each latent is an image of its own. Its cosine transform gathers what neighbouring texels have in
common. The coefficients of all latents are divided by one step, which costs the fewest bytes for a
given mean squared error when the latents belong to orthonormal components (A. Gersho and R. Gray,
Vector Quantization and Signal Compression, 1992, chapter 8). The integers are stored as images.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.latents.planes import (
    PLANES,
    compress,
    cut,
    decompress,
    groups,
)
from napari_btf.codec.latents.stored import store, store_plane, stored
from napari_btf.progress import stop_if_given_up, wanted_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_btf.codec.latents.stored import StoredLatents

__all__ = ["SKETCH_SAMPLE", "CodedLatents", "FreeLatents", "Spectrum", "code_latents"]

#: Values below this share of a step become zero (the "dead zone" of image coders), because the
#: zeros save more bytes than they add error.
DEAD_ZONE = 0.65

_THREADS = 2
_LARGEST_CODE = 30_000
"""Codes beyond stand apart: JPEG XL keeps 16 bits."""
_BANDS = 24
#: Number of coefficients of each latent for estimates: usually, and for a sketch.
_SAMPLE, SKETCH_SAMPLE = 1 << 15, 1 << 12


@dataclass(frozen=True, eq=False)
class CodedLatents:
    """A latent map as it lies in a file.

    Parameters
    ----------
    height, width, latents : int
    step : float
        What a code of 1 stands for.
    offset : ndarray of float32, shape (K,)
        Mean of each latent.
    streams : ndarray of uint8
        JPEG XL images one after the other, each of at most 16 transformed latents below
        one another.
    lengths, lowest : ndarray of int64, shape (S,)
        Bytes of each stream, and the code that its 0 stands for.
    far_index, far_code : ndarray of int64, shape (F,)
        Position in (K, H, W) and code of the coefficients that do not fit the streams.
    """

    height: int
    width: int
    latents: int
    step: float
    offset: NDArray[np.float32]
    streams: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    lowest: NDArray[np.int64]
    far_index: NDArray[np.int64]
    far_code: NDArray[np.int64]

    @property
    def coded(self) -> CodedLatents:
        """The latents themselves, which are coded already, unlike `FreeLatents`."""
        return self

    @property
    def nbytes(self) -> int:
        """Size of the arrays in bytes."""
        arrays = self.offset, self.streams, self.lengths, self.lowest, self.far_index, self.far_code
        return sum(array.nbytes for array in arrays)

    def decode(self, kind: str = "float32") -> StoredLatents:
        """Decode the latents, shape (H, W, K), in one of the `LATENT_TYPES`.

        Raises
        ------
        ValueError
            If the streams are damaged or hold images of other sizes.
        """
        from scipy.fft import idctn

        streams = cut(self.streams, self.lengths, self.latents)
        out = stored((self.height, self.width, self.latents), kind)

        def decode(i: int) -> None:
            codes = self._codes(i, streams[i])
            for k, plane in zip(groups(self.latents)[i], codes, strict=True):
                plane *= np.float32(self.step)
                store_plane(out, k, idctn(plane, norm="ortho", overwrite_x=True) + self.offset[k])

        _for_each(len(streams), decode)
        return out

    def _codes(self, i: int, stream: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Decode the codes of a stream, (planes, H, W)."""
        planes = len(groups(self.latents)[i])
        stored = decompress(stream, planes, self.height, self.width, np.uint16)
        codes = stored.astype(np.float32)
        codes += np.float32(self.lowest[i])
        first = i * PLANES * self.height * self.width
        here = (self.far_index >= first) & (self.far_index < first + codes.size)
        codes.reshape(-1)[self.far_index[here] - first] = self.far_code[here]
        return codes


@dataclass(frozen=True, eq=False)
class FreeLatents:
    """A latent map of any values, such as that of an edited model. It is coded when it is saved.

    Parameters
    ----------
    values : ndarray of float32, shape (H, W, K)
    step : float
        That of its codes.
    """

    values: NDArray[np.float32]
    step: float

    @property
    def height(self) -> int:
        """Rows of the texel grid."""
        return int(self.values.shape[0])

    @property
    def width(self) -> int:
        """Columns of the texel grid."""
        return int(self.values.shape[1])

    @property
    def latents(self) -> int:
        """Latents per texel, K."""
        return int(self.values.shape[2])

    @cached_property
    def coded(self) -> CodedLatents:
        """The latents as a file holds them."""
        return code_latents(self.values, self.step)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays in a file."""
        return self.coded.nbytes

    def decode(self, kind: str = "float32") -> StoredLatents:
        """Return the latents, shape (H, W, K), in one of the `LATENT_TYPES`."""
        return store(self.values, kind)


class Spectrum:
    """The cosine transform of a latent map, which can be quantised with different steps.

    Parameters
    ----------
    latents : ndarray, shape (H, W, K)
        Coefficients of orthonormal components, the most important first.
    is_sketch : bool
        Whether to be quick: estimates come from few coefficients.

    Attributes
    ----------
    planes : ndarray of float32, shape (K, H, W)
        The transform of each latent less its mean.
    offset : ndarray of float32, shape (K,)
        The means.
    energy : ndarray, shape (K,)
        Sum of squares of each latent.
    """

    def __init__(self, latents: NDArray[np.floating], is_sketch: bool = False) -> None:
        from scipy.fft import dctn

        self.height, self.width, count = latents.shape
        self.offset = latents.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        self.planes = np.empty((count, self.height, self.width), dtype=np.float32)

        def transform(k: int) -> None:
            plane = latents[..., k].astype(np.float32) - self.offset[k]
            self.planes[k] = dctn(plane, norm="ortho", overwrite_x=True)

        _for_each(count, transform)
        squares = np.array([float(np.sum(p * p, dtype=np.float64)) for p in self.planes])
        self.energy = squares + self.texels * self.offset.astype(np.float64) ** 2
        self._sample, self._bands = self._draw(SKETCH_SAMPLE if is_sketch else _SAMPLE)

    @property
    def texels(self) -> int:
        """Number of texels, H * W."""
        return int(self.height * self.width)

    def distortion(self, step: float) -> NDArray[np.float64]:
        """Return the sum of squared errors of each latent, shape (K,), for a step."""
        return np.array([_error(plane, _quantise(plane, step), step) for plane in self.planes])

    def estimate(self, step: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Estimate bytes and squared error of each latent from a sample of its coefficients.

        Returns
        -------
        size : ndarray, shape (K,)
            Bytes, by the entropy of the codes in bands of frequencies. Streams take a little less
            or more; the ratio hardly depends on the step.
        error : ndarray, shape (K,)
            Sum of squared errors.
        """
        scale = self.height * self.width / self._sample.shape[1]
        size, error = np.zeros(len(self._sample)), np.zeros(len(self._sample))
        for k, values in enumerate(self._sample):
            codes = _quantise(values, step)
            error[k] = scale * _error(values, codes, step)
            size[k] = scale * _entropy(codes, self._bands) / 8
        return size, error

    def code(self, step: float, count: int) -> CodedLatents:
        """Quantise and compress the first ``count`` latents."""
        found = [_codes(self.planes[part.start : part.stop], step) for part in groups(count)]
        lowest = np.array([int(codes.min()) for codes, _, _ in found], dtype=np.int64)
        for (codes, _, _), low in zip(found, lowest, strict=True):
            # In place, because the codes of a large surface take gigabytes.
            codes -= np.int16(low)
        streams, lengths = compress([codes.view(np.uint16) for codes, _, _ in found])
        size = PLANES * self.height * self.width
        return CodedLatents(
            height=self.height,
            width=self.width,
            latents=count,
            step=float(step),
            offset=self.offset[:count],
            streams=streams,
            lengths=lengths,
            lowest=lowest,
            far_index=np.concatenate([i * size + far for i, (_, far, _) in enumerate(found)]),
            far_code=np.concatenate([far_code for _, _, far_code in found]),
        )

    def rounded(self, step: float, count: int) -> NDArray[np.float32]:
        """Return the first ``count`` latents as `code` keeps them, (H, W, count), uncoded."""
        from scipy.fft import idctn

        out = np.empty((self.height, self.width, count), dtype=np.float32)

        def back(k: int) -> None:
            plane = _quantise(self.planes[k], step) * np.float32(step)
            out[..., k] = idctn(plane, norm="ortho", overwrite_x=True) + self.offset[k]

        _for_each(count, back)
        return out

    def _draw(self, size: int) -> tuple[NDArray[np.float32], _Bands]:
        """Draw some coefficients of each latent, (K, M), and the band of each.

        Bands are intervals of the distance from the lowest frequency, on a logarithmic scale.
        """
        y, x = np.ogrid[: self.height, : self.width]
        longest = max(self.height, self.width)
        radius = np.hypot(y / self.height, x / self.width) * longest
        bands = np.log2(1 + radius) / np.log2(2 + np.sqrt(2) * longest)
        bands = np.minimum((bands * _BANDS).astype(np.int64), _BANDS - 1).reshape(-1)
        flat = self.planes.reshape(len(self.planes), -1)
        if flat.shape[1] <= size:
            return flat, _Bands(bands)
        some = np.random.default_rng(0).choice(flat.shape[1], size, replace=False)
        return flat[:, some], _Bands(bands[some])


class _Bands:
    """The bands of coefficients, and their order, which makes maxima of bands quick.

    Parameters
    ----------
    of : ndarray of int, shape (M,)
        The band of each coefficient.
    """

    def __init__(self, of: NDArray[np.int64]) -> None:
        self.of = of
        self.order = np.argsort(of, kind="stable")
        #: The bands that have coefficients, and where each of them begins in ``order``.
        self.present, self.begins = np.unique(of[self.order], return_index=True)


def code_latents(latents: NDArray[np.floating], step: float) -> CodedLatents:
    """Quantise and compress an (H, W, K) latent map with one step."""
    return Spectrum(latents).code(step, latents.shape[2])


def _for_each(count: int, work: Callable[[int], None]) -> None:
    """Call a function with each of the numbers below ``count``, in threads."""
    wanted = wanted_here()

    def work_if_wanted(i: int) -> None:
        if wanted():
            work(i)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(work_if_wanted, range(count)))
    stop_if_given_up()


def _quantise(values: NDArray[np.float32], step: float) -> NDArray[np.int32]:
    codes = (np.abs(values) / np.float32(step) + np.float32(1 - DEAD_ZONE)).astype(np.int32)
    return np.where(values < 0, -codes, codes)


def _codes(
    planes: NDArray[np.float32], step: float
) -> tuple[NDArray[np.int16], NDArray[np.int64], NDArray[np.int64]]:
    """Quantise planes (P, H, W) one by one, because those of a large surface take gigabytes.

    Returns
    -------
    codes : ndarray, shape (P, H, W)
        0 in place of codes that are too large.
    far_index, far_code : ndarray, shape (F,)
        The flat indices of these, and the codes themselves.
    """
    codes = np.empty(planes.shape, dtype=np.int16)
    index, far = [], []
    for k, plane in enumerate(planes):
        stop_if_given_up()
        found = _quantise(plane, step).reshape(-1)
        large = np.flatnonzero(np.abs(found) > _LARGEST_CODE)
        index.append(k * found.size + large)
        far.append(found[large].astype(np.int64))
        found[large] = 0
        codes[k] = found.reshape(plane.shape)
    return codes, np.concatenate(index), np.concatenate(far)


def _entropy(codes: NDArray[np.int32], bands: _Bands) -> float:
    """Return the bits of codes whose frequencies differ from band to band."""
    most = 127
    largest = np.zeros(_BANDS, dtype=np.int64)
    largest[bands.present] = np.maximum.reduceat(np.abs(codes)[bands.order], bands.begins)
    # The last bits of large codes are practically random. A sample that is smaller than the number
    # of different codes would make them look cheaper than they are.
    random_bits = np.ceil(np.log2((largest + 1) / (most + 1))).clip(0).astype(np.int32)
    joint = np.bincount(
        bands.of * (2 * most + 2) + (codes >> random_bits[bands.of]) + most + 1,
        minlength=_BANDS * (2 * most + 2),
    ).reshape(_BANDS, -1)
    total = joint.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -joint * np.log2(joint / total)
    return float(np.nansum(bits) + random_bits @ total[:, 0])


def _error(values: NDArray[np.float32], codes: NDArray[np.int32], step: float) -> float:
    left = values - codes * np.float32(step)
    return float(np.sum(left * left, dtype=np.float64))
