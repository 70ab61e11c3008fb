"""The map of *Latent space* as a Points layer of napari, beside the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QCheckBox

from napari_btf.embedding.colours import mean_colours
from napari_btf.plugin.viewer.layers import TAG
from napari_btf.plugin.viewer.own_layer import OwnLayer
from napari_btf.plugin.viewer.placing import GAP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.embedding.latent_map import LatentMap
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["MOST_POINTS", "MapLayer", "features_of"]

#: Points in the layer at most: napari needs a second for more, whenever one is selected.
MOST_POINTS = 20_000
_WHY = (
    "Put the map beside the images as a Points layer, whose features other tools of napari can use"
)
#: Diameter of a point, as a share of the side of the map.
_DIAMETER = 0.012


class MapLayer(QObject):
    """A Points layer with one point for each texel of the map, or for some of them.

    The layer stands to the left of the first image, where no other image is put. Its features can
    be shown and used for colours by napari and other plugins.

    Parameters
    ----------
    workspace : Workspace

    Signals
    -------
    selected
        Someone has selected points of the layer: a mask over all points of the map, (T,).
    """

    selected = Signal(object)

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        #: Whether the layer is wanted.
        self.box = QCheckBox("show as points")
        self.box.setToolTip(_WHY)
        self._own = OwnLayer(workspace)
        self._map: LatentMap | None = None
        #: Which points of the map are in the layer.
        self._shown = np.empty(0, dtype=np.intp)
        self._is_changing = False

    @property
    def layer(self) -> Any:
        """The layer while it is in the viewer, or None."""
        return self._own.layer

    def show(
        self,
        found: LatentMap,
        rgb: NDArray[np.uint8],
        features: Mapping[str, NDArray[Any]],
        selected: NDArray[np.bool_],
    ) -> None:
        """Show a map in place of the one that is shown.

        Parameters
        ----------
        found : LatentMap
        rgb : ndarray of uint8, shape (T, 3)
        features : dict of ndarray, shape (T,) each
        selected : ndarray of bool, shape (T,)
        """
        self._map, self._shown = found, _some(len(found.points))
        some = self._shown
        side = max(found.height, found.width)
        places, size = _placed(found, side), _DIAMETER * side
        layer = Points(
            places[some],
            name="latent map",
            features={name: values[some] for name, values in features.items()},
            size=size,
            border_width=0,
            face_color=rgb[some] / 255.0,
            metadata={TAG: {"kind": "latent map"}},
        )
        self._own.add(layer)
        self.select(selected)
        layer.selected_data.events.items_changed.connect(self._on_selected)

    def follow_layers(self) -> None:
        """Whoever deletes the layer does not want to see it."""
        if self._own.was_deleted:
            self.box.setChecked(False)

    def hide(self) -> None:
        """Remove the layer from the viewer."""
        self._own.remove()
        self._map = None

    def colour(self, rgb: NDArray[np.uint8]) -> None:
        """Give the points other colours, (T, 3)."""
        if self.layer is not None:
            self.layer.face_color = rgb[self._shown] / 255.0

    def select(self, selected: NDArray[np.bool_]) -> None:
        """Select those of the points, (T,), that are in the layer."""
        layer = self.layer
        if layer is None:
            return
        wanted = {int(i) for i in np.flatnonzero(selected[self._shown])}
        if wanted != set(layer.selected_data):
            self._is_changing = True
            try:
                layer.selected_data = wanted
            finally:
                self._is_changing = False

    def _on_selected(self, *_: Any) -> None:
        layer = self.layer
        if layer is None or self._map is None or self._is_changing:
            return
        chosen = np.zeros(len(self._map.points), dtype=bool)
        # Someone may have added or deleted points.
        places = [i for i in layer.selected_data if i < len(self._shown)]
        chosen[self._shown[places]] = True
        self.selected.emit(chosen)


def _some(count: int) -> NDArray[np.intp]:
    """Return which of so many points are shown, spread over all of them."""
    if count <= MOST_POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MOST_POINTS, replace=False))


def _placed(found: LatentMap, side: int) -> NDArray[np.float64]:
    """Return the position (y, x) of every point in a square to the left of the images."""
    points = np.asarray(found.points, dtype=np.float64)
    low = points.min(axis=0)
    span = max(float(np.ptp(points, axis=0).max()), 1e-9)
    x, y = ((points - low) / span).T
    # The map's y points upwards.
    return np.column_stack([(1.0 - y) * (side - 1), x * (side - 1) - GAP * side])


def features_of(
    model: CompressedBTF,
    found: LatentMap,
    regions: NDArray[Any],
    names: Mapping[int, str],
    materials: Any,
) -> dict[str, NDArray[Any]]:
    """Return what is known of the texel of each point, as columns (T,).

    Parameters
    ----------
    model : CompressedBTF
    found : LatentMap
    regions : ndarray of int, shape (H, W)
        Painted regions, 0 for none.
    names : dict
        Their names.
    materials : napari.layers.Labels or None
        Materials that were found by clusters.
    """
    y, x = found.coords.T
    labels = found.at_points(regions)
    known = {0: "", **names}
    of_material = np.zeros(len(y), int) if materials is None else found.at_points(materials.data)
    mean = mean_colours(model, found.coords).rgb
    return {
        "image_x": x,
        "image_y": y,
        "tsne_x": found.points[:, 0],
        "tsne_y": found.points[:, 1],
        "region": np.array([known.get(int(label), "") for label in labels]),
        "material": of_material,
        "mean_colour": np.array(["#{:02x}{:02x}{:02x}".format(*colour) for colour in mean]),
        "brightness": mean.mean(axis=1) / 255.0,
    }
