"""Images of a compressed BTF under any light: one, several, or a whole environment.

This folder holds what lies between a model and the pixels of an image: lights, environments, paths
of light and view, shots, and estimates of the surface. How a codec decodes its latents is in
`napari_btf.codec`, image and movie files are written by `napari_btf.export`, and windows are in
`napari_btf.plugin`.
"""

from __future__ import annotations

from napari_btf.directions import Angles, unit_vector
from napari_btf.relighting.environments import PRESETS, Environment, find_environment
from napari_btf.relighting.frames import Lighting, Relighter, combine, relight
from napari_btf.relighting.lights import Light
from napari_btf.relighting.paths import LightPath, circle, find_path, frames_along, spiral, sweep
from napari_btf.relighting.reach import (
    default_view,
    differences,
    differences_along,
    limits,
    outside,
)
from napari_btf.relighting.surface import SurfaceEstimate, estimate_surface

__all__ = [
    "PRESETS",
    "Angles",
    "Environment",
    "Light",
    "LightPath",
    "Lighting",
    "Relighter",
    "SurfaceEstimate",
    "circle",
    "combine",
    "default_view",
    "differences",
    "differences_along",
    "estimate_surface",
    "find_environment",
    "find_path",
    "frames_along",
    "limits",
    "outside",
    "relight",
    "spiral",
    "sweep",
    "unit_vector",
]
