"""The labels of one Labels layer as an image, and how many texels each label has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.plugin.viewer.regions.fitting import flat
from napari_btf.texels.sampling import region_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Counts"]

Box = tuple[slice, slice]


class Counts:
    """Counts the texels of each label; after a stroke of the brush only in the touched box.

    Counting all texels of a large image takes longer than a stroke may.

    Parameters
    ----------
    layer : napari.layers.Labels
    """

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._image: NDArray[Any] | None = None
        self._counts: dict[int, int] = {}

    @property
    def image(self) -> NDArray[Any]:
        """The labels, (H, W). Not to be written to."""
        if self._layer.data.ndim == 2:
            return np.asarray(self._layer.data)
        self._count_all_if_needed()
        assert self._image is not None
        return self._image

    @property
    def counts(self) -> dict[int, int]:
        """The number of texels of each label but 0, in the order of labels."""
        self._count_all_if_needed()
        return {label: self._counts[label] for label in sorted(self._counts)}

    def forget(self) -> None:
        """Count all texels anew when somebody asks for them."""
        self._image = None

    def count_again(self, box: Box) -> None:
        """Take what has changed in a box of rows and columns."""
        if self._image is None:
            return
        now = flat(self._layer.data[(..., *box)])
        before = self._image[box]
        if now.shape != before.shape:
            self.forget()
            return
        for counts, sign in ((region_counts(before), -1), (region_counts(now), 1)):
            for label, number in counts.items():
                self._counts[label] = self._counts.get(label, 0) + sign * number
        self._counts = {label: number for label, number in self._counts.items() if number}
        self._image[box] = now

    def _count_all_if_needed(self) -> None:
        data = self._layer.data
        if self._image is None or self._image.shape != tuple(data.shape[-2:]):
            # A copy, to know the labels that a stroke replaces.
            self._image = np.array(flat(data))
            self._counts = region_counts(self._image)
