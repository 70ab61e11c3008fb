"""Models of every codec, trained for a moment, which is enough for their form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import napari_btf
from napari_btf.btf import BTF
from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.interpolation.basis import Continuation
from napari_btf.samples import open_sample

#: (light, view) in degrees: captured, between, and beyond.
PAIRS = (
    ((27.0, 137.0), (20.0, 90.0)),
    ((33.0, 71.0), (9.0, 50.0)),
    ((85.0, 300.0), (70.0, 200.0)),
    ((0.0, 0.0), (0.0, 0.0)),
)


def captured(views: int = 5, dtype: type = np.uint8) -> BTF:
    """A corner of the sample, 16 x 12 texels, under some of its lights."""
    btf = open_sample()
    some = btf.select([i for i in range(0, len(btf), 5) if btf.grid.view_of[i] < views])
    frames: Any = np.stack([frame[20:32, 20:36] for frame in some.iter_frames()])
    if dtype is np.float32:
        frames = frames.astype(np.float32) / 64
    return BTF(frames, some.light, some.view, source="made/here", format="memory")


def trained(name: str) -> napari_btf.CompressedBTF:
    match name:
        case "neural-basis":
            return napari_btf.train(captured(), latents=6)
        case "neural-basis, smoothed, on the disks":
            model = napari_btf.train(captured(), latents=6)
            assert isinstance(model, NeuralBasisBTF)
            smoothed = replace(model, continuation=Continuation(0.05, 0.5, "disks"))
            assert len(smoothed.basis.spline.bumps)
            return smoothed
        case "neural-basis, radiance, one view":
            return napari_btf.train(captured(views=1, dtype=np.float32), latents=5)
        case "parallax" | "parallax, clamped":
            model = napari_btf.train(captured(), codec="parallax", latents=12, epochs=1)
            assert isinstance(model, ParallaxBTF)
            assert model.depth_latents
            assert model.light_latents
            return replace(model, periodic=name == "parallax")
        case "parallax, one view":
            return napari_btf.train(captured(views=1), codec="parallax", latents=12, epochs=1)
        case "mlp, one view":
            return napari_btf.train(captured(views=1), codec="mlp", epochs=1)
        case _:
            return napari_btf.train(captured(), codec=name, epochs=1)
