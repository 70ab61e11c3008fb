"""Read the parallax codec from the plain values and tensors of a model file."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

from napari_btf.codec.decoding.layers_storage import Expected, expected_layers, unpack_layers
from napari_btf.codec.features import PAIR_FEATURES, VIEW_FEATURES
from napari_btf.codec.latents.quantised import expected_codes, unpack_codes
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.codec.parallax.networks import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["expected", "unpack"]

#: Largest radius on the stereographic disk; the horizon is at 1.
_LARGEST_RADIUS = 1.0102
#: Largest possible value in the networks, so that decoded values stay finite in single precision.
_LARGEST = 1e30


def unpack(
    description: dict[str, Any], tensors: dict[str, NDArray[Any]], common: dict[str, Any]
) -> ParallaxBTF:
    """Return the model of a file (see `napari_btf.codec.record.Codec`).

    Raises
    ------
    ValueError
        If the latents are damaged, or values are larger than any training gives.
    """

    def network(name: str) -> Network:
        parts = name, f"{name}_modulation"
        return Network(*(unpack_layers(description, tensors, part) for part in parts))

    model = ParallaxBTF(
        latents=unpack_codes(description, tensors),
        depth_latents=description["depth_latents"],
        light_latents=description["light_latents"],
        depth=network("depth"),
        shift=network("shift"),
        shade=network("shade"),
        periodic=description["periodic"],
        light_radius=float(description["light_radius"]),
        view_radius=float(description["view_radius"]),
        **common,
    )
    if not model.largest_value < _LARGEST:
        raise ValueError("the networks give values of any size")
    return model


def expected(description: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> Expected:
    """Return the shape and the types that every tensor of a file must have.

    Counts that only the file knows (directions, pairs, hidden units) are taken from ``shapes``.

    Raises
    ------
    KeyError, TypeError, ValueError, IndexError
        If the description or a tensor's shape is not what it must be.
    """
    channels, k, of_depth, of_light = (
        description[key] for key in ("channels", "latents", "depth_latents", "light_latents")
    )
    if type(description["periodic"]) is not bool:
        raise ValueError("periodic is neither true nor false")
    if type(of_depth) is not int or type(of_light) is not int:
        raise ValueError("a number of latents is none")
    if min(of_depth, of_light) < 0 or k - of_depth - of_light < 1:
        raise ValueError("more latents of one kind than there are")
    for key in ("light_radius", "view_radius"):
        value = description[key]
        if type(value) not in (int, float) or not 0 <= value <= _LARGEST_RADIUS:
            raise ValueError(f"{key} is {reprlib.repr(value)}")
    found = expected_codes(shapes, k)
    moved = k - of_depth - of_light
    for name, features, inputs, outputs, used in (
        ("depth", VIEW_FEATURES, of_depth, 1, bool(of_depth)),
        ("shift", PAIR_FEATURES, moved, 1, bool(of_light)),
        ("shade", PAIR_FEATURES, moved + of_light, channels, True),
    ):
        layers = expected_layers(description, shapes, name, inputs, outputs, used)
        hidden = sum(shape[0] for part, (shape, _) in layers.items() if part.endswith("bias"))
        hidden -= outputs if layers else 0
        found |= layers
        modulation = f"{name}_modulation"
        found |= expected_layers(description, shapes, modulation, features, 2 * hidden, used)
    return found
