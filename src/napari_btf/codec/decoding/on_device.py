"""Frames decoded by torch on a device, such as a graphics processor.

The same sums as the codecs do in NumPy, for all texels of a part at once. What depends on the
directions alone is computed in NumPy as ever; only latents stay on the device, and only the
finished image comes back from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.codec.texel_network.model import TexelNetworkBTF

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec.decoding.layers import FrameLayers
    from napari_btf.codec.decoding.part import Part
    from napari_btf.codec.model import CompressedBTF

__all__ = ["OnDevice", "on_device"]

#: Texels decoded at once, so that what is in between takes some hundred MiB at most.
_TOGETHER = 1 << 19


class OnDevice(ABC):
    """What decodes a model on a device; one for each codec.

    Parameters
    ----------
    model : CompressedBTF
    device : str
        A torch device.
    """

    def __init__(self, model: CompressedBTF, device: str) -> None:
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

    def _apply(self, network: FrameLayers, latents: torch.Tensor) -> torch.Tensor:
        """What `FrameLayers` does."""
        import torch

        h, start = latents, self._to(network.start)
        for i, weight in enumerate(network.weights):
            if i:
                h = torch.maximum(h, start) if i == 1 else h.clamp_min(0.0)
            h = h @ self._to(weight)
        return h if len(network.weights) > 1 else h - start[:-1]

    def _to(self, array: NDArray[Any]) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)


class _NeuralBasis(OnDevice):
    _model: NeuralBasisBTF

    @cached_property
    def _latents(self) -> torch.Tensor:
        return self._to(self._model.stored.values)

    def _shade(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> torch.Tensor:
        import torch

        basis = self._model.basis(light[np.newaxis], view[np.newaxis])[0]
        table = self._to(self._model.for_stored(basis))
        flat = self._latents[part.slices].float().reshape(-1, self._model.latent_count)
        return torch.addmm(table[0], flat, table[1:])


class _TexelNetwork(OnDevice):
    _model: TexelNetworkBTF

    @cached_property
    def _latents(self) -> torch.Tensor:
        return self._to(self._model.latent_map)

    def _shade(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> torch.Tensor:
        flat = self._latents[part.slices].reshape(-1, self._model.latent_count)
        return self._apply(self._model.for_frame(light, view), flat)


class _Parallax(OnDevice):
    _model: ParallaxBTF

    @cached_property
    def _tables(self) -> list[torch.Tensor]:
        return [self._to(table) for table in self._model.tables]

    def _shade(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> torch.Tensor:
        import torch

        frame = self._model.for_frame(light, view)
        of_depth, of_view, of_light = self._tables
        rows, columns = (
            self._to(np.asarray(side, np.float32)) for side in (part.rows, part.columns)
        )
        places = torch.cartesian_prod(rows, columns)
        if frame.depth is not None:
            flat = of_depth[part.slices].float().reshape(len(places), -1)
            places = places + self._apply(frame.depth, flat) * self._to(frame.along_view)
            seen = self._fetch(of_view, places)
        else:
            seen = of_view[part.slices].float().reshape(len(places), -1)
        if frame.shift is not None:
            there = places + self._apply(frame.shift, seen) * self._to(frame.along_light)
            seen = torch.cat([self._fetch(of_light, there), seen], dim=1)
        return self._apply(frame.shade, seen)

    def _fetch(self, latents: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """What `Lookup.fetch` does, at places (T, 2)."""
        import torch

        lookup = self._model.lookup
        sizes = torch.tensor([lookup.height, lookup.width], device=places.device)
        if lookup.periodic:
            inside = places - sizes * (places / sizes).floor()
        else:
            inside = places.clamp_min(0.0).minimum(sizes - 1)
        low = inside.floor()
        y, x = (inside - low).unsqueeze(2).unbind(dim=1)
        row, column = low.long().unbind(dim=1)
        first = row * (lookup.width + 2) + column
        a, b, c, d = (
            latents[first + step].float() for step in (0, 1, lookup.width + 2, lookup.width + 3)
        )
        above, below = a + x * (b - a), c + x * (d - c)
        return above + y * (below - above)


def on_device(model: CompressedBTF, device: str) -> OnDevice:
    """What decodes a model on a torch device that can be used."""
    for kind, decoder in (
        (NeuralBasisBTF, _NeuralBasis),
        (ParallaxBTF, _Parallax),
        (TexelNetworkBTF, _TexelNetwork),
    ):
        if isinstance(model, kind):
            return decoder(model, device)
    raise TypeError(f"no decoder for {type(model).__name__}")
