"""Conversion of stored pixel values to the values that models fit, and back.

Integer values are divided by the largest value of their type, without a change of their transfer
curve (8-bit sRGB stays sRGB). Floating point values are linear radiance without an upper limit;
models fit ``log(1 + v)``, so that a highlight of 100 does not outweigh all other values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DTYPES", "ValueScale", "from_linear", "to_display", "to_linear"]

#: Number of values converted at once: small, so that intermediate results stay in the CPU cache.
_PIECE = 1 << 15
_FEW_BITS = 0.25
"""Largest fitted value of 16-bit captures that count as values of fewer bits."""


def to_linear(encoded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert sRGB values in 0..1 to linear light, by the transfer curve of IEC 61966-2-1."""
    curve = np.power((encoded + np.float32(0.055)) * np.float32(1 / 1.055), np.float32(2.4))
    return np.where(encoded <= 0.04045, encoded * np.float32(1 / 12.92), curve)


def from_linear(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert linear light in 0..1 to sRGB values in 0..1; inverse of `to_linear`."""
    curve = np.float32(1.055) * np.power(linear, np.float32(1 / 2.4)) - np.float32(0.055)
    return np.where(linear <= 0.0031308, linear * np.float32(12.92), curve)


def to_display(stored: NDArray[Any], gamma: float | None = None) -> NDArray[Any]:
    """Convert stored values to displayable pixels; integers are returned unchanged.

    Floating point radiance becomes 8-bit sRGB, in which a radiance of 1 is white.

    Parameters
    ----------
    stored : ndarray
    gamma : float, optional
        Encode radiance as ``v ** (1 / gamma)`` instead of sRGB.
    """
    if stored.dtype.kind != "f":
        return stored
    linear = np.clip(np.nan_to_num(stored.astype(np.float32), posinf=1.0), 0.0, 1.0)
    shown = from_linear(linear) if gamma is None else linear ** np.float32(1.0 / gamma)
    return np.asarray(np.rint(shown * 255).astype(np.uint8))


@dataclass(frozen=True)
class ValueScale:
    """The conversion between stored and fitted values for one data type.

    Parameters
    ----------
    dtype : numpy.dtype
        An unsigned integer or floating point type.
    """

    dtype: np.dtype[Any]

    @property
    def is_float(self) -> bool:
        """Whether the values are linear radiance without an upper limit."""
        return self.dtype.kind == "f"

    @property
    def largest(self) -> float:
        """The stored value that stands for 1: the largest integer, or 1.0."""
        return 1.0 if self.is_float else float(np.iinfo(self.dtype).max)

    @property
    def largest_fitted(self) -> float:
        """The largest fitted value: 1, or the largest that decodes to a finite radiance."""
        if not self.is_float:
            return 1.0
        most = min(float(np.finfo(self.dtype).max), float(np.finfo(np.float32).max))
        return float(np.nextafter(np.float32(np.log1p(most)), np.float32(0)))

    def peak(self, largest: float) -> float:
        """Return the peak value for PSNR and SSIM, in the fitted domain.

        It is the largest fitted value of floats, which have no upper limit. It is 1 for integers,
        except for 16 bits of which at most a quarter of the range is used: these are values of a
        sensor of 10, 12 or 14 bits, among which an error of 1/100 of the full range is a large one.

        Parameters
        ----------
        largest : float
            The largest fitted value that was captured.
        """
        few_bits = self.dtype == np.uint16 and largest <= _FEW_BITS
        return largest if largest > 0 and (self.is_float or few_bits) else 1.0

    def encode(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Return the values to fit as float32: ``v / largest``, or ``log(1 + v)`` of floats."""
        if self.is_float:
            return np.asarray(np.log1p(np.maximum(stored, 0), dtype=np.float32))
        return np.asarray(stored * np.float32(1.0 / self.largest))

    def decode(self, fitted: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert fitted values in place to radiance, or to 0..1 where integers are stored."""
        np.clip(fitted, 0.0, self.largest_fitted, out=fitted)
        return np.expm1(fitted, out=fitted) if self.is_float else fitted

    def store_fitted(self, fitted: NDArray[np.float32], out: NDArray[Any]) -> None:
        """Write ``store(decode(fitted))`` to ``out``, an array of the stored type.

        Overwrites ``fitted``, which should be small enough for the CPU cache.
        """
        values = self.decode(fitted)
        if not self.is_float:
            values *= np.float32(self.largest)
            np.rint(values, out=values)
        np.copyto(out, values, casting="unsafe")

    def store(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Convert values from `decode` to the stored type."""
        if self.is_float:
            return values.astype(self.dtype)
        stored = np.empty(values.shape, dtype=self.dtype)
        source, target = values.reshape(-1), stored.reshape(-1)
        room = np.empty(min(_PIECE, len(source)), dtype=np.float32)
        for start in range(0, len(source), _PIECE):
            piece = room[: len(source) - start]
            np.multiply(source[start : start + _PIECE], np.float32(self.largest), out=piece)
            np.rint(piece, out=piece)
            target[start : start + _PIECE] = piece
        return stored


#: Types of captured values that a model can reproduce.
DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
