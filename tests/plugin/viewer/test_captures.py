"""Which open capture belongs to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.viewer.grid_layers import base_of
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_btf.codec.model import CompressedBTF


def test_the_name_counts_more_than_what_is_active(
    loaded: ViewerModel, make_capture: Callable[..., Any], model: CompressedBTF
) -> None:
    open_path(loaded, make_capture("foil").folder)
    loaded.layers.selection.active = loaded.layers["foil"]
    workspace = workspace_of(loaded)
    # The capture in front is of the same size, but the model was trained on the other one.
    assert workspace.captures.of_model(model) == [loaded.layers["cloth"]]
    assert base_of(workspace, model) == loaded.layers["cloth"]
    del loaded.layers["cloth"]
    assert workspace.captures.of_model(model) == [loaded.layers["foil"]]


def test_a_grey_capture_does_not_belong_to_a_model_of_colours(
    viewer: ViewerModel, make_capture: Callable[..., Any], model: CompressedBTF
) -> None:
    open_path(viewer, make_capture(grey=True).folder)
    assert workspace_of(viewer).captures.of_model(model) == []
