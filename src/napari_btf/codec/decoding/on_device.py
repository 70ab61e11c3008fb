"""Decode images by torch on a device, such as a graphics processor: what all codecs share.

The sums are those of the codecs in NumPy, for all texels of a part at once. What depends on the
directions alone is computed in NumPy; the latents stay on the device, and only the finished image
is copied from it. Each codec has a decoder of its own in its module ``in_torch``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec.decoding.layers import FrameLayers
    from napari_btf.codec.decoding.part import Part
    from napari_btf.values import ValueScale

__all__ = ["OnDevice"]


class Decoded(Protocol):
    """What `OnDevice` asks of a model."""

    @property
    def channels(self) -> int:
        """Values per texel of a decoded image."""

    @property
    def values(self) -> ValueScale:
        """How fitted values become captured ones."""


Model = TypeVar("Model", bound=Decoded)
#: Texels decoded at once, so that what is in between takes some hundred MiB at most.
_TOGETHER = 1 << 19


class OnDevice(ABC, Generic[Model]):
    """Decodes a model on a device; each codec has a class of its own.

    Parameters
    ----------
    model : CompressedBTF
    device : str
        A torch device.
    """

    def __init__(self, model: Model, device: str) -> None:
        self._model, self._device = model, device

    def shaded_part(
        self, light: ArrayLike, view: ArrayLike, part: Part
    ) -> Iterator[NDArray[np.float32]]:
        """The images of `CompressedBTF.shaded_part`."""
        for pair in zip(np.asarray(light), np.asarray(view), strict=True):
            yield np.concatenate([block.cpu().numpy() for block in self._blocks(*pair, part)])

    def image(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> NDArray[Any]:
        """The image of `CompressedBTF.image`; the device makes the integers of it."""
        values = self._model.values
        blocks = []
        for block in self._blocks(light, view, part):
            block = block.clamp(0.0, values.largest_fitted)
            block = block.expm1() if values.is_float else (block * values.largest).round()
            blocks.append(block.cpu().numpy().astype(values.dtype))
        return np.concatenate(blocks)

    def _blocks(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> Iterator[torch.Tensor]:
        """Some rows of the part after the other, (rows, W', C), in the fitted domain."""
        import torch

        rows = max(1, _TOGETHER // len(part.columns))
        with torch.no_grad():
            for start in range(0, len(part.rows), rows):
                some = type(part)(part.rows[start : start + rows], part.columns)
                yield self._shade(light, view, some).reshape(*some.shape, self._model.channels)

    @abstractmethod
    def _shade(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> torch.Tensor:
        """Colours of the texels of a part, (T, C), in the fitted domain."""

    def apply(self, network: FrameLayers, latents: torch.Tensor) -> torch.Tensor:
        """What `FrameLayers` does."""
        import torch

        h, start = latents, self.to(network.start)
        for i, weight in enumerate(network.weights):
            if i:
                h = torch.maximum(h, start) if i == 1 else h.clamp_min(0.0)
            h = h @ self.to(weight)
        return h if len(network.weights) > 1 else h - start[:-1]

    def to(self, array: NDArray[Any]) -> torch.Tensor:
        """Return a copy of an array on the device."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
