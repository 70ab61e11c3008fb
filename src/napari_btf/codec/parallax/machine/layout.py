"""Where the latents and weights of a surface stand in the one array of the machine code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from napari_btf.codec.parallax.surface import Surface

__all__ = ["LINE", "Layout", "aligned", "filled"]

_NAMES = ("depth", "shift", "shade")
#: Latents of each kind are filled up to a multiple of it, and texels begin at such a multiple.
_LATENTS, LINE = 4, 16


def filled(count: int, step: int) -> int:
    """Return the least multiple of a step that is not less than a count."""
    return -(-count // step) * step


def aligned(*shape: int) -> NDArray[np.float32]:
    """Return zeros whose first number begins a line of the processor's cache."""
    count = int(np.prod(shape))
    room = np.zeros(count + LINE, dtype=np.float32)
    skip = (-room.ctypes.data % (4 * LINE)) // 4
    return room[skip : skip + count].reshape(shape)


@dataclass
class Layout:
    """Places of all parameters of a surface in one array, filled up with zeros.

    The latents come first, kind by kind, then the networks. Of a layer, the weights (inputs,
    outputs) come first, then the biases.

    Parameters
    ----------
    surface : Surface
    lanes : int
        Numbers of units are filled up to a multiple of it.
    """

    surface: Surface
    lanes: int
    #: Tables of layers by name, see `napari_btf.codec.parallax.machine.networks`.
    tables: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    #: Numbers of latents of each kind, filled up, and where they begin.
    sizes: NDArray[np.int64] = field(init=False)
    starts: NDArray[np.int64] = field(init=False)
    #: Where the latents end and the weights begin.
    first_weight: int = 0
    #: Length of the array, and of that of turned weights.
    size: int = 0
    turned_size: int = 0
    #: For each parameter of the surface, the indices of its numbers.
    _places: list[NDArray[np.int64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        counts = [part.shape[1] for part in self.surface.latents]
        texels = len(self.surface.latents[0])
        self.sizes = np.array([filled(count, _LATENTS) for count in counts], dtype=np.int64)
        self.starts = np.zeros(len(counts), dtype=np.int64)
        for kind, count in enumerate(counts):
            self.starts[kind] = self.size
            if count:
                rows = self.size + self.sizes[kind] * np.arange(texels)[:, np.newaxis]
                self._places.append(rows + np.arange(count))
            self.size = filled(self.size + texels * int(self.sizes[kind]), LINE)
        self.first_weight = self.size
        # The shading network sees the latents towards the light first in torch, here last.
        light = int(self.sizes[1]) + np.arange(counts[2])
        shade = np.concatenate([light, np.arange(counts[1])])
        for name in _NAMES:
            layers = self.surface.networks[name]
            self._add(name, layers, inputs=shade if name == "shade" else None)
            modulation = self.surface.networks[f"{name}_modulation"]
            self._add(f"{name}_modulation", modulation, outputs=self._modulated(layers))

    def _modulated(self, layers: Sequence[torch.Tensor]) -> NDArray[np.int64] | None:
        """Return the places of a modulation's outputs: scales, then shifts, of hidden layers."""
        outputs, start = [], 0
        for bias in layers[1:-2:2]:
            for _ in range(2):
                outputs.append(start + np.arange(len(bias)))
                start += filled(len(bias), self.lanes)
        return np.concatenate(outputs) if outputs else None

    def _add(
        self,
        name: str,
        layers: Sequence[torch.Tensor],
        inputs: NDArray[np.int64] | None = None,
        outputs: NDArray[np.int64] | None = None,
    ) -> None:
        """Give the layers of a network their places.

        Parameters
        ----------
        inputs, outputs : ndarray of int, optional
            Where the inputs of the first layer and the outputs of the last one stand, if they do
            not follow one another.
        """
        table, last = [], len(layers) // 2 - 1
        before = 0
        for i, (weight, bias) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
            rows, columns = np.arange(weight.shape[1]), np.arange(weight.shape[0])
            if i == 0 and inputs is not None:
                rows = inputs
            if i == last and outputs is not None:
                columns = outputs
            count = int(columns.max(initial=-1)) + 1
            tall = before or filled(int(rows.max()) + 1, _LATENTS)
            width = filled(count, self.lanes)
            table.append(
                (tall, count, width, self.size, self.size + tall * width, self.turned_size)
            )
            self._places.append(self.size + columns[:, np.newaxis] + width * rows)
            self._places.append(self.size + tall * width + columns)
            self.size = filled(self.size + tall * width + width, LINE)
            self.turned_size += filled(count * filled(tall, self.lanes), LINE)
            before = width
            assert len(bias) == len(columns)
        self.tables[name] = np.array(table, dtype=np.int64).reshape(-1, 6)

    def pack(
        self, parameters: Sequence[torch.Tensor | NDArray[Any]], out: NDArray[np.float32]
    ) -> None:
        """Copy parameters of the surface, or arrays like them, to their places.

        There may be fewer than the surface has: its first ones, such as the latents alone.
        """
        for place, values in zip(self._places, parameters, strict=False):
            flat = values if isinstance(values, np.ndarray) else values.detach().numpy()
            out[place] = flat.reshape(place.shape)

    def unpack(self, packed: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Return what stands in the places of the parameters, in their order."""
        return [packed[place] for place in self._places]
