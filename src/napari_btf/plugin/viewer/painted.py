"""Regions painted over a capture: a Labels layer, names in its tag, changes that can be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_btf.errors import UsageError
from napari_btf.plugin.viewer.layers import TAG
from napari_btf.plugin.viewer.regions.fitting import tag_of
from napari_btf.texels.coordinates import clean_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.texels.coordinates import RegionTexels

__all__ = ["Added", "Painted", "Region", "default_name"]

#: Up to this number a region that a file calls by its number gets it again.
_NUMBERED = 255


def default_name(label: int) -> str:
    """Return the name of a region that has no name yet."""
    return f"region {label}"


class Region(NamedTuple):
    """A row of the table of regions."""

    label: int
    name: str
    colour: tuple[float, float, float]
    painted: int
    """Texels."""
    chosen: int
    """Those of them that the sampling keeps."""

    @property
    def count_text(self) -> str:
        """The number of texels, in words."""
        if self.chosen == self.painted:
            return f"{self.painted:,} texel" + "s" * (self.painted != 1)
        return f"{self.chosen:,} of {self.painted:,} texels"


class Added(NamedTuple):
    """The result of adding the regions of a file."""

    painted: tuple[str, ...]
    """Those of which texels were painted."""
    left: int
    """How many texels stayed in a region of another name."""


class Painted:
    """The painted regions of one capture layer, for docks to show and change.

    The Labels layer is looked up at each use, because people delete it.

    Parameters
    ----------
    workspace : Workspace
    capture : napari.layers.Image or None
    """

    def __init__(self, workspace: Workspace, capture: Any = None) -> None:
        self._workspace = workspace
        self.capture = capture

    @property
    def layer(self) -> Any:
        """The Labels layer, or None."""
        return self._workspace.regions.layer(self.capture)

    @property
    def data(self) -> NDArray[Any]:
        """The label image, (H, W); zeros without a layer."""
        return self._workspace.regions.painted(self.capture)

    @property
    def label(self) -> int:
        """The label of the region that is painted: 0 for none, 1 before there is a layer."""
        layer = self.layer
        return 1 if layer is None else int(layer.selected_label)

    @property
    def names(self) -> dict[int, str]:
        """The given names, by label."""
        return self._workspace.regions.names(self.capture)

    def name(self, label: int) -> str:
        """Return the name of a region."""
        return self.names.get(label) or default_name(label)

    def colour(self, label: int) -> tuple[float, float, float]:
        """Return the colour of a region: red, green and blue, 0 to 1."""
        layer = self.layer
        if layer is None:
            return 1.0, 1.0, 1.0
        red, green, blue, _ = (float(c) for c in np.ravel(layer.colormap.map(label)))
        return red, green, blue

    def labels(self) -> list[int]:
        """The labels of regions with texels or a name, and of the one that is painted."""
        layer = self.layer
        if layer is None:
            return []
        return sorted({*self.counts, *self.names, self.label} - {0})

    @property
    def counts(self) -> dict[int, int]:
        """The number of texels of each region with texels, by label."""
        return self._workspace.regions.counts(self.capture)

    def regions(self, chosen: Mapping[int, int] | None = None) -> list[Region]:
        """Return the rows of the table.

        Parameters
        ----------
        chosen : mapping, optional
            From labels to the number of texels that the sampling keeps; all of them by default.
        """
        if self.layer is None:
            return []
        painted = self.counts
        chosen = painted if chosen is None else chosen
        return [
            Region(
                label,
                self.name(label),
                self.colour(label),
                painted.get(label, 0),
                chosen.get(label, 0),
            )
            for label in self.labels()
        ]

    # ----------------------------------------------------------------- changes

    def ensure(self) -> Any:
        """Return the Labels layer, which is created if there is none, and select it."""
        layer = self.layer
        if layer is None:
            return self.new_layer()
        self._workspace.viewer.layers.selection.active = layer
        return layer

    def new_layer(self) -> Any:
        """Create another Labels layer for the regions, select it, and return it."""
        viewer, capture = self._workspace.viewer, self.capture
        layer = viewer.add_labels(
            np.zeros(self.data.shape, dtype=np.uint8),
            name=f"regions of {capture.name}",
            opacity=0.5,
            scale=capture.scale[-2:],
            translate=capture.translate[-2:],
            units=capture.units[-2:],
            metadata={TAG: {"kind": "regions", "capture": capture.unique_id, "names": {}}},
        )
        layer.brush_size = max(2, min(self.data.shape) // 16)
        self._workspace.regions.choose(capture, layer)
        viewer.layers.selection.active = layer
        return layer

    def choose(self, layer: Any) -> None:
        """Take the regions from another Labels layer that fits."""
        self._workspace.regions.choose(self.capture, layer)

    def pick(self, label: int) -> None:
        """Paint another region from now on."""
        layer = self.layer
        if layer is not None:
            layer.selected_label = label

    def new_region(self) -> int:
        """Begin another region, and return its label."""
        if self.layer is None:
            return int(self.ensure().selected_label)
        taken = {*self.counts, *self.names}
        label = self._free(taken)
        # The one that is painted keeps its row, though nothing of it is painted yet.
        if self.label not in taken and self.label:
            self._set_names({**self.names, self.label: self.name(self.label)})
            label = self._free({*taken, self.label})
        self.ensure().selected_label = label
        return label

    def _free(self, taken: set[int], name: str = "") -> int:
        most = int(np.iinfo(self.data.dtype).max)
        free = [i for i in range(1, max(len(taken), _NUMBERED) + 2) if i not in taken]
        # The first one, if none of them is called so anyway.
        label = next((i for i in free if i <= most and default_name(i) == name), free[0])
        if label > most:
            raise UsageError(None, f"there are {most} regions already", "remove one of them")
        return label

    def rename(self, label: int, name: str) -> None:
        """Give a region another name; an empty one removes its name.

        Raises
        ------
        UsageError
            If another region has the name.
        """
        name = clean_name(name)
        names = self.names
        names.pop(label, None)
        if any(name == self.name(other) for other in self.labels() if other != label):
            raise UsageError(None, f'another region is called "{name}"', "choose another name")
        if name and name != default_name(label):
            names[label] = name
        self._set_names(names)

    def remove(self, label: int) -> None:
        """Erase a region and forget its name."""
        after = self.data.copy()
        after[after == label] = 0
        self.change(after)
        names = self.names
        names.pop(label, None)
        self._set_names(names)
        layer = self.layer
        if layer is not None and layer.selected_label == label:
            others = [other for other in self.labels() if other != label]
            layer.selected_label = others[0] if others else 1

    def change(self, after: NDArray[Any]) -> None:
        """Replace the label image, as one step of napari's undo."""
        layer = self.layer
        if layer is None:
            layer = self.ensure()
        changed = np.nonzero(self.data != after)
        values = after[changed]
        if layer.ndim > 2:
            changed, values = self._in_all_images(layer, changed, values)
        # Not by replacing the data: undo would then mix old and new.
        layer.data_setitem(changed, values)

    def _in_all_images(
        self, layer: Any, changed: tuple[NDArray[np.intp], ...], values: NDArray[Any]
    ) -> tuple[tuple[NDArray[np.intp], ...], NDArray[Any]]:
        """Return indices and values for a layer with more axes than y and x.

        The image that the sliders show gets the values, all other images lose the texels.
        """
        rows, columns = changed
        before = np.asarray(layer.data)[..., rows, columns]
        wanted = np.zeros_like(before)
        wanted[self._workspace.regions.shown_slice(layer)] = values
        *images, texel = np.nonzero(before != wanted)
        indices = (*images, rows[texel], columns[texel])
        return indices, wanted[(*images, texel)]

    def paint(self, mask: NDArray[np.bool_], label: int) -> None:
        """Add texels to a region, whatever region they were in."""
        after = self.data.copy()
        after[mask] = label
        self.change(after)

    def load(self, texels: RegionTexels) -> None:
        """Replace all regions by the texels of a file.

        A region of the file joins the painted region of the same name; others get a free label.

        Raises
        ------
        UsageError
            If the layer cannot hold so many regions.
        """
        labels, names = self._labels_for(texels.names)
        after = np.zeros_like(self.data)
        after[tuple(texels.coords.T)] = np.array(labels)[texels.region_of]
        self.change(after)
        self._set_names(names)
        self.pick(labels[0])

    def add(self, texels: RegionTexels) -> Added:
        """Paint the texels of a file that are in no region; the others stay as they are.

        Raises
        ------
        UsageError
            If the layer cannot hold so many regions.
        """
        labels, names = self._labels_for(texels.names)
        wanted = np.array(labels, dtype=self.data.dtype)[texels.region_of]
        before = self.data[tuple(texels.coords.T)]
        free = before == 0
        painted = tuple(np.array(texels.names)[np.unique(texels.region_of[free])].tolist())
        if painted:
            after = self.data.copy()
            after[tuple(texels.coords[free].T)] = wanted[free]
            self.change(after)
            self._set_names(names)
        return Added(painted, int(np.count_nonzero(~free & (before != wanted))))

    def _labels_for(self, regions: Sequence[str]) -> tuple[list[int], dict[int, str]]:
        """Return a label for each region of a file, and all names; label 1 without regions."""
        names = self.names
        taken = {*self.counts, *names}
        if not regions:
            return [1], names
        of_name = {self.name(label): label for label in sorted(taken)}
        labels: list[int] = []
        for name in regions:
            label = of_name.get(name)
            if label is None or label in labels:
                label = self._free({*taken, *labels}, name)
            labels.append(label)
            if name != default_name(label):
                names[label] = name
        return labels, names

    def chosen_names(self, coords: NDArray[np.intp]) -> Sequence[str] | None:
        """Return the name of the region of each texel, or None if all are in one region."""
        labels = self.data[tuple(coords.T)]
        names = {int(label): self.name(int(label)) for label in np.unique(labels)}
        if len(names) < 2:
            return None
        return [names[label] for label in labels.tolist()]

    def by_region(self, coords: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the same texels, in the order of their regions."""
        return coords[np.argsort(self.data[tuple(coords.T)], kind="stable")]

    def _set_names(self, names: dict[int, str]) -> None:
        layer = self.layer
        if layer is not None:
            # A layer of napari's own is from now on one of this plugin's. Another dict, because a
            # duplicate of the layer shares this one.
            own = {"kind": "regions", "capture": self.capture.unique_id}
            tag = {**own, **tag_of(layer), "names": names}
            layer.metadata = {**layer.metadata, TAG: tag}
