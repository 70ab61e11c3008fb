"""Directional lights, and the conversion to linear light, in which their images are summed."""

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
    """One directional light, infinitely far away.

    Parameters
    ----------
    theta, phi : float
        Direction towards the light in degrees; theta from -90 to 90.
    colour : (red, green, blue)
        Linear values from 0; white is (1, 1, 1). Grey and spectral images ignore the colour and
        use only the intensity.
    intensity : float
        From 0; the lights of the capture have intensity 1.

    Raises
    ------
    UsageError
        If the light is below the horizon, or if its colour or intensity is negative or not finite.
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
                "give red, green, blue and intensity as finite numbers from 0",
            )

    @property
    def vector(self) -> NDArray[np.float64]:
        """Unit vector towards the light."""
        return unit_vector("light", (self.theta, self.phi))

    def weights(self, channels: int) -> NDArray[np.float32]:
        """Return the factor of each channel, (C,), for the image under a white light."""
        colour = self.colour if channels == 3 else np.ones(channels)
        return (self.intensity * np.asarray(colour)).astype(np.float32)


class LinearValues:
    """Converts the decoded values of a model to linear light and back.

    Floating-point captures are linear. Integer captures with one or three channels are taken as
    sRGB (IEC 61966-2-1), because they are displayed as such; spectral ones are taken as linear.
    """

    def __init__(self, model: CompressedBTF) -> None:
        self._values = model.values
        self._encoded = not model.values.is_float and model.channels in (1, 3)

    def of(self, fitted: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the linear light of values from the decoder; the array may be overwritten."""
        decoded = self._values.decode(fitted)
        return to_linear(decoded) if self._encoded else decoded

    def stored(self, linear: NDArray[np.float32]) -> NDArray[np.generic]:
        """Convert linear light to the data type of the capture; integers are clipped at white."""
        values = self._values
        most = np.finfo(values.dtype).max if values.is_float else 1.0
        clipped = np.clip(linear, 0.0, min(float(most), float(np.finfo(np.float32).max)))
        return values.store(from_linear(clipped) if self._encoded else clipped)
