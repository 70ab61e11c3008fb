"""A baseline as a model to look at: fitted in a second or two, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from napari_btf.baselines.light_series import LightSeries, fit_hsh, fit_ptm, hsh_terms, ptm_terms
from napari_btf.baselines.principal import fit_pca
from napari_btf.codec.latents.transformed import FreeLatents
from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.errors import UsageError
from napari_btf.interpolation.basis import Continuation, direction_space
from napari_btf.interpolation.spline import linear_places

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.baselines.principal import PrincipalComponents
    from napari_btf.btf import BTF
    from napari_btf.interpolation.basis import DirectionSpace
    from napari_btf.progress import Job

__all__ = ["MOST_TEXELS", "QuickBTF", "QuickPTM", "fit_quick"]

#: Surfaces with more texels take more memory than a preview should: 27 values for each texel.
MOST_TEXELS = 1 << 22
#: Lights for each term of HSH, from which on its nine terms are worth more than the six of PTM.
_LIGHTS_PER_TERM = 3
#: Smallest singular value of the terms at the captured lights, divided by the root of their number:
#: below this, as on a ring of lights, small errors would become large coefficients.
_LEAST_SPREAD = 0.01
#: Room for coefficients in single precision, whatever their number is.
_ANY_SIZE = 1 << 60
#: Latents of a preview by PCA, and the weight of the bending energy of its spline. It is not chosen
#: by cross-validation, which would take longer than all the rest.
_LATENTS, _SMOOTHING = 16, 1e-3


@dataclass(frozen=True, eq=False)
class _Basis:
    """Basis colours for every pair of directions, linear in the latents of each texel."""

    space: DirectionSpace
    table: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float32]]

    def __call__(self, light: ArrayLike, view: ArrayLike) -> NDArray[np.float32]:
        """Evaluate the basis at pairs of unit vectors, shapes (P, 3) -> (P, K + 1, C)."""
        # Polynomials grow quickly beyond the captured lights.
        return self.table(*self.space.shown(light, view))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class QuickBTF(NeuralBasisBTF):
    """A preview: it is decoded like the model of a training, but no file holds it.

    Parameters
    ----------
    quick_basis : callable
        Its basis over directions, in place of a spline.
    """

    quick_basis: _Basis

    architecture: ClassVar[str] = "quick PCA"

    @cached_property
    def basis(self) -> Any:
        """The basis for all directions."""
        return self.quick_basis

    @cached_property
    def file_size(self) -> int:
        """Bytes of the latents in memory, because there is no file."""
        return self.latent_bytes

    @property
    def latent_bytes(self) -> int:
        """Bytes of the latents in memory."""
        return int(4 * self.height * self.width * self.latent_count)

    def pack(self) -> NoReturn:
        """Refuse to be saved.

        Raises
        ------
        UsageError
            Always.
        """
        raise UsageError(
            None, "a quick preview cannot be saved or exported", "train a model (dock Train) first"
        )

    def decoder_parts(self) -> NoReturn:
        """Refuse to be exported, as `pack` does."""
        self.pack()


class QuickPTM(QuickBTF):
    """A preview by a polynomial texture map."""

    architecture: ClassVar[str] = "quick PTM"

    @property
    def coefficients(self) -> NDArray[np.float32]:
        """The coefficients of `ptm_terms` for each texel and channel, (H, W, C, 6)."""
        return self.latent_map.reshape(self.height, self.width, self.channels, -1)


class _QuickHSH(QuickBTF):
    architecture: ClassVar[str] = "quick HSH"


def fit_quick(btf: BTF) -> Job[QuickBTF]:
    """Fit a preview: HSH or PTM if the view is fixed and the lights determine it, else PCA.

    Parameters
    ----------
    btf : BTF
        With at most `MOST_TEXELS` texels.

    Yields
    ------
    Progress
        Phase "baselines".

    Raises
    ------
    UsageError
        If the capture has more texels.
    CaptureError
        If an image cannot be read.
    """
    if btf.height * btf.width > MOST_TEXELS:
        raise UsageError(
            None,
            f"{btf.width} x {btf.height} texels are too many for a quick preview",
            f"train a model (dock Train), or crop the capture to {MOST_TEXELS >> 20} megapixels",
        )
    if np.ptp(btf.view, axis=0).max() < 1e-3:
        if len(btf) >= 9 * _LIGHTS_PER_TERM and _determined(hsh_terms(btf.light, 3)):
            return _of_series(_QuickHSH, btf, (yield from fit_hsh(btf, _ANY_SIZE)))
        if _determined(ptm_terms(btf.light)):
            return _of_series(QuickPTM, btf, (yield from fit_ptm(btf, _ANY_SIZE)))
    return _of_components(btf, (yield from fit_pca(btf, None, _LATENTS, _SMOOTHING)))


def _determined(terms: NDArray[np.float64]) -> bool:
    """Whether the lights (N, M) determine the coefficients of all terms."""
    if len(terms) < terms.shape[1]:
        return False
    scaled = terms / np.linalg.norm(terms, axis=0)
    return bool(np.linalg.svd(scaled, compute_uv=False)[-1] > _LEAST_SPREAD)


def _of_series(kind: type[QuickBTF], btf: BTF, series: LightSeries) -> QuickBTF:
    """Make a model of coefficients: each texel has M latents for each of its channels."""
    channels = btf.channels
    parts = [
        (codes * scale + bias).reshape(len(codes), -1, btf.width, channels)
        for _, codes, scale, bias in series.blocks
    ]
    # (M, H, W, C) becomes (H, W, C * M).
    latents = np.concatenate(parts, axis=1).transpose(1, 2, 3, 0)
    latents = latents.reshape(btf.height, btf.width, -1)

    def table(light: NDArray[np.float64], _: NDArray[np.float64]) -> NDArray[np.float32]:
        terms = series.terms(light)
        # The latents of a channel change this channel alone.
        apart = np.einsum("pm,cd->pcmd", terms, np.eye(channels))
        flat = apart.reshape(len(terms), -1, channels)
        return np.pad(flat, ((0, 0), (1, 0), (0, 0))).astype(np.float32)

    return _model(kind, btf, latents, table)


def _of_components(btf: BTF, found: PrincipalComponents) -> QuickBTF:
    def table(light: NDArray[np.float64], view: NDArray[np.float64]) -> NDArray[np.float32]:
        values = found.spline(linear_places(found.space(light, view)))
        return values.reshape(len(light), found.latents + 1, -1).astype(np.float32)

    return _model(QuickBTF, btf, found.codes * found.scale + found.offset, table)


def _model(
    kind: type[QuickBTF], btf: BTF, latents: NDArray[np.float32], table: Callable[..., Any]
) -> QuickBTF:
    values = np.ascontiguousarray(latents, dtype=np.float32)
    none = np.empty((0, 3))
    return kind(
        light=btf.light,
        view=btf.view,
        dtype=btf.frames.dtype,
        source=btf.name,
        coded=FreeLatents(values, step=1.0),
        table=np.empty((0, values.shape[2] + 1, btf.channels), dtype=np.float32),
        imagined_light=none,
        imagined_view=none,
        continuation=Continuation(),
        quick_basis=_Basis(direction_space(btf.light, btf.view), table),
    )
