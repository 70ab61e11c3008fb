"""What a shot shows: its model and its light in words, and how far the model reaches there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_btf.directions import angles_to_vectors, format_angles, vectors_to_angles
from napari_btf.plugin.layers import directions_text
from napari_btf.relighting import Environment, limits, outside

if TYPE_CHECKING:
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin._frames import Shot

__all__ = ["described", "described_model", "problem_of"]

#: Lights that are written out on the canvas.
_MOST_WRITTEN = 3


def described(shot: Shot) -> str:
    """What the canvas says about a relit image."""
    lighting = shot.lighting
    view = angles_to_vectors(*shot.view)
    if lighting is None:
        return directions_text(angles_to_vectors(*shot.light), view)
    # On a line of its own: lights are long enough for a narrow canvas.
    towards = f"\nview {format_angles(view)}"
    if isinstance(lighting, Environment):
        turned = f" turned {lighting.turn:.0f}°" if lighting.turn else ""
        return f"environment {lighting.name}{turned}{towards}"
    lit = [light for light in lighting if light.intensity > 0]
    if not lit:
        return f"all lights off{towards}"
    places = [format_angles(light.vector) for light in lit[:_MOST_WRITTEN]]
    places += ["..."] * (len(lit) > _MOST_WRITTEN)
    count = "light" if len(lit) == 1 else f"{len(lit)} lights"
    return f"{count} {'; '.join(places)}{towards}"


def problem_of(shot: Shot) -> str | None:
    """Why an image is not what was asked for, in one sentence; None if it is."""
    lighting = shot.lighting
    if lighting is None:
        return outside(shot.model, shot.light, shot.view)
    if isinstance(lighting, Environment):
        # Its lights are put where the model reaches.
        theta, phi = vectors_to_angles(shot.model.light[0])
        return outside(shot.model, (float(theta), float(phi)), shot.view)
    problems = (outside(shot.model, (light.theta, light.phi), shot.view) for light in lighting)
    return next((problem for problem in problems if problem), None)


def described_model(model: CompressedBTF) -> str:
    """What the dock says about a model."""
    views = "one view" if model.fixed_view else f"views up to {limits(model)[1]:.4g}°"
    return (
        f"{model.source or 'model'}: {model.width} × {model.height} texels, "
        f"{model.latent_count} latents, {views}"
    )
