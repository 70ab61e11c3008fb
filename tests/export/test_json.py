"""Models in JSON: decoded here with what docs/exports.md says, and nothing else."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from trained_models import PAIRS

from napari_btf.codec import CompressedBTF
from napari_btf.directions import angles_to_vectors
from napari_btf.export.json_export import write_json
from napari_btf.texels.sampling import all_texels

Array = NDArray[Any]


def array(of: dict[str, Any]) -> Array:
    dtype = np.dtype(of["dtype"]).newbyteorder("<")
    values = np.frombuffer(base64.b64decode(of["data"]), dtype).reshape(of["shape"])
    return values.astype(np.float64) if values.dtype.kind == "f" else values


def disk(d: Array, radius: float) -> Array:
    p = d[:2] / (1 + d[2])
    length = np.hypot(*p)
    return p * min(1, radius / length) if length else p


def vector(p: Array) -> Array:
    s = p @ p
    return np.array([2 * p[0], 2 * p[1], 1 - s]) / (1 + s)


def image(file: dict[str, Any], light: Array, view: Array) -> Array:
    decoder = file["decoder"]
    latents = array(file["latent_map"])
    lit = disk(light, decoder["light_radius"])
    seen = disk(view, decoder["view_radius"])
    decode = {"neural-basis": basis, "parallax": parallax}.get(file["codec"], texel_network)
    value = decode(decoder, latents, lit, seen).clip(0, None if file["log"] else 1)
    return np.expm1(value) if file["log"] else value


def linear(layer: dict[str, Any], h: Array) -> Array:
    return h @ array(layer["weight"]).T + array(layer["bias"])


def texel_network(decoder: dict[str, Any], latents: Array, lit: Array, seen: Array) -> Array:
    directions = np.concatenate([lit, seen])[: decoder["inputs"]]
    h = np.concatenate(
        [latents, np.broadcast_to(directions, (*latents.shape[:2], len(directions)))], -1
    )
    first, *others = decoder["layers"]
    h = linear(first, h)
    for layer in others:
        h = linear(layer, np.maximum(h, 0))
    return h


def basis(decoder: dict[str, Any], latents: Array, lit: Array, seen: Array) -> Array:
    centre, axes = array(decoder["centre"]), array(decoder["axes"])
    q = (np.concatenate([lit, seen]) - centre) @ axes
    shown = centre + axes @ q
    v = np.concatenate([vector(shown[:2]), vector(shown[2:])])
    at = v * np.tile([1, 1, decoder["dome"]], 2)
    r = np.sqrt(3) * np.linalg.norm(at - array(decoder["points"]), axis=1) / decoder["length"]
    trend = v
    if decoder["trend"] == "disks":
        pairs = [q[i] * q[j] for i in range(len(q)) for j in range(i, len(q))]
        trend = np.concatenate([q, pairs])
    table = ((1 + r) * np.exp(-r)) @ array(decoder["coefficients"])
    table += np.concatenate([[1], trend]) @ array(decoder["slopes"])
    if decoder["bumps"]:
        bumps = {key: array(value) for key, value in decoder["bumps"].items()}
        s = np.linalg.norm(at - bumps["points"], axis=1) / bumps["reach"]
        table += (np.maximum(1 - s, 0) ** 4 * (4 * s + 1)) @ bumps["values"]
    colours = table.reshape(latents.shape[2] + 1, -1)
    return colours[0] + latents @ colours[1:]


def parallax(decoder: dict[str, Any], latents: Array, lit: Array, seen: Array) -> Array:
    height, width, k = latents.shape
    light = vector(lit)
    view = array(decoder["view"]) if decoder["view"] else vector(seen)
    seen = disk(view, 1)
    half = (light + view) / np.linalg.norm(light + view)
    pair = np.concatenate([lit, seen, [light[2], view[2]], half[:2]])
    of_depth, of_view, of_light = np.split(
        latents, [decoder["depth_latents"], k - decoder["light_latents"]], axis=2
    )
    places = np.indices((height, width)).transpose(1, 2, 0).astype(float)

    def network(name: str, h: Array, features: Array) -> Array:
        modulation = features
        for i, layer in enumerate(decoder[name]["modulation"]):
            modulation = linear(layer, modulation / (1 + np.exp(-modulation)) if i else modulation)
        layers, start = decoder[name]["layers"], 0
        for layer in layers[:-1]:
            units = len(array(layer["bias"]))
            scale, shift = modulation[start : start + 2 * units].reshape(2, units)
            h = np.maximum(linear(layer, h) * (1 + scale) + shift, 0)
            start += 2 * units
        return linear(layers[-1], h)

    def tangent(d: Array) -> Array:
        return np.array([-d[1], d[0]]) / max(d[2], decoder["grazing"])

    def fetch(of: Array, at: Array) -> Array:
        size = np.array([height, width])
        at = at % size if decoder["periodic"] else np.clip(at, 0, size - 1)
        low = np.floor(at).astype(int)
        y, x = np.moveaxis(at - low, -1, 0)[..., np.newaxis]
        found = 0
        for down, right, share in (
            (0, 0, (1 - y) * (1 - x)),
            (0, 1, (1 - y) * x),
            (1, 0, y * (1 - x)),
            (1, 1, y * x),
        ):
            corner = low + np.array([down, right])
            corner = corner % size if decoder["periodic"] else np.minimum(corner, size - 1)
            found = found + share * of[corner[..., 0], corner[..., 1]]
        return np.asarray(found)

    if decoder["depth_latents"]:
        places = places + network("depth", of_depth, np.concatenate([seen, view])) * tangent(view)
        of_view = fetch(of_view, places)
    h = of_view
    if decoder["light_latents"]:
        there = places + network("shift", h, pair) * tangent(light)
        h = np.concatenate([fetch(of_light, there), h], axis=-1)
    return network("shade", h, pair)


def test_the_file_is_enough_to_relight(any_model: CompressedBTF, tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(192, 2))
    (path,) = write_json(any_model, tmp_path, "x", (points, all_texels(12, 16)))
    file = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert path.name == "model_x.json"
    assert (file["format"], file["version"]) == ("napari-btf json", 1)
    assert (file["width"], file["height"], file["channels"]) == (16, 12, 3)
    np.testing.assert_array_equal(array(file["latent_map"]), any_model.latent_map)
    np.testing.assert_allclose(array(file["embedding"]["points"]), points, rtol=1e-6)
    assert array(file["embedding"]["texels"])[17].tolist() == [1, 1]
    pairs = array(file["directions"]["pairs"])
    lights, views = (array(file["directions"][name]) for name in ("lights", "views"))
    np.testing.assert_allclose(lights[pairs[:, 0]], any_model.light, atol=1e-7)
    np.testing.assert_allclose(views[pairs[:, 1]], any_model.view, atol=1e-7)
    for light, view in PAIRS:
        pair = angles_to_vectors(*light), angles_to_vectors(*view)
        np.testing.assert_allclose(
            image(file, *pair), any_model.decode(*pair), rtol=1e-4, atol=1e-4
        )
