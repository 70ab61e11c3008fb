"""Flips and quarter turns of a capture's directions, and whether a model was trained with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_btf.directions import AzimuthConvention, group_directions
from napari_btf.plugin.viewer.layers import azimuth_of, capture_of
from napari_btf.plugin.widgets.section import allow
from napari_btf.plugin.widgets.wrapped_text import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.plugin.relight.scene import Scene
    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["OTHER_ANGLES", "TurnBox", "has_angles_of", "turned"]

OTHER_ANGLES = "The model was trained with other angles than the capture has now: train again."
_NO_CAPTURE = "Open the capture of this model first"
#: Directions that differ by less, as vectors, are the same: files keep single precision.
_SAME = 1e-4
#: By the text of the button: the convention that follows, and what it is good for.
_TURNS = {
    "flip left/right": (AzimuthConvention(True, 180.0), "Swap left and right"),
    "flip up/down": (AzimuthConvention(True, 0.0), "Swap up and down"),
    "rotate 90°": (AzimuthConvention(False, 90.0), "Turn counter-clockwise"),
}
_TIP = "{} in all directions of the capture, for light that comes from the wrong side"


class TurnBox(QWidget):
    """Three buttons that turn the directions of the capture, and a note if the model has others.

    Parameters
    ----------
    workspace : Workspace
    scene : Scene
    """

    def __init__(self, workspace: Workspace, scene: Scene) -> None:
        super().__init__()
        self._workspace, self._scene = workspace, scene
        self.buttons = {name: QPushButton(name) for name in _TURNS}
        self.note = Note()
        row = QHBoxLayout()
        row.setSpacing(4)
        for name, button in self.buttons.items():
            row.addWidget(button, 1)
            button.clicked.connect(lambda _, name=name: self._turn(name))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        scene.allowed.connect(self.refresh)
        self.refresh()

    def _layer(self) -> object:
        """The layer of the capture that belongs to the model, or None."""
        model = self._scene.model
        layers = [] if model is None else self._workspace.captures.of_model(model)
        return layers[0] if layers else None

    def _turn(self, name: str) -> None:
        layer = self._layer()
        if layer is not None:
            convention = turned(azimuth_of(layer), _TURNS[name][0])
            self._workspace.captures.turn(layer, convention)

    def refresh(self) -> None:
        """Compare the model with the capture again, after one of them has changed."""
        layer, model = self._layer(), self._scene.model
        for name, button in self.buttons.items():
            no = self._scene.no_model or ("" if layer is not None else _NO_CAPTURE)
            allow(button, _TIP.format(_TURNS[name][1]), no)
        btf = None if layer is None else capture_of(layer)
        is_other = btf is not None and model is not None and not has_angles_of(model, btf)
        self.note.setText(OTHER_ANGLES if is_other else "")
        self.note.setVisible(is_other)


def turned(before: AzimuthConvention, by: AzimuthConvention) -> AzimuthConvention:
    """Return the convention that has the effect of two conventions, one after the other."""
    zero = by.zero + (-before.zero if by.clockwise else before.zero)
    return AzimuthConvention(before.clockwise != by.clockwise, zero % 360.0)


def has_angles_of(model: CompressedBTF, btf: BTF) -> bool:
    """Whether a model was trained on directions that a capture has: on all, or on some of them."""
    pairs = ((model.light, btf.light), (model.view, btf.view))
    if len(model.light) == len(btf):
        # In order, because a quarter turn maps the lights of many a dome to one another.
        return all(np.abs(mine - theirs).max() < _SAME for mine, theirs in pairs)
    return all(_are_among(mine, theirs) for mine, theirs in pairs)


def _are_among(some: NDArray[np.float64], all_of_them: NDArray[np.float64]) -> bool:
    from scipy.spatial import KDTree

    there = group_directions(all_of_them).vectors
    apart, _ = KDTree(there).query(group_directions(some).vectors)
    return bool(apart.max() < _SAME)
