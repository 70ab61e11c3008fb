"""Names of strangers' files are text in docks and notifications, never HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt

from napari_btf.plugin.notices import plain, show_error, show_info
from napari_btf.plugin.widgets.wrapped_text import Note

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

NAMES = [
    "<img src=x>",
    "a<b>c</b>",
    "</p>",
    "<!DOCTYPE html>",
    "\x1b[2J<i>\u202e",
    "a < b > c",
    "表面",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_note_and_a_tool_tip_show_a_name_as_it_is(qtbot: QtBot, name: str) -> None:
    note = Note(name)
    qtbot.addWidget(note)
    assert note.textFormat() == Qt.TextFormat.PlainText
    note.setText(f"Saved as {name}.")
    for said in (note.text(), plain(name)):
        assert not set(said) & set("\x1b\u202e")
    assert not Qt.mightBeRichText(plain(name))
    assert plain(name).replace("\u2060", "") == name.replace("\x1b", "\\x1b").replace(
        "\u202e", "\\u202e"
    )


def test_a_notification_is_no_html() -> None:
    for show in (show_error, show_info):
        with notification_manager:
            show("<img src=x>\x1b[2J: it is damaged.")
        said = notification_manager.records[-1].message
        assert not Qt.mightBeRichText(said)
        assert "\\x1b[2J" in said
