"""The neural-basis codec: linear in the latents, with a basis that is evaluated once per frame.

``colour = B[0] + latents @ B[1:]``. The basis ``B(light, view)`` has K + 1 colours: PCA's mean and
components at the captured directions, and a spline between them (see
`napari_btf.interpolation.basis`).
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_btf.codec.decoding.compiled import decoding
from napari_btf.codec.decoding.layers import FrameLayers, in_chunks
from napari_btf.codec.decoding.on_device import OnDevice
from napari_btf.codec.decoding.part import KeptParts, Part
from napari_btf.codec.latents.stored import StoredLatents, widen
from napari_btf.codec.latents.transformed import CodedLatents, FreeLatents
from napari_btf.codec.model import CompressedBTF, shade_into
from napari_btf.errors import ModelFileError
from napari_btf.interpolation.basis import Continuation, DirectionBasis, direction_space
from napari_btf.interpolation.spline import LENGTH, RIDGE, fit_spline

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec.decoding.layers import Scratch, Shade
    from napari_btf.interpolation.spline import DirectionSpline, Places

__all__ = ["ARCHITECTURE", "NeuralBasisBTF"]

ARCHITECTURE = "neural-basis"

_BLOCK = 256
#: Distance of points that count as one, far below that of the points that a training keeps apart.
_SAME_PLACE = 1e-6
_FRAMES_VALUES = 1 << 22
"""Values of the frames that are computed together."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NeuralBasisBTF(CompressedBTF):
    """A model of the neural-basis codec.

    Parameters
    ----------
    coded : CodedLatents or FreeLatents
        Of K latents.
    table : ndarray of float16 or float32, shape (N + M, K + 1, C)
        The basis at the captured pairs, then at the imagined ones.
    imagined_light, imagined_view : ndarray, shape (M, 3)
        Pairs that were not captured (`napari_btf.codec.neural_basis.imagination.imagine`).
    continuation : Continuation
        How the table is continued to all pairs.
    """

    coded: CodedLatents | FreeLatents
    table: NDArray[np.floating[Any]]
    imagined_light: NDArray[np.float64]
    imagined_view: NDArray[np.float64]
    continuation: Continuation

    architecture: ClassVar[str] = ARCHITECTURE
    has_small_latents: ClassVar[bool] = True

    @property
    def height(self) -> int:
        """Rows of the texel grid."""
        return self.coded.height

    @property
    def width(self) -> int:
        """Columns of the texel grid."""
        return self.coded.width

    def _decoder_on(self, device: str) -> _OnDevice:
        return _OnDevice(self, device)

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The description and the tensors of a file, see `CompressedBTF.pack`."""
        coded = self.coded.coded
        tensors: dict[str, NDArray[Any]] = {
            "table": self.table,
            "imagined_light": self.imagined_light.astype(np.float32),
            "imagined_view": self.imagined_view.astype(np.float32),
            "latent_offset": coded.offset,
            "latent_streams": coded.streams,
            "latent_lengths": coded.lengths,
            "latent_lowest": coded.lowest,
            "latent_far_index": coded.far_index,
            "latent_far_code": coded.far_code,
        }
        settings = asdict(self.continuation)
        if self.continuation.ridge == RIDGE:
            # Left out, because files of earlier versions do not have it either.
            del settings["ridge"]
        return {"step": coded.step, **settings}, tensors

    def decoder_parts(self) -> dict[str, Any]:
        """The decoder as plain values and arrays, see `CompressedBTF.decoder_parts`."""
        basis = self.basis
        space, spline = basis.space, basis.spline
        bumps = None
        if len(spline.bumps):
            bumps = {
                "points": spline.points,
                "reach": spline.reach,
                "values": spline.bumps.astype(np.float32),
            }
        return {
            "light_radius": space.light_radius,
            "view_radius": space.view_radius,
            "centre": space.centre,
            "axes": space.axes,
            "trend": basis.continuation.trend,
            "dome": basis.continuation.dome,
            "length": LENGTH,
            "points": spline.points[spline.centres],
            "coefficients": spline.coefficients.astype(np.float32),
            "slopes": spline.slopes.astype(np.float32),
            "bumps": bumps,
        }

    @property
    def latent_count(self) -> int:
        """Latents per texel, K."""
        return self.coded.latents

    @property
    def channels(self) -> int:
        """Values per texel of a decoded image."""
        return int(self.table.shape[2])

    @property
    def latent_bytes(self) -> int:
        """Bytes of the latents in a file."""
        return self.coded.nbytes

    @property
    def latent_map(self) -> NDArray[np.float32]:
        """The latents as float32, shape (H, W, K); a copy if they have another type in memory."""
        return self.stored.latents()

    @cached_property
    def stored(self) -> StoredLatents:
        """The latents as they are in memory."""
        return self.coded.decode(self.latents_as)

    def with_latents(self, latent_map: ArrayLike) -> NeuralBasisBTF:
        """Return the same decoder with other latents, shape (H, W, K)."""
        latents = FreeLatents(self.checked_latents(latent_map), self.coded.step)
        other = replace(self, coded=latents)
        # The spline does not depend on the latents and takes long to fit, so it is kept.
        other.__dict__["basis"] = self.basis
        return other

    @cached_property
    def basis(self) -> DirectionBasis:
        """The basis for all directions.

        Raises
        ------
        ModelFileError
            If table and directions determine none, which only a file that no training wrote has.
        """
        space = direction_space(self.light, self.view)
        light = np.concatenate([self.light, self.imagined_light])
        view = np.concatenate([self.view, self.imagined_view])
        places = space.places(light, view, self.continuation)
        samples = self.table.reshape(len(places), -1).astype(np.float64)
        # A training merges pairs that coincide, but files may repeat some, and no spline has two
        # values at one point.
        kept = _first_of_each(places.points)
        if len(kept) < len(places):
            places, samples = places.at(kept), samples[kept]
        return DirectionBasis(
            space=space,
            continuation=self.continuation,
            spline=self._spline(places, samples),
            latents=self.latent_count,
            channels=self.channels,
        )

    def _spline(self, places: Places, samples: NDArray[np.float64]) -> DirectionSpline:
        problem = ModelFileError(
            self.path, "its directions determine no decoder", "train the model again"
        )
        try:
            # What is nearly singular, or beyond single precision, is found below.
            with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
                warnings.simplefilter("ignore")
                how = self.continuation
                spline = fit_spline(places, samples, how.smoothing, ridge=how.ridge)
        except np.linalg.LinAlgError as error:
            raise problem from error
        parts = spline.coefficients, spline.slopes, spline.bumps
        if not all(np.isfinite(part).all() for part in parts):
            raise problem
        return spline

    def _shaded_part(
        self, light: ArrayLike, view: ArrayLike, part: Part
    ) -> Iterator[NDArray[np.float32]]:
        light, view = np.asarray(light), np.asarray(view)
        flat = self._latents_of(part)
        together = int(np.clip(_FRAMES_VALUES // (len(flat) * self.channels), 1, 16))
        for start in range(0, len(light), _BLOCK):
            block = slice(start, start + _BLOCK)
            bases = self.basis(light[block], view[block])
            for first in range(0, len(bases), together):
                # (K + 1, frames, C), because several frames then read the latents only once.
                some = bases[first : first + together].transpose(1, 0, 2)
                basis = self.for_stored(some.reshape(len(some), -1))
                images = np.empty((len(flat), basis.shape[1]), dtype=np.float32)
                decoding(len(flat) * basis[1:].size)
                in_chunks(len(flat), partial(shade_into, _shade(flat, basis), images))
                for i in range(some.shape[1]):
                    image = images[:, i * self.channels : (i + 1) * self.channels]
                    yield np.ascontiguousarray(image).reshape(*part.shape, -1)

    @contextmanager
    def _shading(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> Iterator[Shade]:
        basis = self.for_stored(self.basis(light[np.newaxis], view[np.newaxis])[0])
        decoding(part.texels * basis[1:].size)
        yield _shade(self._latents_of(part), basis)

    def for_stored(self, basis: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert a basis (K + 1, V) for latents to one for their stored values."""
        values, scale, offset = self.stored
        if values.dtype == np.float32:
            return basis
        mean = basis[0] + offset @ basis[1:]
        return np.concatenate([mean[np.newaxis], scale[:, np.newaxis] * basis[1:]])

    def _latents_of(self, part: Part) -> NDArray[Any]:
        """Return the stored latents of a part, (T, K).

        Those of the whole surface are not copied.
        """

        def cut() -> NDArray[Any]:
            values = part.cut(self.stored.values)
            return np.ascontiguousarray(values).reshape(-1, self.latent_count)

        return self._kept_latents(part, cut)

    @cached_property
    def _kept_latents(self) -> KeptParts[NDArray[Any]]:
        return KeptParts()

    def shown(
        self, light: ArrayLike, view: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pair that is decoded when a given pair is asked for."""
        return self.basis.space.shown(light, view)


def _first_of_each(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the indices, ascending, of the first of the points (N, D) at each place."""
    _, first = np.unique(np.round(points / _SAME_PLACE), axis=0, return_index=True)
    return np.sort(first)


def _shade(latents: NDArray[Any], basis: NDArray[np.float32]) -> Shade:
    """Return a function that computes ``basis[0] + latents @ basis[1:]`` for any latents."""
    mix = FrameLayers([basis[1:].T], [basis[0]])

    def work(chunk: slice, scratch: Scratch, out: NDArray[np.float32]) -> None:
        values = latents[chunk]
        if values.dtype != np.float32:
            values = scratch("latents", *values.shape)
            widen(latents[chunk], values)
        mix(values, scratch, out)

    return work


class _OnDevice(OnDevice["NeuralBasisBTF"]):
    """Decodes a model of the codec on a device."""

    @cached_property
    def _latents(self) -> torch.Tensor:
        return self.to(self._model.stored.values)

    def _shade(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> torch.Tensor:
        import torch

        basis = self._model.basis(light[np.newaxis], view[np.newaxis])[0]
        table = self.to(self._model.for_stored(basis))
        flat = self._latents[part.slices].float().reshape(-1, self._model.latent_count)
        return torch.addmm(table[0], flat, table[1:])
