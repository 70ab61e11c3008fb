"""Read the neural-basis codec from the plain values and tensors of a model file."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.latents.transformed import CodedLatents
from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.interpolation.basis import TRENDS, Continuation
from napari_btf.interpolation.spline import RIDGE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.decoding.layers_storage import Expected

__all__ = ["expected", "unpack"]

_LARGEST_SMOOTHING, _LARGEST_DOME, _LARGEST_RIDGE = 1e6, 1e3, 1e6
_LARGEST_LATENT = 1e18
#: No capture has more pairs; fitting a spline to so many takes some seconds.
_MOST_PAIRS = 1 << 16
#: Up to so many pairs the spline is fitted when a file is opened, so that it is refused as a whole.
_CHECKED_NOW = 1024


def expected(description: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> Expected:
    """Return the shapes and types that the tensors of a file must have.

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
    bounds = (
        ("step", 1e9),
        ("smoothing", _LARGEST_SMOOTHING),
        ("dome", _LARGEST_DOME),
        ("ridge", _LARGEST_RIDGE),
    )
    for key, most in bounds:
        value = description.get(key, RIDGE) if key == "ridge" else description[key]
        if type(value) not in (int, float) or not 0 <= value <= most:
            raise ValueError(f"{key} is {reprlib.repr(value)}")
    if description["trend"] not in TRENDS:
        raise ValueError(f"trend is {reprlib.repr(description['trend'])}")
    k, c = description["latents"], description["channels"]
    imagined = shapes["imagined_light"][0]
    if description["pairs"] + imagined > _MOST_PAIRS:
        raise ValueError("there are more pairs of directions than any capture has")
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
    """Return the model of a file (see `napari_btf.codec.record.Codec`).

    Raises
    ------
    ValueError
        If the latents are damaged.
    ModelFileError
        If the directions determine no decoder.
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
            float(description["smoothing"]),
            float(description["dome"]),
            description["trend"],
            float(description.get("ridge", RIDGE)),
        ),
        **common,
    )
    # The latents are decoded now, so that a damaged file is refused as a whole.
    stored = model.stored
    values = stored.scale + stored.offset if stored.values.dtype.kind == "u" else stored.values
    if not (np.isfinite(values).all() and np.isfinite(stored.scale + stored.offset).all()):
        raise ValueError("the latents are not finite")
    # Their products with a basis stay finite in single precision.
    if max(np.abs(values).max(), np.abs(stored.scale + stored.offset).max()) > _LARGEST_LATENT:
        raise ValueError("the latents are larger than any training gives")
    if len(model.table) <= _CHECKED_NOW:
        assert model.basis
    return model
