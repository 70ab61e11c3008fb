"""Progress in napari's activity dock and in docks: it is shown, and lets no other events in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QProgressBar
from train_hand import rows_of

from napari_btf.plugin.jobs.activity_bar import Bar
from napari_btf.plugin.widgets.progress_bar import ProgressBar, painted_later
from napari_btf.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer
    from pytestqt.qtbot import QtBot


class Paints(QObject):
    """Counts how often a widget is painted."""

    def __init__(self, widget: QObject) -> None:
        super().__init__()
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, widget: QObject | None, event: QEvent | None) -> bool:
        self.count += event is not None and event.type() == QEvent.Type.Paint
        return False


def test_a_bar_in_the_activity_dock_lets_no_event_in(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot
) -> None:
    viewer = make_napari_viewer(show=True)
    activity = viewer.window._qt_window._activity_dialog
    indicator = activity._toggleButton._inProgressIndicator
    activity.show()
    came: list[str] = []

    def post(name: str) -> None:
        QTimer.singleShot(0, lambda: came.append(name))

    post("new")
    bar = Bar("Training cloth")
    (row,) = rows_of(activity)
    assert row.description_label.text() == "Training cloth: "
    assert not came
    qtbot.waitUntil(lambda: came == ["new"])
    assert indicator.isVisible()

    paints = Paints(row.qt_progress_bar)
    post("shown")
    bar.show(Progress("training", 12, 80))
    assert came == ["new"]
    assert paints.count == 0
    assert (row.qt_progress_bar.value(), row.qt_progress_bar.maximum()) == (12, 80)
    assert row.description_label.text() == "Training: "
    assert row.eta_label.text().startswith(" 12/80 [")
    qtbot.waitUntil(lambda: came == ["new", "shown"] and paints.count > 0)

    post("closed")
    bar.close()
    assert came == ["new", "shown"]
    qtbot.waitUntil(lambda: not rows_of(activity) and not indicator.isVisible())

    # A window may go before the job.
    bar = Bar("Training cloth")
    viewer.close()
    bar.show(Progress("training", 1, 2))
    bar.close()


@pytest.mark.parametrize("is_visible", [True, False])
def test_a_bar_of_a_dock_is_painted_later(qtbot: QtBot, is_visible: bool) -> None:
    bar = ProgressBar()
    qtbot.addWidget(bar)
    if is_visible:
        with qtbot.waitExposed(bar):
            bar.show()
    qtbot.wait(20)
    paints = Paints(bar)
    bar.show_step(3, 10)
    assert (bar.value(), bar.maximum()) == (3, 10)
    bar.clear()
    bar.show_step(7, 10)
    assert paints.count == 0
    if is_visible:
        qtbot.waitUntil(lambda: paints.count > 0)
    assert bar.updatesEnabled()


def test_bars_of_others_can_be_painted_later(qtbot: QtBot) -> None:
    bar = QProgressBar()
    qtbot.addWidget(bar)
    with qtbot.waitExposed(bar):
        bar.show()
    paints = Paints(bar)
    with painted_later(bar):
        bar.setValue(50)
    assert paints.count == 0
    qtbot.waitUntil(lambda: paints.count > 0)
