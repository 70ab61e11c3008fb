"""What all docks have in common: tabs, titles, help, first steps, and the window of the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtWidgets import QDialog, QTextBrowser, QToolButton

from napari_btf.plugin.compare import Compare
from napari_btf.plugin.frame.first_steps import FirstSteps
from napari_btf.plugin.frame.help import section
from napari_btf.plugin.launch import show_demo

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer
    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

    import napari_btf

NAMES = ("Directions", "Select texels", "Train", "Latent space", "Relight", "Compare")


def test_docks_join_as_tabs_with_the_newest_in_front(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 800)
    frames = []
    for name in NAMES:
        frame, widget = viewer.window.add_plugin_dock_widget("napari-btf", name)
        frames.append(frame)
        qtbot.waitUntil(lambda frame=frame: not frame.visibleRegion().isEmpty())
        qtbot.waitUntil(lambda widget=widget, name=name: widget.parent().windowTitle() == name)
    window = frames[0].parent()
    qtbot.waitUntil(lambda: len(window.tabifiedDockWidgets(frames[0])) == len(NAMES) - 1)
    assert frames[-1].visibleRegion().boundingRect().height() > 400
    assert all(frame.visibleRegion().isEmpty() for frame in frames[:-1])
    assert viewer.window.geometry()[2:] == (1280, 800)


def test_the_demo_opens_a_window_that_shows_a_whole_dock(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot, model: napari_btf.CompressedBTF
) -> None:
    viewer = make_napari_viewer(show=True)
    show_demo(viewer, model)
    qtbot.waitUntil(lambda: viewer.window.geometry()[2] >= 1200)
    assert viewer.window.geometry()[3] >= 700
    dock = viewer.window.dock_widgets["Relight (napari-btf)"]
    qtbot.waitUntil(lambda: dock.isVisible() and dock.height() > 500)


def test_the_question_mark_shows_the_section_of_a_dock(
    qtbot: QtBot, viewer: ViewerModel, open_dock: Callable[..., Any]
) -> None:
    dock = open_dock(Compare, viewer)
    dock.findChild(QToolButton, "help").click()
    window = dock.findChild(QDialog)
    qtbot.waitExposed(window)
    text = window.findChild(QTextBrowser).toPlainText()
    assert text.startswith("Compare\n")
    assert "decoded image and its error" in text


@pytest.mark.parametrize("name", NAMES)
def test_every_dock_has_a_section_without_pictures_and_links(name: str) -> None:
    text = section(name)
    assert text.startswith(f"### {name}\n")
    assert len(text) > 150
    assert "](" not in text
    assert text.count("\n### ") == 0


def test_steps_stand_in_a_dock_until_something_is_open(
    viewer: ViewerModel, open_dock: Callable[..., Any]
) -> None:
    dock = open_dock(Compare, viewer)
    (steps,) = dock.findChildren(FirstSteps)
    assert steps.isVisible()
    viewer.open_sample("napari-btf", "weave-lights")
    assert viewer.layers[0].data.shape == (1, 81, 256, 256, 3)
    assert not steps.isVisible()
    viewer.layers.clear()
    assert steps.isVisible()
    dock.hide()
    viewer.open_sample("napari-btf", "weave-lights")
    dock.show()
    assert not steps.isVisible()
