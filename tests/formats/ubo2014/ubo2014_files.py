"""Files of the University of Bonn, written from their description."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_btf.formats.ubo2014.header import SIGNATURES

RING = [(0.0, 0.0), (30.0, 0.0), (30.0, 120.0), (30.0, 240.0)]
EPSILON = 1e-5


@dataclass(frozen=True)
class Capture:
    """A file to write, and what is expected of it."""

    signature: str = "!DFMF08FCR"
    views: list[tuple[float, float]] = field(default_factory=lambda: RING[:3])
    """(theta, phi) of each view, degrees."""
    lights: list[list[tuple[float, float]]] = field(default_factory=lambda: [RING] * 3)
    """(theta, phi) of the lights of each view."""
    height: int = 3
    width: int = 5
    channels: int = 3
    components: int = 2
    dtype: str = "<f2"
    colour_model: int = 0
    """In FMF files 12 stands for the reduced range."""
    texels_first: bool = False
    version: int = 4
    extended_version: int = 2
    cosine: int = 0
    xml: bytes = b"<x/>"
    rotations: int = 0
    height_map: tuple[int, int] = (0, 0)
    setup: bytes = b"setup"
    unused: float = 1.0
    """What the numbers are that no reader uses."""

    @property
    def observations(self) -> int:
        return sum(len(lights) for lights in self.lights)

    def factors(self) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """(rows of observations, rows of texels) of each factor; values of about 1."""
        rng = np.random.default_rng(0)
        parts = self.channels if self.signature.startswith("!DFMF") else 1
        inside = self.channels // parts
        out = []
        for _ in range(parts):
            observations, texels = self.observations, self.height * self.width
            if self.texels_first:
                texels *= inside
            else:
                observations *= inside
            out.append(
                tuple(
                    rng.uniform(-1, 1, (rows, self.components)).astype(self.dtype)
                    for rows in (observations, texels)
                )
            )
        return out  # type: ignore[return-value]

    def to_bytes(self) -> bytes:
        extended = self.signature == "!FMF12FCER"
        body = b"".join(name.ljust(80, b"\0") for name in (self.setup, b"cam", b"led"))
        body += struct.pack("<4f", *[self.unused] * 4)
        if self.version > 1:
            body += struct.pack("<I", self.cosine)
        if self.version > 2:
            body += struct.pack("<I", len(self.xml)) + self.xml
        if self.version > 3:
            body += struct.pack("<I", self.channels) + b"\1\0\0\0R" * self.channels
        out = self.signature.encode()
        out += struct.pack("<II", len(body) + 8, self.version) + body
        out += struct.pack("<I", len(self.views))
        for view, lights in zip(self.views, self.lights, strict=True):
            out += np.deg2rad(view).astype("<f4").tobytes()
            out += struct.pack("<I", len(lights))
            out += np.deg2rad(lights).astype("<f4").tobytes()
        out += struct.pack("<II", self.width, self.height)
        if self.signature.endswith("R"):
            out += struct.pack("<I", self.rotations) + bytes(36 * self.rotations)
        if self.signature.startswith("!DFMF"):
            out += struct.pack("<Ii", self.components, self.colour_model)
            out += struct.pack("<12f", *[self.unused] * 12)
        else:
            if extended:
                out += struct.pack("<B", self.extended_version)
            if extended and self.extended_version > 0:
                out += struct.pack("<I", self.colour_model == 12)
            if extended and self.extended_version > 1:
                out += struct.pack("<II", *self.height_map)
                out += bytes(2 * self.height_map[0] * self.height_map[1])
            out += struct.pack("<I", self.components)
        for observations, texels in self.factors():
            u, v = (texels, observations) if self.texels_first else (observations, texels)
            size = u.dtype.itemsize
            out += struct.pack("<BIII", size, self.components, len(u), len(v))
            out += bytes(size * self.components) + u.tobytes() + v.tobytes()
        return out

    def write(self, path: Path) -> Path:
        path.write_bytes(self.to_bytes())
        return path

    def expected(self) -> NDArray[np.float64]:
        """(N, H, W, C) values, from the definition of the colour models."""
        n, p, c = self.observations, self.height * self.width, self.channels
        products = [
            observations.astype(np.float64) @ texels.astype(np.float64).T
            for observations, texels in self.factors()
        ]
        if len(products) > 1:
            values = np.stack(products, axis=-1)
        elif self.texels_first:
            values = products[0].reshape(n, p, c)
        else:
            values = products[0].reshape(n, c, p).swapaxes(1, 2)
        if self.colour_model == 12:
            values = np.exp(values) - EPSILON
        elif self.colour_model == 11:
            y = np.exp(values[..., 0]) - EPSILON
            u, v = (values[..., i] * (y + EPSILON) for i in (1, 2))
            values = np.stack(
                [y + 1.13983 * v, y - 0.39465 * u - 0.58060 * v, y + 2.03211 * u], axis=-1
            )
        return values.reshape(n, self.height, self.width, c)


def degrees(theta: float = 80.0) -> st.SearchStrategy[tuple[float, float]]:
    return st.tuples(st.floats(0, theta), st.floats(0, 360))


@st.composite
def captures(draw: st.DrawFn) -> Capture:
    signature = draw(st.sampled_from(SIGNATURES))
    version = draw(st.integers(1, 4))
    channels = draw(st.sampled_from([1, 3])) if version == 4 else 3
    extended_version = draw(st.integers(0, 2))
    models = [0]
    if signature.startswith("!DFMF"):
        models += [12] + [11] * (channels == 3)
    elif signature == "!FMF12FCER" and extended_version:
        models += [12]
    views = draw(st.lists(degrees(), min_size=1, max_size=3))
    light_lists = st.lists(degrees(), max_size=4)
    lights = draw(st.lists(light_lists, min_size=len(views), max_size=len(views)))
    assume(any(lights))
    capture = Capture(
        signature=signature,
        views=views,
        lights=lights,
        height=draw(st.integers(1, 4)),
        width=draw(st.integers(1, 4)),
        channels=channels,
        components=draw(st.integers(1, 4)),
        dtype=draw(st.sampled_from(["<f2", "<f4", "<f8"])),
        colour_model=draw(st.sampled_from(models)),
        version=version,
        extended_version=extended_version,
        rotations=draw(st.integers(0, 2)),
        height_map=draw(st.tuples(st.integers(0, 3), st.integers(0, 3))),
        xml=draw(st.binary(max_size=300)),
    )
    if capture.observations != capture.height * capture.width and draw(st.booleans()):
        capture = replace(capture, texels_first=True)
    return capture
