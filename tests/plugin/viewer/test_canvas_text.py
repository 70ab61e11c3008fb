"""The line on the canvas: the angles of what is shown."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel


def canvas_text(viewer: ViewerModel) -> str:
    overlay = viewer.canvas.overlays.text
    return overlay.text if overlay.visible else ""


def test_it_follows_the_sliders(loaded: ViewerModel) -> None:
    for step, text in {
        (0, 0): "captured  light 0°, 0°   view 0°, 0°",
        (0, 4): "captured  light 30°, 270°   view 0°, 0°",
        (1, 7): "captured  light 60°, 180°   view 15°, 90°",
    }.items():
        loaded.dims.set_current_step((0, 1), step)
        assert canvas_text(loaded) == text


def test_it_says_which_pairs_were_not_captured(
    viewer: ViewerModel, make_capture: Callable[..., Any]
) -> None:
    pairs = list(itertools.product(((0, 0), (15, 90)), ((0, 0), (30, 0), (60, 0))))
    del pairs[4]
    (layer,) = open_path(viewer, make_capture(pairs=pairs).folder)
    viewer.dims.set_current_step((0, 1), (1, 1))
    assert canvas_text(viewer) == "captured  light 30°, 0°   view 15°, 90°   (not captured)"
    assert not np.any(layer.data[1, 1])
    viewer.dims.set_current_step((0, 1), (1, 2))
    assert canvas_text(viewer) == "captured  light 60°, 0°   view 15°, 90°"


def test_a_list_of_observations_has_angles_too(
    viewer: ViewerModel, make_capture: Callable[..., Any]
) -> None:
    pairs = [((10 * i, 0), (60, 50 * i)) for i in range(6)]
    open_path(viewer, make_capture(pairs=pairs).folder)
    viewer.dims.set_current_step(0, 3)
    assert canvas_text(viewer) == "captured  light 60°, 150°   view 30°, 0°"


def test_it_goes_with_the_layer_and_comes_back(loaded: ViewerModel, capture: Any) -> None:
    plain = loaded.add_image(np.zeros((2, 9, 24, 32)))
    del loaded.layers["cloth"]
    assert canvas_text(loaded) == ""
    loaded.dims.set_current_step((0, 1), (1, 1))
    assert canvas_text(loaded) == ""
    loaded.layers.remove(plain)
    open_path(loaded, capture.folder)
    loaded.dims.set_current_step((0, 1), (1, 1))
    assert canvas_text(loaded) == "captured  light 30°, 0°   view 15°, 90°"


def test_it_leaves_the_text_of_others_alone(viewer: ViewerModel) -> None:
    workspace_of(viewer)
    viewer.canvas.overlays.text.text = "mine"
    viewer.canvas.overlays.text.visible = True
    viewer.add_image(np.zeros((5, 24, 32)))
    viewer.dims.set_current_step(0, 3)
    assert canvas_text(viewer) == "mine"


def test_of_two_captures_it_names_the_active_or_the_visible_one(
    loaded: ViewerModel, make_capture: Callable[..., Any]
) -> None:
    pairs = list(itertools.product(((0, 0), (40, 0)), ((0, 0), (20, 10), (70, 20))))
    (other,) = open_path(loaded, make_capture("foil", pairs=pairs).folder)
    first = loaded.layers["cloth"]
    loaded.dims.set_current_step((0, 1), (1, 1))
    loaded.layers.selection.active = first
    assert canvas_text(loaded) == "captured  light 30°, 0°   view 15°, 90°"
    loaded.layers.selection.active = other
    assert canvas_text(loaded) == "captured  light 20°, 10°   view 40°, 0°"
    loaded.layers.selection.clear()
    assert canvas_text(loaded) == "captured  light 20°, 10°   view 40°, 0°"
    other.visible = False
    assert canvas_text(loaded) == "captured  light 30°, 0°   view 15°, 90°"
