"""What the tests of the dock Relight share: the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_btf.plugin.relight import Relight
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

    from napari_btf import CompressedBTF


@pytest.fixture
def dock(
    qtbot: QtBot, loaded: ViewerModel, open_dock: Callable[..., Any], model: CompressedBTF
) -> Relight:
    """The dock beside a capture and its model, with its first image."""
    workspace_of(loaded).models.current = model
    dock = open_dock(Relight, loaded)
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    return dock
