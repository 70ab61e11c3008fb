"""Looks of RTI viewers: specular enhancement, diffuse gain and shaded normals.

They are the transformations of T. Malzbender, D. Gelb and H. Wolters, "Polynomial texture maps",
SIGGRAPH 2001 (sections "Diffuse gain" and "Specular enhancement"). They work on the values that a
screen shows, as in the paper, and for every model: a model that is no PTM gets its normals by
photometric stereo over decoded images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from napari_btf.baselines import QuickPTM, ptm_normals, ptm_terms
from napari_btf.relighting.lights import LinearValues
from napari_btf.relighting.surface import estimate_surface

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_btf.codec import CompressedBTF
    from napari_btf.progress import Job

__all__ = ["LOOKS", "Look", "LookKind", "Shape", "shape_of"]

LookKind = Literal["specular", "gain", "normals"]
#: The names of the looks.
LOOKS: dict[LookKind, str] = {
    "specular": "specular enhancement",
    "gain": "diffuse gain",
    "normals": "shaded normals",
}


class Shape(NamedTuple):
    """What looks need to know of a surface."""

    normals: NDArray[np.float32]
    """Unit vectors, (H, W, 3)."""
    brightest: NDArray[Any]
    """The image of each texel under a light along its normal, in the captured type, (H, W, C)."""


def shape_of(model: CompressedBTF) -> Job[Shape]:
    """Estimate the shape of a surface: from the coefficients of a PTM, else from decoded images.

    Raises
    ------
    UsageError
        If the captured lights do not determine normals.
    """
    if isinstance(model, QuickPTM):
        coefficients = model.coefficients
        normals = ptm_normals(coefficients.mean(axis=2))
        terms = ptm_terms(normals).astype(np.float32)
        fitted = np.einsum("hwcm,hwm->hwc", coefficients, terms)
        return Shape(normals, model.values.store(model.values.decode(fitted)))
    found = yield from estimate_surface(model)
    return Shape(found.normals, LinearValues(model).stored(found.albedo))


@dataclass(frozen=True, eq=False)
class Look:
    """A way to show a surface other than as it was captured.

    Parameters
    ----------
    kind : {"specular", "gain", "normals"}
        With n the normal, l the light, h the half vector of light and view, and v the value as it
        was captured: ``(1 - s / 2) v + s max(0, n . h)^e``, where s is the strength and e the
        exponent; ``b + g (v - b)``, where g = 1 + 4 s is the gain and b the brightest value, at
        l = n, so that the quadratic of a PTM keeps its maximum while its curvature is multiplied by
        g; and ``max(0, n . l)``.
    shape : Shape
    strength : float
        From 0 to 1; 0 is as captured, except for shaded normals, which ignore it.
    exponent : float
        Of the highlight: larger ones make it smaller.
    """

    kind: LookKind
    shape: Shape
    strength: float = 0.5
    exponent: float = 30.0

    def of(
        self,
        pixels: NDArray[Any],
        light: NDArray[np.float64],
        view: NDArray[np.float64],
        part: tuple[slice, slice],
        develop: Callable[[NDArray[Any]], NDArray[Any]],
    ) -> NDArray[Any]:
        """Give an image this look.

        Parameters
        ----------
        pixels : ndarray of uint8 or uint16, shape (H', W', C)
            For a screen.
        light, view : ndarray, shape (3,)
            Unit vectors.
        part : tuple of slice
            The rows and columns of the surface that the pixels show.
        develop : callable
            Converts values in the captured type to values for the same screen.
        """
        largest = np.float32(np.iinfo(pixels.dtype).max)
        normals = self.shape.normals[part]
        if self.kind == "normals":
            shade = np.maximum(normals @ light.astype(np.float32), 0.0)[..., np.newaxis]
            shown = np.broadcast_to(shade * largest, pixels.shape)
        elif self.kind == "gain":
            brightest = develop(self.shape.brightest[part]).astype(np.float32)
            gain = np.float32(1.0 + 4.0 * self.strength)
            shown = brightest + gain * (pixels - brightest)
        else:
            half = light + view
            half = (half / np.linalg.norm(half)).astype(np.float32)
            gloss = np.maximum(normals @ half, 0.0) ** np.float32(self.exponent)
            strength = np.float32(self.strength)
            shown = (1 - strength / 2) * pixels + (strength * largest * gloss)[..., np.newaxis]
        return np.clip(np.rint(shown), 0, largest).astype(pixels.dtype)
