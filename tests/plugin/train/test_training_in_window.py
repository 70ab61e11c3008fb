"""A training in a window of napari: what closing names, and the docks that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.train import Train
from napari_btf.plugin.train.training import training_of
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot


def test_closing_names_the_training_and_its_end_opens_docks(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot, capture: Any
) -> None:
    viewer = make_napari_viewer()
    open_path(viewer, capture.folder)
    dock = Train(viewer)
    qtbot.addWidget(dock)
    dock.form.seconds.setValue(600)
    dock.start()
    training = training_of(workspace_of(viewer))
    qtbot.waitUntil(lambda: training.latest is not None)
    # What napari shows when it asks whether to close, and how it ends what runs.
    tasks = viewer.window._task_status_manager
    assert [text for text in tasks.get_status() if "would be lost" in text] == [
        "BTF: Training cloth: its model would be lost (Stop and keep, in the dock Train, keeps it)"
    ]
    tasks.cancel_all()
    qtbot.waitUntil(lambda: not training.running)
    assert not any("would be lost" in text for text in tasks.get_status())
    assert workspace_of(viewer).models.current is None

    dock.next_steps.open("Compare")
    dock.next_steps.open("Compare")
    assert [title.split(" (")[0] for title in viewer.window.dock_widgets].count("Compare") == 1
