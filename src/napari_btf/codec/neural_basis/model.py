"""The neural-basis codec: linear in the latents, its basis evaluated once per frame.

``colour = B[0] + latents @ B[1:]`` with a basis ``B(light, view)`` of K + 1 colours: PCA's
mean and components at the captured directions, and a spline between them (see
`napari_btf.interpolation.basis`).
"""

from __future__ import annotations

import reprlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_btf.codec.decoding.compiled import decoding
from napari_btf.codec.decoding.layers import FrameLayers, in_chunks
from napari_btf.codec.decoding.part import KeptParts, Part
from napari_btf.codec.latents.stored import StoredLatents, widen
from napari_btf.codec.latents.transformed import CodedLatents, FreeLatents
from napari_btf.codec.model import CompressedBTF, shade_into
from napari_btf.interpolation.basis import TRENDS, Continuation, DirectionBasis, direction_space
from napari_btf.interpolation.spline import fit_spline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec.decoding.layers import Scratch, Shade

__all__ = ["ARCHITECTURE", "NeuralBasisBTF", "expected", "pack", "unpack"]

ARCHITECTURE = "neural-basis"

_BLOCK = 256
_FRAMES_VALUES = 1 << 22
"""Values of the frames that are computed together."""
_LARGEST_SMOOTHING, _LARGEST_DOME = 1e6, 1e3


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
        """The latents as float32, shape (H, W, K); made anew if they are smaller in memory."""
        return self.stored.latents()

    @cached_property
    def stored(self) -> StoredLatents:
        """The latents as they are in memory."""
        return self.coded.decode(self.latents_as)

    def with_latents(self, latent_map: ArrayLike) -> NeuralBasisBTF:
        """The same decoder with other latents, shape (H, W, K)."""
        latents = FreeLatents(self.checked_latents(latent_map), self.coded.step)
        other = replace(self, coded=latents)
        # It does not depend on the latents, and takes long to fit.
        other.__dict__["basis"] = self.basis
        return other

    @cached_property
    def basis(self) -> DirectionBasis:
        """The basis for all directions."""
        space = direction_space(self.light, self.view)
        light = np.concatenate([self.light, self.imagined_light])
        view = np.concatenate([self.view, self.imagined_view])
        places = space.places(light, view, self.continuation)
        samples = self.table.reshape(len(places), -1).astype(np.float64)
        return DirectionBasis(
            space=space,
            continuation=self.continuation,
            spline=fit_spline(places, samples, self.continuation.smoothing),
            latents=self.latent_count,
            channels=self.channels,
        )

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
                # (K + 1, frames, C): several frames read the latents only once.
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
        """A basis (K + 1, V) for latents, made one for their values in memory."""
        values, scale, offset = self.stored
        if values.dtype == np.float32:
            return basis
        mean = basis[0] + offset @ basis[1:]
        return np.concatenate([mean[np.newaxis], scale[:, np.newaxis] * basis[1:]])

    def _latents_of(self, part: Part) -> NDArray[Any]:
        """Latents of a part as they are in memory, (T, K), of the whole surface without a copy."""

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
        """The pair that is decoded when this one is asked for."""
        return self.basis.space.shown(light, view)


def _shade(latents: NDArray[Any], basis: NDArray[np.float32]) -> Shade:
    """Computes ``basis[0] + latents @ basis[1:]``; latents of any type."""
    mix = FrameLayers([basis[1:].T], [basis[0]])

    def work(chunk: slice, scratch: Scratch, out: NDArray[np.float32]) -> None:
        values = latents[chunk]
        if values.dtype != np.float32:
            values = scratch("latents", *values.shape)
            widen(latents[chunk], values)
        mix(values, scratch, out)

    return work


def pack(model: NeuralBasisBTF) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a file says of a model, and its tensors."""
    coded = model.coded.coded if isinstance(model.coded, FreeLatents) else model.coded
    tensors: dict[str, NDArray[Any]] = {
        "table": model.table,
        "imagined_light": model.imagined_light.astype(np.float32),
        "imagined_view": model.imagined_view.astype(np.float32),
        "latent_offset": coded.offset,
        "latent_streams": coded.streams,
        "latent_lengths": coded.lengths,
        "latent_lowest": coded.lowest,
        "latent_far_index": coded.far_index,
        "latent_far_code": coded.far_code,
    }
    return {"step": coded.step, **asdict(model.continuation)}, tensors


def expected(
    description: dict[str, Any], shapes: dict[str, tuple[int, ...]]
) -> dict[str, tuple[tuple[int, ...], tuple[str, ...]]]:
    """Shapes and types that the tensors of a file must have.

    Parameters
    ----------
    description : dict
        With ``height width channels latents pairs`` checked already.
    shapes : dict
        Of the tensors there.

    Raises
    ------
    ValueError, KeyError, TypeError, IndexError
        If the description is none.
    """
    bounds = (("step", 1e9), ("smoothing", _LARGEST_SMOOTHING), ("dome", _LARGEST_DOME))
    for key, most in bounds:
        value = description[key]
        if type(value) not in (int, float) or not 0 <= value <= most:
            raise ValueError(f"{key} is {reprlib.repr(value)}")
    if description["trend"] not in TRENDS:
        raise ValueError(f"trend is {reprlib.repr(description['trend'])}")
    k, c = description["latents"], description["channels"]
    imagined = shapes["imagined_light"][0]
    floats, integers = ("F16", "F32"), ("I64",)
    streams, far = shapes["latent_lengths"][0], shapes["latent_far_index"][0]
    return {
        "table": ((description["pairs"] + imagined, k + 1, c), floats),
        "imagined_light": ((imagined, 3), ("F32",)),
        "imagined_view": ((imagined, 3), ("F32",)),
        "latent_offset": ((k,), floats),
        "latent_streams": ((shapes["latent_streams"][0],), ("U8",)),
        "latent_lengths": ((streams,), integers),
        "latent_lowest": ((streams,), integers),
        "latent_far_index": ((far,), integers),
        "latent_far_code": ((far,), integers),
    }


def unpack(
    description: dict[str, Any], tensors: dict[str, NDArray[Any]], common: dict[str, Any]
) -> NeuralBasisBTF:
    """The model of a file.

    Parameters
    ----------
    description : dict
    tensors : dict
    common : dict
        ``light view dtype source path latents_as``.

    Raises
    ------
    ValueError
        If the latents are damaged.
    """
    model = NeuralBasisBTF(
        coded=CodedLatents(
            height=description["height"],
            width=description["width"],
            latents=description["latents"],
            step=float(description["step"]),
            offset=tensors["latent_offset"].astype(np.float32),
            streams=tensors["latent_streams"],
            lengths=tensors["latent_lengths"],
            lowest=tensors["latent_lowest"],
            far_index=tensors["latent_far_index"],
            far_code=tensors["latent_far_code"],
        ),
        table=tensors["table"],
        imagined_light=tensors["imagined_light"].astype(np.float64),
        imagined_view=tensors["imagined_view"].astype(np.float64),
        continuation=Continuation(
            float(description["smoothing"]), float(description["dome"]), description["trend"]
        ),
        **common,
    )
    # Now rather than when it is shown: a damaged file is refused as a whole.
    stored = model.stored
    values = stored.scale + stored.offset if stored.values.dtype.kind == "u" else stored.values
    if not (np.isfinite(values).all() and np.isfinite(stored.scale + stored.offset).all()):
        raise ValueError("the latents are not finite")
    return model
