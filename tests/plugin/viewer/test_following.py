"""Connections that last while a widget is shown, and layers that come without a selection."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.layers import Image
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_btf.plugin.viewer.following import MouseEvents, follow_while_shown
from napari_btf.plugin.viewer.own_layer import add_quietly

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot


class Source:
    """Something that tells of changes."""

    changed = Signal()


class Listener(QWidget):
    """Counts what it hears while it is shown."""

    def __init__(self, source: Source, viewer: ViewerModel) -> None:
        super().__init__()
        self.heard: list[str] = []
        follow_while_shown(
            self,
            {
                source.changed: self._on_changed,
                viewer.dims.events.ndim: self._on_ndim,
                MouseEvents(viewer, "mouse_move_callbacks"): self._on_mouse,
            },
        )

    def _on_changed(self) -> None:
        self.heard.append("changed")

    def _on_ndim(self, event: Any) -> None:
        self.heard.append("ndim")

    def _on_mouse(self, viewer: Any, event: Any) -> None:
        self.heard.append("mouse")


def tell(source: Source, viewer: ViewerModel) -> None:
    """Emit each of the three once."""
    source.changed.emit()
    viewer.dims.events.ndim()
    for callback in list(viewer.mouse_move_callbacks):
        callback(viewer, None)


def test_only_while_it_is_shown(qtbot: QtBot, viewer: ViewerModel) -> None:
    source = Source()
    listener = Listener(source, viewer)
    qtbot.addWidget(listener)
    tell(source, viewer)
    assert listener.heard == []
    for _ in range(2):
        listener.show()
        tell(source, viewer)
        assert listener.heard == ["changed", "ndim", "mouse"]
        listener.hide()
        tell(source, viewer)
        assert listener.heard == ["changed", "ndim", "mouse"]
        listener.heard.clear()


@pytest.mark.usefixtures("qapp")
def test_a_shown_widget_is_not_kept_alive(viewer: ViewerModel) -> None:
    source = Source()
    listener = Listener(source, viewer)
    listener.show()
    gone = weakref.ref(listener)
    del listener
    gc.collect()
    assert gone() is None
    tell(source, viewer)


@pytest.mark.parametrize("selected", [(), ("a",), ("a", "b")])
def test_a_quiet_layer_leaves_the_selection(viewer: ViewerModel, selected: tuple[str, ...]) -> None:
    for name in "ab":
        viewer.add_image(np.zeros((4, 4)), name=name)
    viewer.layers.selection = {viewer.layers[name] for name in selected}
    active = viewer.layers.selection.active
    add_quietly(viewer, Image(np.zeros((4, 4)), name="new"))
    assert {layer.name for layer in viewer.layers.selection} == set(selected)
    assert viewer.layers.selection.active == active
    assert viewer.layers[-1].name == "new"
