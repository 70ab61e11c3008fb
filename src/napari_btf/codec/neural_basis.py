"""The neural-basis codec: linear in the latents, its basis evaluated once per frame.

``colour = B[0] + latents @ B[1:]`` with a basis ``B(light, view)`` of K + 1 colours: PCA's
mean and components at the captured directions, a small network (where it helps) and a spline
between them (see `napari_btf.codec.basis`).
"""

from __future__ import annotations

import reprlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_btf.codec.basis import DirectionBasis, SmoothNetwork, direction_space
from napari_btf.codec.latent_coding import CodedLatents
from napari_btf.codec.model import CompressedBTF
from napari_btf.codec.spline import fit_spline
from napari_btf.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = ["ARCHITECTURE", "NeuralBasisBTF", "expected", "pack", "unpack"]

ARCHITECTURE = "neural-basis"

_BLOCK = 256
_FRAMES_VALUES = 1 << 22
"""Values of the frames that are computed together."""
_WORTH_SHARING = 1 << 20
"""Latents below which a second core does not help."""
_LARGEST_LAYERS = 8
_LARGEST_SMOOTHING = 1e6


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NeuralBasisBTF(CompressedBTF):
    """A model of the neural-basis codec.

    Parameters
    ----------
    coded : CodedLatents
        Of K latents.
    table : ndarray of float16 or float32, shape (N, K + 1, C)
        The basis at the captured pairs.
    network : SmoothNetwork
        Trend of the basis over directions; none for zero.
    smoothing : float
        Of the spline over what the network leaves of the table.
    """

    coded: CodedLatents
    table: NDArray[np.floating[Any]]
    network: SmoothNetwork
    smoothing: float

    architecture: ClassVar[str] = ARCHITECTURE

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

    @cached_property
    def latent_map(self) -> NDArray[np.float32]:
        """The latents as float32, shape (H, W, K)."""
        return self.coded.decode()

    @cached_property
    def basis(self) -> DirectionBasis:
        """The basis for all directions."""
        space = direction_space(self.light, self.view)
        points = space(self.light, self.view)
        samples = self.table.reshape(len(points), -1).astype(np.float64)
        return DirectionBasis(
            space=space,
            network=self.network,
            spline=fit_spline(points, samples - self.network(points), self.smoothing),
            latents=self.latent_count,
            channels=self.channels,
        )

    def shaded(self, light: ArrayLike, view: ArrayLike) -> Iterator[NDArray[np.float32]]:
        """Images (H, W, C) in the fitted domain, not clipped, for unit vectors (P, 3)."""
        light, view = np.asarray(light), np.asarray(view)
        flat = self.latent_map.reshape(-1, self.latent_count)
        together = int(np.clip(_FRAMES_VALUES // (len(flat) * self.channels), 1, 16))
        for start in range(0, len(light), _BLOCK):
            block = slice(start, start + _BLOCK)
            bases = self.basis(light[block], view[block])
            for first in range(0, len(bases), together):
                # (K + 1, frames, C): several frames read the latents only once.
                some = bases[first : first + together].transpose(1, 0, 2)
                images = _product(flat, some.reshape(len(some), -1))
                for i in range(some.shape[1]):
                    image = images[:, i * self.channels : (i + 1) * self.channels]
                    yield np.ascontiguousarray(image).reshape(self.height, self.width, -1)

    def shown(
        self, light: ArrayLike, view: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The pair that is decoded when this one is asked for."""
        return self.basis.space.shown(light, view)


def _product(latents: NDArray[np.float32], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """``basis[0] + latents @ basis[1:]``, on two cores where that is worth it.

    The product is so thin that it is bound by reading the latents, and the linear algebra library
    shares out such products badly.
    """
    out = np.empty((len(latents), basis.shape[1]), dtype=np.float32)

    def part(rows: slice) -> None:
        np.matmul(latents[rows], basis[1:], out=out[rows])
        out[rows] += basis[0]

    with one_thread():
        if latents.size < _WORTH_SHARING:
            part(slice(None))
        else:
            half = len(latents) // 2
            other = _pool().submit(part, slice(half))
            part(slice(half, None))
            other.result()
    return out


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="napari-btf-decode")


def pack(model: NeuralBasisBTF) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a file says of a model, and its tensors."""
    coded = model.coded
    tensors: dict[str, NDArray[Any]] = {
        "table": model.table,
        "latent_offset": coded.offset,
        "latent_streams": coded.streams,
        "latent_lengths": coded.lengths,
        "latent_lowest": coded.lowest,
        "latent_far_index": coded.far_index,
        "latent_far_code": coded.far_code,
    }
    layers = zip(model.network.weights, model.network.biases, strict=True)
    for i, (weight, bias) in enumerate(layers):
        tensors[f"network_{i}_weight"], tensors[f"network_{i}_bias"] = weight, bias
    description = {
        "step": coded.step,
        "smoothing": model.smoothing,
        "layers": len(model.network.weights),
    }
    return description, tensors


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
    for key, most in (("step", 1e9), ("smoothing", _LARGEST_SMOOTHING)):
        value = description[key]
        if type(value) not in (int, float) or not 0 <= value <= most:
            raise ValueError(f"{key} is {reprlib.repr(value)}")
    layers = description["layers"]
    if type(layers) is not int or not 0 <= layers <= _LARGEST_LAYERS:
        raise ValueError(f"layers is {reprlib.repr(layers)}")
    k, c = description["latents"], description["channels"]
    pairs = description["pairs"]
    floats, integers = ("F16", "F32"), ("I64",)
    streams, far = shapes["latent_lengths"][0], shapes["latent_far_index"][0]
    found: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
        "table": ((pairs, k + 1, c), floats),
        "latent_offset": ((k,), floats),
        "latent_streams": ((shapes["latent_streams"][0],), ("U8",)),
        "latent_lengths": ((streams,), integers),
        "latent_lowest": ((streams,), integers),
        "latent_far_index": ((far,), integers),
        "latent_far_code": ((far,), integers),
    }
    width = shapes["network_0_weight"][1] if layers else 0
    for i in range(layers):
        out = (k + 1) * c if i == layers - 1 else shapes[f"network_{i}_bias"][0]
        found[f"network_{i}_weight"] = ((out, width), floats)
        found[f"network_{i}_bias"] = ((out,), floats)
        width = out
    return found


def unpack(
    description: dict[str, Any], tensors: dict[str, NDArray[Any]], common: dict[str, Any]
) -> NeuralBasisBTF:
    """The model of a file.

    Parameters
    ----------
    description : dict
    tensors : dict
    common : dict
        ``light view dtype source path``.

    Raises
    ------
    ValueError
        If the latents are damaged, or the network does not fit the directions.
    """
    layers = range(description["layers"])
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
        network=SmoothNetwork(
            tuple(tensors[f"network_{i}_weight"] for i in layers),
            tuple(tensors[f"network_{i}_bias"] for i in layers),
        ),
        smoothing=float(description["smoothing"]),
        **common,
    )
    features = 3 * direction_space(model.light, model.view).axes.shape[1]
    if layers and tensors["network_0_weight"].shape[1] != features:
        raise ValueError("the network is for other directions")
    # Now rather than when it is shown: a damaged file is refused as a whole.
    if not np.isfinite(model.latent_map).all():
        raise ValueError("the latents are not finite")
    return model
