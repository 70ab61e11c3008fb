"""Lights with a colour, and the linear domain in which their images are summed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.directions import unit_vector
from napari_btf.errors import UsageError
from napari_btf.values import from_linear, to_linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec import CompressedBTF

__all__ = ["Light", "LinearValues"]


@dataclass(frozen=True)
class Light:
    """One distant light.

    Parameters
    ----------
    theta, phi : float
        Where it comes from, degrees; theta from -90 to 90.
    colour : (red, green, blue)
        Linear, from 0; white is (1, 1, 1). Used where an image has three channels: on grey and
        spectral ones a light has its intensity alone.
    intensity : float
        From 0. That of the lights of the capture is 1.

    Raises
    ------
    UsageError
        If it comes from below, or colour or intensity are negative or no numbers.
    """

    theta: float
    phi: float
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    intensity: float = 1.0

    def __post_init__(self) -> None:
        unit_vector("light", (self.theta, self.phi))
        parts = np.array([*self.colour, self.intensity], dtype=np.float64)
        if len(parts) != 4 or not (np.isfinite(parts).all() and (parts >= 0).all()):
            raise UsageError(
                None,
                f"a light has the colour {self.colour} and the intensity {self.intensity:g}",
                "give red, green, blue and intensity, all from 0",
            )

    @property
    def vector(self) -> NDArray[np.float64]:
        """Unit vector towards the light."""
        return unit_vector("light", (self.theta, self.phi))

    def weights(self, channels: int) -> NDArray[np.float32]:
        """What the image under this light is multiplied by, (C,)."""
        colour = self.colour if channels == 3 else np.ones(channels)
        return (self.intensity * np.asarray(colour)).astype(np.float32)


class LinearValues:
    """The linear light that the decoded values of a model stand for.

    Floating point captures are linear. Integer ones of one or three channels are taken as sRGB
    (IEC 61966-2-1), which they are shown as; spectral ones as linear.
    """

    def __init__(self, model: CompressedBTF) -> None:
        self._values = model.values
        self._encoded = not model.values.is_float and model.channels in (1, 3)

    def of(self, fitted: NDArray[np.float32]) -> NDArray[np.float32]:
        """Linear light of fitted values, which are overwritten."""
        decoded = self._values.decode(fitted)
        return to_linear(decoded) if self._encoded else decoded

    def stored(self, linear: NDArray[np.float32]) -> NDArray[np.generic]:
        """Linear light as the model stores it; what integers cannot hold is white."""
        values = self._values
        most = np.finfo(values.dtype).max if values.is_float else 1.0
        clipped = np.clip(linear, 0.0, min(float(most), float(np.finfo(np.float32).max)))
        return values.store(from_linear(clipped) if self._encoded else clipped)
