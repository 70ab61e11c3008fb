"""Bilinear lookup of latents between texels and beyond the borders, for the parallax codec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_btf.codec.decoding.compiled import kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.codec.decoding.layers import Scratch

__all__ = ["Lookup"]


@dataclass(frozen=True)
class Lookup:
    """Bilinear lookups in a texel grid.

    Parameters
    ----------
    height, width : int
    periodic : bool
        Whether the surface goes on beyond its borders as at the opposite ones, or as at the
        nearest texel.
    """

    height: int
    width: int
    periodic: bool

    def bordered(self, latents: NDArray[Any]) -> NDArray[Any]:
        """Extend latents (H, W, K_i) by two texels beyond the last row and column.

        The result has the shape ((H + 2) * (W + 2), K_i).
        """
        beyond = ((0, 2), (0, 2), (0, 0))
        mode: Literal["wrap", "edge"] = "wrap" if self.periodic else "edge"
        return np.pad(latents, beyond, mode=mode).reshape(-1, latents.shape[2])

    def fetch(
        self,
        latents: NDArray[Any],
        places: NDArray[np.float32],
        out: NDArray[np.float32],
        scratch: Scratch,
    ) -> None:
        """Look up latents (from `bordered`) at places (2, T) between texels, in ``out``.

        The result is float32, (T, K_i).
        """
        code = kernels()
        if code is not None:
            # This function does not check its arguments.
            shape = places.shape[1], latents.shape[1]
            if len(latents) != (self.height + 2) * (self.width + 2) or out.shape != shape:
                raise ValueError(f"{latents.shape} and {out.shape} do not fit the surface")
            if latents.dtype == np.float16:
                latents = latents.view(np.int16)
            code.fetch(latents, places, self.height, self.width, self.periodic, out)
            return
        sizes = np.array([[self.height], [self.width]], dtype=np.float32)
        if self.periodic:
            inside = places - sizes * np.floor(places / sizes)
        else:
            inside = np.clip(places, 0, sizes - 1)
        low = np.floor(inside)
        y, x = (inside - low)[:, :, np.newaxis]
        row, column = low.astype(np.intp)
        row *= self.width + 2
        row += column
        size = len(out), latents.shape[1]
        corners = [scratch(f"corner {i}", *size) for i in range(4)]
        # The other corners are the same number of texels away at any place.
        steps = (0, 1, self.width + 2, self.width + 3)
        for corner, step in zip(corners, steps, strict=True):
            # All indices are valid; "clip" avoids the copy that NumPy makes to check them.
            taken = corner
            if latents.dtype != np.float32:
                taken = scratch("taken", *size, latents.dtype)
            latents[step:].take(row, axis=0, out=taken, mode="clip")
            if taken is not corner:
                corner[...] = taken
        # a + x (b - a) has the fewest products of rows and columns, which are the slow part.
        for a, b, share, target in (
            (0, 1, x, corners[0]),
            (2, 3, x, corners[2]),
            (0, 2, y, out),
        ):
            corners[b] -= corners[a]
            corners[b] *= share
            np.add(corners[a], corners[b], out=target)
