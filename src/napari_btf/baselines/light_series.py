"""Reflectance of every texel as a short series of functions of the light: PTM and HSH.

Both are linear: ``value = sum_m c_m t_m(light)``. Every texel and channel has its own coefficients
``c``, fitted by least squares to the captured lights without regularisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.baselines.baseline import check_one_view, encoded_blocks, pairs_at_once
from napari_btf.errors import UsageError
from napari_btf.progress import Job, Progress
from napari_btf.running.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF

__all__ = ["LightSeries", "fit_hsh", "fit_ptm", "hsh_terms", "ptm_normals", "ptm_terms"]

#: Number of coefficients fitted at once: 128 MiB as float32; peak memory is three times that.
_MOST_COEFFICIENTS = 2**25
#: Largest distance of a normal from the middle of the unit circle: 72 degrees.
_RIM = 0.95


def ptm_terms(light: ArrayLike) -> NDArray[np.float64]:
    """Evaluate the six terms of polynomial texture maps.

    They are ``lu^2, lv^2, lu lv, lu, lv, 1``, where lu and lv are x and y of the light's unit
    vector (T. Malzbender, D. Gelb and H. Wolters, "Polynomial texture maps", SIGGRAPH 2001,
    equation 1).

    Parameters
    ----------
    light : array_like, shape (P, 3)
        Unit vectors.

    Returns
    -------
    ndarray, shape (P, 6)
    """
    u, v, _ = np.moveaxis(np.asarray(light, dtype=np.float64), -1, 0)
    return np.stack([u * u, v * v, u * v, u, v, np.ones_like(u)], axis=-1)


def hsh_terms(light: ArrayLike, order: int) -> NDArray[np.float64]:
    """Evaluate hemispherical harmonics, which are orthonormal over the upper hemisphere.

    ``H_l^m = sqrt(2) K cos(m phi) P_l^m(2 cos theta - 1)`` for m > 0, with ``sin(|m| phi)`` for
    m < 0 and without both factors for m = 0; ``K^2 = (2 l + 1) (l - |m|)! / (2 pi (l + |m|)!)``
    (P. Gautron, J. Krivanek, S. Pattanaik and K. Bouatouch, "A novel hemispherical basis for
    accurate and efficient rendering", Eurographics Symposium on Rendering 2004, section 3).

    Parameters
    ----------
    light : array_like, shape (P, 3)
        Unit vectors; directions below the horizon are moved to the horizon at the same azimuth.
    order : int
        Number of degrees l, from 0 to ``order - 1``: 3 gives 9 terms, 4 gives 16.

    Returns
    -------
    ndarray, shape (P, order**2)
        Terms ordered by l, then by m from -l to l.
    """
    from scipy.special import lpmv

    x, y, z = np.moveaxis(np.asarray(light, dtype=np.float64), -1, 0)
    shifted, phi = 2.0 * np.clip(z, 0.0, 1.0) - 1.0, np.arctan2(y, x)
    terms = []
    for degree in range(order):
        for m in range(-degree, degree + 1):
            n = abs(m)
            norm = (2 * degree + 1) * factorial(degree - n) / (2 * np.pi * factorial(degree + n))
            # SciPy's functions include the factor (-1)^m, the functions of the paper do not.
            term = (-1) ** n * np.sqrt(norm) * lpmv(n, degree, shifted)
            if m:
                term = np.sqrt(2.0) * term * (np.cos(m * phi) if m > 0 else np.sin(n * phi))
            terms.append(term)
    return np.stack(terms, axis=-1)


def ptm_normals(coefficients: ArrayLike) -> NDArray[np.float32]:
    """Estimate normals of polynomial texture maps: the light under which each texel is brightest.

    The quadratic has its maximum at ``lu0 = (c2 c4 - 2 c1 c3) / (4 c0 c1 - c2^2)`` and
    ``lv0 = (c2 c3 - 2 c0 c4) / (4 c0 c1 - c2^2)`` (Malzbender et al. 2001, as for `ptm_terms`).
    Where it has no maximum within the unit circle, the brightest of some directions is taken.

    Parameters
    ----------
    coefficients : array_like, shape (..., 6)
        Of the luminance, in the order of `ptm_terms`.

    Returns
    -------
    ndarray, shape (..., 3)
        Unit vectors.
    """
    c = np.asarray(coefficients, dtype=np.float64)
    a, b, mixed, u, v, _ = np.moveaxis(c, -1, 0)
    determinant = 4.0 * a * b - mixed**2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        top = np.stack([mixed * v - 2.0 * b * u, mixed * u - 2.0 * a * v], axis=-1)
        top /= determinant[..., np.newaxis]
        is_top = (determinant > 0) & (a < 0) & ((top**2).sum(axis=-1) < _RIM**2)
    if not is_top.all():
        some = _directions()
        top[~is_top] = some[np.argmax(c[~is_top] @ ptm_terms(some).T, axis=-1), :2]
    z = np.sqrt(1.0 - (top**2).sum(axis=-1, keepdims=True))
    return np.concatenate([top, z], axis=-1).astype(np.float32)


def _directions() -> NDArray[np.float64]:
    """Return unit vectors spread over the hemisphere up to the rim, (R * A, 3)."""
    radius, azimuth = np.meshgrid(np.linspace(0, _RIM, 9), np.arange(0, 2 * np.pi, np.pi / 16))
    x, y = radius * np.cos(azimuth), radius * np.sin(azimuth)
    return np.stack([x, y, np.sqrt(1.0 - radius**2)], axis=-1).reshape(-1, 3)


class _Rows(NamedTuple):
    """Coefficients of some image rows: ``codes * scale + bias``."""

    rows: slice
    codes: NDArray[np.uint8 | np.float32]
    """Shape (M, h * W * C)."""
    scale: NDArray[np.float32]
    """Shape (M, 1)."""
    bias: NDArray[np.float32]
    """Shape (M, 1)."""


@dataclass(frozen=True, eq=False)
class LightSeries:
    """Coefficients of every texel and channel: a `napari_btf.baselines.Baseline`.

    Parameters
    ----------
    name, note : str
    terms : callable
        Maps lights, unit vectors (P, 3), to the M terms of the series, (P, M).
    shape : tuple of int
        Shape of an image, (H, W, C).
    blocks : tuple
        The coefficients, in blocks of rows from top to bottom.
    """

    name: str
    note: str
    terms: Callable[[ArrayLike], NDArray[np.float64]]
    shape: tuple[int, int, int]
    blocks: tuple[_Rows, ...]

    @property
    def nbytes(self) -> int:
        """Size in bytes: the coefficients with their scales and biases."""
        return sum(b.codes.nbytes + b.scale.nbytes + b.bias.nbytes for b in self.blocks)

    def shaded(self, light: ArrayLike, view: ArrayLike) -> Iterator[NDArray[np.float32]]:
        """Decode images (H, W, C) under lights (P, 3); ``view`` is ignored."""
        terms = self.terms(light).astype(np.float32)
        together = pairs_at_once(int(np.prod(self.shape)))
        for start in range(0, len(terms), together):
            some = terms[start : start + together]
            images = np.empty((len(some), *self.shape), dtype=np.float32)
            for rows, codes, scale, bias in self.blocks:
                with one_thread():
                    part = (some * scale[:, 0]) @ codes.astype(np.float32, copy=False)
                part += some @ bias
                images[:, rows] = part.reshape(len(some), -1, *self.shape[1:])
            yield from images


def fit_ptm(btf: BTF, budget: int | None = None) -> Job[LightSeries]:
    """Fit a polynomial texture map (see `ptm_terms`).

    Parameters
    ----------
    btf : BTF
        A capture with one view.
    budget : int, optional
        Maximum size in bytes. Coefficients are stored in single precision if they fit, else (or
        without a budget) in 8 bits with a scale and a bias per term, as in .ptm files.

    Yields
    ------
    Progress
        Phase "baselines".

    Raises
    ------
    UsageError
        If the capture has several views, or its lights do not determine all terms.
    """
    return (yield from _fit(btf, budget, "PTM", ptm_terms))


def fit_hsh(btf: BTF, budget: int | None = None, order: int = 3) -> Job[LightSeries]:
    """Fit hemispherical harmonics (see `hsh_terms`); otherwise like `fit_ptm`."""

    def terms(light: ArrayLike) -> NDArray[np.float64]:
        return hsh_terms(light, order)

    return (yield from _fit(btf, budget, f"HSH {order**2}", terms))


def _fit(
    btf: BTF,
    budget: int | None,
    name: str,
    terms: Callable[[ArrayLike], NDArray[np.float64]],
) -> Job[LightSeries]:
    check_one_view(btf, name)
    design = terms(btf.light)
    count = design.shape[1]
    if np.linalg.matrix_rank(design) < count:
        raise UsageError(None, f"{name} needs at least {count} well-spread lights")
    shape = (btf.height, btf.width, btf.channels)
    # Both forms have a scale and a bias (hence + 2), so that one formula decodes both.
    single = budget is not None and 4 * count * (int(np.prod(shape)) + 2) <= budget
    solver = np.linalg.pinv(design).astype(np.float32)
    per_row = count * btf.width * btf.channels
    tall = max(1, _MOST_COEFFICIENTS // per_row)
    blocks = []
    for top in range(0, btf.height, tall):
        rows = slice(top, min(top + tall, btf.height))
        coefficients = yield from _solve(btf, rows, solver)
        blocks.append(_kept(rows, coefficients, single))
    note = "float32" if single else "8 bits"
    return LightSeries(name, note, terms, shape, tuple(blocks))


def _solve(
    btf: BTF, rows: slice, solver: NDArray[np.float32]
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Fit the coefficients (M, h * W * C) of some rows in one pass over the images."""
    size = (rows.stop - rows.start) * btf.width * btf.channels
    found = np.zeros((len(solver), size), dtype=np.float32)
    for which, values in encoded_blocks(btf, rows):
        with one_thread():
            found += solver[:, which] @ values
        done = rows.start * len(btf) + (rows.stop - rows.start) * which.stop
        yield Progress("baselines", done, btf.height * len(btf))
    return found


def _kept(rows: slice, coefficients: NDArray[np.float32], single: bool) -> _Rows:
    if single:
        one = np.ones((len(coefficients), 1), dtype=np.float32)
        return _Rows(rows, coefficients, one, 0 * one)
    bias = coefficients.min(axis=1, keepdims=True)
    scale = (coefficients.max(axis=1, keepdims=True) - bias) / np.float32(255)
    scale[scale <= 0] = 1.0
    coefficients -= bias
    coefficients /= scale
    return _Rows(rows, np.rint(coefficients, out=coefficients).astype(np.uint8), scale, bias)
