"""What a model file holds of the parallax codec: plain values and arrays by name."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.decoding.layers_storage import (
    FLOATS,
    Expected,
    expected_layers,
    pack_layers,
    unpack_layers,
)
from napari_btf.codec.latents.quantised import QuantisedLatents, read_codes
from napari_btf.codec.parallax.model import ARCHITECTURE, ParallaxBTF
from napari_btf.codec.parallax.networks import PAIR_FEATURES, VIEW_FEATURES, Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ARCHITECTURE", "expected", "pack", "unpack"]

_NETWORKS = ("depth", "shift", "shade")
#: Of the stereographic disk; the horizon is at 1.
_LARGEST_RADIUS = 1.0102


def pack(model: ParallaxBTF) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a file says of a model, and its tensors."""
    latents = model.latents.quantised
    streams, lengths = latents.streams
    tensors: dict[str, NDArray[Any]] = {
        "latent_streams": streams,
        "latent_lengths": lengths,
        "latent_scale": latents.scale,
        "latent_offset": latents.offset,
    }
    description: dict[str, Any] = {
        "depth_latents": model.depth_latents,
        "light_latents": model.light_latents,
        "periodic": model.periodic,
        "light_radius": model.light_radius,
        "view_radius": model.view_radius,
    }
    for name in _NETWORKS:
        network: Network = getattr(model, name)
        for part, layers in ((name, network.layers), (f"{name}_modulation", network.modulation)):
            said, packed = pack_layers(part, layers)
            description |= said
            tensors |= packed
    return description, tensors


def unpack(
    description: dict[str, Any], tensors: dict[str, NDArray[Any]], common: dict[str, Any]
) -> ParallaxBTF:
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

    def network(name: str) -> Network:
        parts = name, f"{name}_modulation"
        return Network(*(unpack_layers(description, tensors, part) for part in parts))

    return ParallaxBTF(
        latents=QuantisedLatents(
            read_codes(
                tensors["latent_streams"],
                tensors["latent_lengths"],
                (description["height"], description["width"], description["latents"]),
            ),
            tensors["latent_scale"].astype(np.float32),
            tensors["latent_offset"].astype(np.float32),
        ),
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


def expected(description: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> Expected:
    """The shape every tensor of a file must have, by its description and how many there are.

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
    if min(of_depth, of_light) < 0 or k - of_depth - of_light < 1:
        raise ValueError("more latents of one kind than there are")
    for key in ("light_radius", "view_radius"):
        value = description[key]
        if type(value) not in (int, float) or not 0 <= value <= _LARGEST_RADIUS:
            raise ValueError(f"{key} is {reprlib.repr(value)}")
    found: Expected = {
        "latent_streams": (shapes["latent_streams"][:1], ("U8",)),
        "latent_lengths": (shapes["latent_lengths"][:1], ("I64",)),
        "latent_scale": ((k,), FLOATS),
        "latent_offset": ((k,), FLOATS),
    }
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
