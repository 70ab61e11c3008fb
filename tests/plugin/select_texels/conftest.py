"""The dock Select texels over captures that can be read, or not yet."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from select_hand import GatedFrames, Hand

import napari_btf
from napari_btf.plugin.jobs.threads import wait_for_all
from napari_btf.plugin.select_texels import SelectTexels
from napari_btf.plugin.viewer.layers import capture_layer_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot


@pytest.fixture
def hand(qtbot: QtBot, loaded: ViewerModel, open_dock: Callable[..., Any]) -> Hand:
    return Hand(qtbot, open_dock(SelectTexels, loaded))


@pytest.fixture
def gated(
    qtbot: QtBot, viewer: ViewerModel, capture: Any, open_dock: Callable[..., Any]
) -> Iterator[tuple[Hand, Event]]:
    """The dock over a capture whose images cannot be read before the gate is opened."""
    btf = napari_btf.read(capture.folder)
    frames = GatedFrames(np.array(capture.frames))
    data, options, _ = capture_layer_data(replace(btf, frames=frames))
    viewer.add_image(data, **options)
    hand = Hand(qtbot, open_dock(SelectTexels, viewer))
    frames.gate.clear()
    yield hand, frames.gate
    frames.gate.set()
    wait_for_all(20)
